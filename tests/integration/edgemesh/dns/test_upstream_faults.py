"""What is wrong with an upstream server, and what ``dig`` gets for it and when, by the node's own clock.

Time stands still but for the test's steps, so a slow machine is none for the node.
"""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from dnslib import RR, A, DNSRecord

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.dns.server import DnsServer

pytestmark = pytest.mark.needs_dig

GOOD = "127.0.9.9"
OLD = "127.0.8.8"
STEP_S = 0.05
LIMIT_S = 4.5
"""The asker's own timer ends after 5 s."""

Address = tuple[str, int]
Script = Callable[[bytes], list[bytes]]


def reply(query: bytes, address: str = GOOD, ttl: int = 60) -> bytes:
    asked = DNSRecord.parse(query)
    answer = asked.reply(aa=0)
    answer.add_answer(RR(asked.q.qname, rdata=A(address), ttl=ttl))
    return bytes(answer.pack())


def truncated(query: bytes) -> bytes:
    answer = DNSRecord.parse(query).reply(aa=0)
    answer.header.tc = 1
    return bytes(answer.pack())


def wrong_id(query: bytes) -> bytes:
    right = reply(query)
    return bytes((right[0] ^ 1,)) + right[1:]


def wrong_question(query: bytes) -> bytes:
    return reply(query).replace(b"\x03www", b"\x03wwx")


def refusing(rcode: int) -> Script:
    return lambda query: [query[:2] + bytes((0x81, 0x80 | rcode)) + b"\0\1\0\0\0\0\0\0" + query[12 : len(query) - 11]]


FAULTS: dict[str, Script | None] = {
    "silent": lambda _: [],
    "wrong id": lambda query: [wrong_id(query)],
    "wrong question": lambda query: [wrong_question(query)],
    "wrong id before the right one": lambda query: [wrong_id(query), reply(query)],
    "truncated": lambda query: [truncated(query)],
    "SERVFAIL": refusing(2),
    "REFUSED": refusing(5),
    "junk": lambda query: [query[:2] + b"\x81\x80\0\1\xff\xff\0\0\0\0" + query[12:], b"", b"\xff" * 2000],
    "dead": None,
}


class Got(NamedTuple):
    """What dig prints."""

    status: str
    addresses: tuple[str, ...]
    is_truncated: bool
    after_s: float
    """How long the server took."""


@pytest.fixture
def dig(clock: VirtualClock) -> Callable[..., Any]:
    """``await dig(server, "+bufsize=512")``: what there is for www.example."""

    async def ask(server: DnsServer, *options: str) -> Got:
        host, port = server.addresses[0]
        before = answered(server)
        process = await asyncio.create_subprocess_exec(
            *("dig", f"@{host}", "-p", str(port), "+time=50", "+tries=1", "+ignore", *options, "www.example", "A"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        while answered(server) == before and not is_asking(server):
            await asyncio.sleep(0.001)
        started = clock.monotonic()
        while answered(server) == before:
            assert clock.monotonic() - started < 10
            await clock.advance(STEP_S)
            await asyncio.sleep(0.002)  # the machine's own time to carry what was sent
        after_s = clock.monotonic() - started
        text = (await process.communicate())[0].decode()
        assert process.returncode == 0, text
        status = text.partition("status: ")[2].partition(",")[0]
        flags = text.partition("flags: ")[2].partition(";")[0].split()
        addresses = tuple(
            line.split()[-1]
            for line in text.splitlines()
            if not line.startswith(";") and line.startswith("www.example.")
        )
        return Got(status, addresses, "tc" in flags, round(after_s, 2))

    return ask


def answered(server: DnsServer) -> int:
    return sum(server.status()["queries"].values())


def is_asking(server: DnsServer) -> bool:
    return bool(server.status()["in_flight"])


@pytest.fixture
def faulty(upstream: Any, dead_address: Address) -> Callable[[str], Any]:
    """``await faulty("silent")``: the address of a server that is so."""

    async def start(fault: str) -> Address:
        script = FAULTS[fault]
        if script is None:
            return dead_address
        server = await upstream(script)
        address: Address = server.address
        return address

    return start


@pytest.mark.parametrize(
    ("fault", "status", "addresses", "within_s"),
    [
        ("silent", "SERVFAIL", (), LIMIT_S),
        ("wrong id", "SERVFAIL", (), LIMIT_S),
        ("wrong question", "SERVFAIL", (), LIMIT_S),
        ("wrong id before the right one", "NOERROR", (GOOD,), 0.1),
        ("truncated", "NOERROR", (), LIMIT_S),
        ("SERVFAIL", "SERVFAIL", (), 0.1),
        ("REFUSED", "REFUSED", (), 0.1),
        ("junk", "SERVFAIL", (), LIMIT_S),
        ("dead", "SERVFAIL", (), 0.1),
    ],
)
async def test_the_only_server_is_faulty(
    fault: str, status: str, addresses: tuple[str, ...], within_s: float, running: Any, faulty: Any, dig: Any
) -> None:
    async with running(upstreams=[await faulty(fault)]) as server:
        got = await dig(server)
    assert (got.status, got.addresses, got.is_truncated) == (status, addresses, fault == "truncated")
    assert got.after_s <= within_s + STEP_S


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_faulty_server_beside_a_good_one_costs_at_most_two_seconds(
    fault: str, running: Any, upstream: Any, faulty: Any, dig: Any
) -> None:
    good = await upstream(lambda query: [reply(query)])
    async with running(upstreams=[await faulty(fault), good.address]) as server:
        got = await dig(server)
        again = await dig(server)
    assert got[:3] == ("NOERROR", (GOOD,), False)
    assert got.after_s <= 2
    assert again == ("NOERROR", (GOOD,), False, 0)


@pytest.mark.parametrize("fault", ["silent", "wrong id", "wrong question", "truncated", "SERVFAIL", "junk"])
async def test_an_old_answer_is_given_within_two_seconds_where_the_server_became_faulty(
    fault: str, running: Any, upstream: Any, dig: Any, clock: VirtualClock
) -> None:
    script: list[Script] = [lambda query: [reply(query, OLD, ttl=1)]]

    def latest(query: bytes) -> list[bytes]:
        return script[-1](query)

    turning = await upstream(latest)
    async with running(upstreams=[turning.address]) as server:
        assert (await dig(server)).addresses == (OLD,)
        turned = FAULTS[fault]
        assert turned is not None
        script.append(turned)
        await clock.advance(2)
        got = await dig(server)
    assert (got.status, got.addresses) == ("NOERROR", (OLD,))
    assert got.after_s <= 2


async def test_a_slow_server_is_waited_for(running: Any, upstream: Any, dig: Any, clock: VirtualClock) -> None:
    slow: Any = None

    def later(query: bytes) -> list[bytes]:
        asker = slow.askers[-1]
        clock.call_at(clock.monotonic() + 3.0, lambda: slow.transport.sendto(reply(query), asker))
        return []

    slow = await upstream(later)
    async with running(upstreams=[slow.address]) as server:
        got = await dig(server)
    assert got[:3] == ("NOERROR", (GOOD,), False)
    assert 2.9 <= got.after_s <= LIMIT_S


@pytest.mark.parametrize(("options", "whole"), [(["+noedns"], False), (["+bufsize=1232"], True)])
async def test_a_truncated_answer_is_had_by_tcp_and_fits_the_asker(
    options: list[str], whole: bool, running: Any, upstream: Any, dig: Any
) -> None:
    def stream(query: bytes) -> bytes:
        answer = DNSRecord.parse(query).reply(aa=0)
        for number in range(60):
            answer.add_answer(RR("www.example", rdata=A(f"192.0.2.{number}"), ttl=60))
        packed = bytes(answer.pack())
        return len(packed).to_bytes(2, "big") + packed

    other = await upstream(lambda query: [truncated(query)], stream=stream)
    async with running(upstreams=[other.address]) as server:
        got = await dig(server, *options)
    assert (got.status, got.is_truncated) == ("NOERROR", not whole)
    assert len(got.addresses) == 60 if whole else 20 < len(got.addresses) < 31
