"""What the system says: netlink, the listings of nft, ip and iptables, files of /proc, and the keeper of the rules."""

import struct
from contextlib import suppress

import msgspec

from edgecore.doctor.interception import check_subnet, dropping_chains
from edgecore.doctor.sockets import listening_sockets
from edgecore.errors import ContentError
from edgecore.modules.edgemesh.dns.host.leading import lead_names
from edgecore.modules.edgemesh.intercept import leftovers
from edgecore.modules.edgemesh.intercept.interface import read_interfaces
from edgecore.modules.edgemesh.intercept.keeper.protocol import Done, Frames, News, Ready, Said, frame
from edgecore.modules.edgemesh.intercept.kernel import ctnetlink
from edgecore.modules.edgemesh.intercept.rules import findings, iptables, nftables
from edgecore.modules.edgemesh.intercept.rules.interception import Interception, Spots
from tests.fuzz.recorded import texts, values
from tests.fuzz.target import target

_CLIENT, _FAKE, _POD = (b"\x0a\0\0\2", 40000), (b"\x09\xfb\0\1", 80), (b"\x0a\0\0\7", 8080)
RULES = Interception("edgecore_1_9.251.0.0", "edgemesh0", "9.251.0.0/16", "169.254.96.16", 1)


@target(
    "edgecore.modules.edgemesh.intercept.kernel.ctnetlink",
    faces="the kernel: connections by netlink",
    seeds=lambda: [ctnetlink.ask_for_all(1), _message(0x100, _flow()), _message(2, bytes(20)), _message(3, bytes(4))],
)
def netlink(data: bytes) -> None:
    """It has flows that can be named again, or is no netlink."""
    try:
        found = ctnetlink.read(data)
    except ValueError:
        return
    for flow in found.flows:
        assert ctnetlink.forget(flow, 1)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _ends(source: tuple[bytes, int], to: tuple[bytes, int]) -> bytes:
    ports = (_attribute(2 + at, port.to_bytes(2, "big")) for at, (_, port) in enumerate((source, to)))
    addresses = _attribute(1, source[0]) + _attribute(2, to[0])
    return _attribute(1 | 0x8000, addresses) + _attribute(2 | 0x8000, _attribute(1, b"\x06") + b"".join(ports))


def _flow() -> bytes:
    """Return a flow that was sent to a pod, established."""
    state = _attribute(4 | 0x8000, _attribute(1 | 0x8000, _attribute(1, b"\3")))
    ends = _attribute(1 | 0x8000, _ends(_CLIENT, _FAKE)) + _attribute(2 | 0x8000, _ends(_POD, _CLIENT))
    return b"\2\0\0\0" + ends + _attribute(3, (1 << 5).to_bytes(4, "big")) + state + _attribute(12, b"abcd")


def _message(kind: int, body: bytes) -> bytes:
    return (16 + len(body)).to_bytes(4, "little") + kind.to_bytes(2, "little") + bytes(10) + body


@target(
    "edgecore.modules.edgemesh.intercept.rules.nftables",
    "edgecore.modules.edgemesh.intercept.rules.findings",
    "edgecore.modules.edgemesh.intercept.leftovers",
    "edgecore.modules.edgemesh.intercept.interface",
    faces="the programs nft, ip and iptables: what they list",
    seeds=lambda: [
        *values(
            {
                "nftables": [
                    {"metainfo": {}},
                    {"chain": {"name": "leaving"}},
                    {"rule": {"chain": "leaving"}},
                    {"counter": {"name": "hits-1", "packets": 2}},
                    {"map": {"name": "led", "elem": [[{"concat": ["9.251.0.1", "tcp", 80]}, {"concat": ["a", 1]}]]}},
                ]
            },
            [
                {
                    "ifname": "edgemesh0",
                    "ifalias": "x",
                    "flags": ["UP"],
                    "addr_info": [{"local": "169.254.96.16", "family": "inet", "valid_life_time": 1}],
                }
            ],
            [{"dst": "9.251.0.0/16", "dev": "edgemesh0", "protocol": "x", "metric": 1, "flags": []}],
        )(),
        b"*nat\n:EDGECORE - [0:0]\n-A PREROUTING -i docker0 -j EDGECORE\n-A INPUT ! -d 9.251.0.0/16 -j DROP\nCOMMIT\n",
        b"table ip edgecore_1_9.251.0.0\ntable ip x {\n chain f {\n type filter hook forward priority 0; policy drop;",
    ],
)
def listings(data: bytes) -> None:
    """What is no listing is refused as JSON is."""
    text = data.decode(errors="replace")
    readers = (
        nftables.read_counters,
        lambda given: nftables.read_sums(given, ()),
        read_interfaces,
        leftovers.foreign_routes,
        leftovers.our_routes,
        leftovers.addresses_of,
        lambda given: leftovers.foreign_holder(given, "169.254.96.16"),
        lambda given: findings.in_table(RULES, Spots(), given),
        lambda given: findings.on_interface(RULES, given),
        lambda given: findings.in_routes(RULES, given),
    )
    for read in readers:
        with suppress(msgspec.DecodeError):
            read(text)
    leftovers.leftover_tables(text, RULES.table)
    findings.in_iptables(RULES, Spots(), text)
    iptables.remove(text)
    list(dropping_chains(text))


@target(
    "edgecore.doctor.sockets",
    "edgecore.doctor.interception",
    faces="files of /proc",
    seeds=texts(
        "sl local rem st\n 0: 0100007F:0035 00000000:0000 0A 0 0 0 0 0 99 1\n",
        "Iface Destination Gateway Flags RefCnt Use Metric Mask\nx 0000FB09 0 0001 0 0 0 0000FFFF 0 0 0\n",
    ),
)
def proc_files(data: bytes) -> None:
    """Lines that are not understood are left out."""
    text = data.decode(errors="replace")
    listening_sockets({"tcp": text, "udp6": text})
    list(check_subnet("9.251.0.0/16", text, ["x"]))
    servers = [word for word in text.split()[:8] if leads(word)]
    lead_names(servers, [("127.0.0.1", 53)], "169.254.96.16")


def leads(word: str) -> bool:
    """Whether a resolv.conf could name a server so."""
    from edgecore.modules.edgemesh.dns.resolver.resolvconf import nameservers

    return nameservers(f"nameserver {word}") == ((word, 53),)


@target(
    "edgecore.modules.edgemesh.intercept.keeper.protocol",
    faces="the keeper of rules",
    seeds=lambda: [frame(Ready("library")) + frame(Done(1, "x")) + frame(Said("info", "a", {"b": "c"}))],
)
def keeper_frames(data: bytes) -> None:
    """Cut up or whole it says the same, until it says what nobody understands."""
    assert _heard([data]) == _heard([data[at : at + 1] for at in range(len(data))])


def _heard(pieces: list[bytes]) -> list[object]:
    frames, found = Frames(News), list[object]()
    for piece in pieces:
        frames.feed(piece)
        try:
            found.extend(frames.messages())
        except ContentError:
            return found
    return found
