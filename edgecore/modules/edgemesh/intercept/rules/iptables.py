"""The commands of iptables, where nft is missing: a chain in ``nat``, one in ``filter``, and the jumps to them.

::

    nat     PREROUTING -i docker0, OUTPUT ──▶ EDGE-MESH   DNAT to listeners; the rest of a container to a closed port
    filter  OUTPUT, FORWARD -d subnet     ──▶ EDGE-MESH   refused: what was not translated
            INPUT -d our address          ──▶ EDGE-MESH   dropped: what comes from other machines, see nftables.py

The proxy serves every spot; nothing is balanced here. ``iptables-restore`` changes a table whole or not at all, and
with ``--noflush`` what it does not name stays as it is.
"""

from collections.abc import Iterator

from edgecore.modules.edgemesh.intercept.keeper.protocol import Command
from edgecore.modules.edgemesh.intercept.rules.interception import Interception, NameHijack, Spots
from edgecore.modules.edgemesh.intercept.rules.nftables import names_led

CHAIN = "EDGE-MESH"

CLOSED_PORT = 1
"""Of our address. What a container asks of the rest of the subnet goes there, and is refused by the kernel."""

_WAIT = ("--wait", "5")
"""Seconds that a program waits for another one that changes the tables."""

_NOTHING = Spots()


def create(i: Interception, spots: Spots = _NOTHING) -> Command:
    """Make chains and jumps. There must be none; see ``remove``."""
    return _restore(
        {
            "nat": (*_filled(i, spots), *_inserted(i, "nat")),
            "filter": (f":{CHAIN} - [0:0]", *(f"-A {rule}" for rule in refusal(i)), *_inserted(i, "filter")),
        }
    )


def change(i: Interception, before: Spots, after: Spots) -> Command | None:
    """Return what makes ``after`` of ``before``; ``None`` if they have the same listeners."""
    if (before.led, before.names) == (after.led, after.names):
        return None
    return _restore({"nat": _filled(i, after)})


def remove(saved: str) -> Command | None:
    """Return what takes all that is ours out of what ``save`` printed; ``None`` if there is nothing."""
    tables: dict[str, list[str]] = {}
    for table, line in lines_of(saved):
        if line.startswith("-A") and line.endswith(f"-j {CHAIN}") and line.split()[1] != CHAIN:
            tables.setdefault(table, []).append(f"-D{line[2:]}")
    for table, line in lines_of(saved):
        if line.startswith(f":{CHAIN} "):
            tables.setdefault(table, []).extend((f"-F {CHAIN}", f"-X {CHAIN}"))
    return _restore({table: tuple(lines) for table, lines in tables.items()}) if tables else None


def remove_unseen(i: Interception) -> tuple[Command, ...]:
    """Return what takes away what ``create`` made, as far as it is there still; for a will."""
    lines = [
        (table, line)
        for table in ("nat", "filter")
        for line in (*(f"-D {jump}" for jump in jumps(i)[table]), f"-F {CHAIN}", f"-X {CHAIN}")
    ]
    return tuple(Command(("iptables", *_WAIT, "-t", table, *line.split()), may_fail=True) for table, line in lines)


def save() -> Command:
    """List all rules of all tables."""
    return Command(("iptables-save",))


def lines_of(saved: str) -> Iterator[tuple[str, str]]:
    """Yield each line of a table out of what ``save`` printed, with the name of the table."""
    table = ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith((":", "-")):
            yield table, line.strip()


def jumps(i: Interception) -> dict[str, tuple[str, ...]]:
    """Return the jumps to our chain, by table, as ``iptables-save`` prints them behind ``-A``."""
    return {
        "nat": (f"PREROUTING -i {i.interface} -j {CHAIN}", f"OUTPUT -j {CHAIN}"),
        "filter": (
            f"INPUT -d {i.address}/32 -j {CHAIN}",
            f"FORWARD -d {i.subnet} -j {CHAIN}",
            f"OUTPUT -d {i.subnet} -j {CHAIN}",
        ),
    }


def rules(i: Interception, spots: Spots) -> tuple[str, ...]:
    """Return the rules of our chain in ``nat``, as ``iptables-save`` prints them behind ``-A``."""
    return (
        *_names(i, spots.names),
        f"{CHAIN} ! -d {i.subnet} -j RETURN",
        *(
            f"{CHAIN} -d {spot.address}/32 -p {spot.transport} -m {spot.transport} --dport {spot.port} "
            f"-j DNAT --to-destination {listener}"
            for spot, listener in spots.led.items()
        ),
        *(
            f"{CHAIN} -i {i.interface} -p {transport} -j DNAT --to-destination {i.address}:{CLOSED_PORT}"
            for transport in ("tcp", "udp")
        ),
    )


def refusal(i: Interception) -> tuple[str, ...]:
    """Return the rules of our chain in ``filter``, as ``iptables-save`` prints them behind ``-A``."""
    ours = f"{CHAIN} -d {i.address}/32"
    return (
        f"{ours} -i lo -j RETURN",
        f"{ours} -i {i.interface} -j RETURN",
        f"{ours} -m conntrack --ctdir REPLY -j RETURN",
        f"{ours} -j DROP",
        f"{CHAIN} -p tcp -j REJECT --reject-with tcp-reset",
        f"{CHAIN} -p udp -j REJECT --reject-with icmp-port-unreachable",
        f"{CHAIN} -j REJECT --reject-with icmp-host-unreachable",
    )


def _names(i: Interception, names: NameHijack | None) -> Iterator[str]:
    for spot, listener in names_led(names).items():
        which = f"-d {spot.address}/32 -p {spot.transport} -m {spot.transport} --dport {spot.port}"
        yield f"{CHAIN} {which} -m mark ! --mark {i.mark:#x} -j DNAT --to-destination {listener}"


def _filled(i: Interception, spots: Spots) -> tuple[str, ...]:
    # Under --noflush the line of a chain makes it, or empties it.
    return f":{CHAIN} - [0:0]", *(f"-A {rule}" for rule in rules(i, spots))


def _inserted(i: Interception, table: str) -> tuple[str, ...]:
    return tuple(f"-I {jump.replace(' ', ' 1 ', 1)}" for jump in jumps(i)[table])


def _restore(tables: dict[str, tuple[str, ...]]) -> Command:
    blocks = ("\n".join((f"*{table}", *lines, "COMMIT\n")) for table, lines in tables.items())
    return Command(("iptables-restore", "--noflush", *_WAIT), stdin="".join(blocks))
