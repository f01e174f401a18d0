"""What the kernel says of its connections, byte by byte."""

import random
import struct

import pytest

from edgecore.modules.edgemesh.intercept.kernel.ctnetlink import ask_for_all, forget, read
from edgecore.modules.edgemesh.intercept.rules.interception import Spot
from edgecore.modules.edgemesh.names import Endpoint

TRANSLATED = 1 << 5


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def tuple_of(source: tuple[str, int], destination: tuple[str, int], protocol: int) -> bytes:
    addresses = [bytes(map(int, address.split("."))) for address, _ in (source, destination)]
    ports = [port.to_bytes(2, "big") for _, port in (source, destination)]
    return attribute(1 | 0x8000, attribute(1, addresses[0]) + attribute(2, addresses[1])) + attribute(
        2 | 0x8000, attribute(1, bytes((protocol,))) + attribute(2, ports[0]) + attribute(3, ports[1])
    )


CLIENT, FAKE, POD = ("169.254.96.16", 40000), ("9.251.0.1", 53), ("10.0.0.7", 5353)


def flow(protocol: int = 17, status: int = TRANSLATED, more: bytes = b"") -> bytes:
    return (
        attribute(1 | 0x8000, tuple_of(CLIENT, FAKE, protocol))
        + attribute(2 | 0x8000, tuple_of(POD, CLIENT, protocol))
        + attribute(3, status.to_bytes(4, "big"))
        + attribute(12, b"abcd")
        + more
    )


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body


def new(body: bytes, family: int = 2) -> bytes:
    return message(0x100, bytes((family, 0, 0, 0)) + body)


DONE = message(3, bytes(4))


def test_a_flow_says_what_its_client_meant_and_where_it_went() -> None:
    (found,) = read(new(flow())).flows

    assert (found.spot, found.target, found.is_open) == (Spot("9.251.0.1", 53, "udp"), Endpoint("10.0.0.7", 5353), True)


def test_a_flow_whose_attributes_are_in_another_order_says_the_same() -> None:
    (usual,) = read(new(flow())).flows
    odd = b"".join(
        attribute(kind | 0x8000, ends[20:] + ends[:20])
        for kind, ends in ((1, tuple_of(CLIENT, FAKE, 17)), (2, tuple_of(POD, CLIENT, 17)))
    )
    (unusual,) = read(new(odd + attribute(3, TRANSLATED.to_bytes(4, "big")))).flows
    assert (unusual.spot, unusual.target) == (usual.spot, usual.target)


@pytest.mark.parametrize(("state", "is_open"), [(1, False), (3, True), (7, False)])
def test_of_tcp_what_is_established_is_open(state: int, is_open: bool) -> None:
    info = attribute(4 | 0x8000, attribute(1 | 0x8000, attribute(1, bytes((state,)))))
    (found,) = read(new(flow(6, more=info))).flows

    assert (found.spot.transport, found.is_open) == ("tcp", is_open)


@pytest.mark.parametrize(
    "body",
    [flow(1), flow(status=0), attribute(3, TRANSLATED.to_bytes(4, "big")), b""],
    ids=["icmp", "not_translated", "no_tuples", "nothing"],
)
def test_what_is_none_of_ours_to_know_is_passed_over(body: bytes) -> None:
    assert read(new(body)).flows == []


def test_several_messages_come_in_one_piece_the_last_of_which_ends_it() -> None:
    batch = read(new(flow()) + new(flow(6)) + DONE)

    assert (len(batch.flows), batch.is_last, batch.errors) == (2, True, [])


def test_an_error_is_told_and_an_acknowledgement_is_none() -> None:
    assert read(message(2, struct.pack("=i", -1) + bytes(16))).errors == [1]
    assert read(message(2, struct.pack("=i", 0) + bytes(16))).errors == []


def test_a_flow_is_forgotten_by_its_own_tuple_id_and_zone() -> None:
    zone = attribute(18, b"\0\7")
    (found,) = read(new(flow(more=zone))).flows
    asked = forget(found, 9)

    length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", asked)
    assert (length, kind, flags, sequence) == (len(asked), 0x102, 1, 9)
    assert asked[16:20] == b"\2\0\0\0"
    assert asked[20:] == attribute(1 | 0x8000, tuple_of(CLIENT, FAKE, 17)) + attribute(12, b"abcd") + zone


def test_the_question_is_for_what_was_translated() -> None:
    asked = ask_for_all(1)

    assert struct.unpack_from("=IHH", asked) == (len(asked), 0x101, 0x301)
    assert asked[20:] == attribute(3, TRANSLATED.to_bytes(4, "big")) + attribute(26, TRANSLATED.to_bytes(4, "big"))


def test_bytes_of_any_kind_are_read_or_refused() -> None:
    rng = random.Random(8)
    good = new(flow()) + new(flow(6)) + DONE
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            read(bytes(data[: rng.randrange(len(data) + 1)]))
        except ValueError:
            continue


def test_a_message_that_says_it_is_shorter_than_its_head_is_refused() -> None:
    with pytest.raises(ValueError, match="wrong length"):
        read(struct.pack("=IHHII", 0, 0x100, 0, 0, 0))
