"""The texts of nft: one table, made at once, changed in transactions, silenced, deleted; and its counters, read back.

::

    prerouting, output ──▶ EDGE-MESH ──▶ balanced ──▶ spot-… (▶ to-…)   DNAT to a backend    (a chain a spot)
                                    └──▶ led                            DNAT to a listener
                                         └──▶ refuse                    what of the subnet leads nowhere
                  └──▶ names                                            DNAT of questions of DNS
    leaving                                                             masquerade, what was and leaves the machine
    guard                                                               our address is not for other machines

All but the last are chains of address translation, which see the first packet of a connection alone: what goes on costs
nothing here, nor does any other traffic of the host. The kernel lets them refuse as it does those of a filter: it looks
at the hook, not at the type of the chain (``nft_reject_validate``; in prerouting since Linux 5.9). What they refuse is
forgotten, so that a client that tries again is new.

``guard`` is a filter, for it is to see each packet: of a flow of datagrams that is older than the table too. Whoever
has a route by this machine reaches all its addresses, whatever interface they are of (the weak host model, RFC 1122
3.3.4.2); what listens at ours is for the processes of the host and for what comes in by the interface.

The maps hold what comes and goes, so a change costs the same however many spots there are, but for the list of chains
and sets that nft fetches first: a thousand spots take it some 5 ms. No set has a size in its declaration: the kernel
would make room for that many clients at once (half a MB a set); it bounds a set that learns by itself, to 65,535.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address

import msgspec

from edgecore.modules.edgemesh.intercept.rules.interception import Balanced, Interception, NameHijack, Spot, Spots
from edgecore.modules.edgemesh.intercept.rules.spotchains import SpotChains, chain_of, sum_of
from edgecore.modules.edgemesh.names import Endpoint

PRIORITY = 5
"""So much before the usual priority of address translation: rules of others, such as Docker's, do not come first."""

_NOTHING = Spots()


class Counted(msgspec.Struct, frozen=True):
    """What the kernel has sent to one target."""

    connections: int
    """TCP connections, and flows of UDP, that it began."""


class _Counter(msgspec.Struct):
    name: str
    packets: int


class _Object(msgspec.Struct):
    counter: _Counter | None = None


class _Listing(msgspec.Struct):
    nftables: list[_Object]


_LISTING = msgspec.json.Decoder(_Listing)


def create(i: Interception, owner: bool, spots: Spots = _NOTHING) -> str:
    """Return what makes the table, with ``spots``. ``owner``: nobody else may change it, and it goes with its maker."""
    maps = [f"\tmap {name} {{ type {_KEY_TYPE} : {there}; }}" for name, there in MAPS.items()]
    return _table(i, owner, maps, fixed_chains(i), PRIORITY) + change(i, _NOTHING, spots)


def stand_in(i: Interception, owner: bool) -> str:
    """Return what makes a table that leads nothing, but refuses, for the time until the rules can be made.

    Where another table leads connections, it comes first, so a node that lives is not disturbed.
    """
    fixed = fixed_chains(i)
    chains = {"refuse": _REFUSE, **_refusing(i), **{name: fixed[name] for name in ("leaving", "guard")}}
    return _table(i, owner, (), chains, PRIORITY - 1)


def _table(
    i: Interception, owner: bool, maps: Iterable[str], chains: Mapping[str, tuple[str, ...]], before: int
) -> str:
    hooks = _hooks(before)
    lines = [f"table ip {i.table} {{", *(("\tflags owner;",) if owner else ()), *maps]
    for name, rules in chains.items():
        lines += [f"\tchain {name} {{", *(f"\t\t{line}" for line in (*hooks.get(name, ()), *rules)), "\t}"]
    return "\n".join((*lines, "}\n"))


_KEY = "ip daddr . meta l4proto . th dport"
_KEY_TYPE = "ipv4_addr . inet_proto . inet_service"

MAPS = {"led": "ipv4_addr . inet_service", "names": "ipv4_addr . inet_service", "balanced": "verdict"}
"""The maps by which a spot, or a name server, is found, with the type of what they hold."""


def fixed_chains(i: Interception) -> Mapping[str, tuple[str, ...]]:
    """Return the chains that are there from the start to the end, with their rules."""
    ours = f'iifname "{i.interface}"'
    return {
        "refuse": _REFUSE,
        "led": (f"meta l4proto {{ tcp, udp }} dnat to {_KEY} map @led", "goto refuse"),
        "EDGE-MESH": (f"{_KEY} vmap @balanced", "goto led"),
        "names": (f"meta mark != {i.mark} meta l4proto {{ tcp, udp }} dnat to {_KEY} map @names",),
        "prerouting": (
            f"{ours} ip daddr {i.subnet} goto {'EDGE-MESH' if i.forwards else 'led'}",
            *_refusing(i)["prerouting"],
            f"{ours} goto names",
        ),
        "output": (f"ip daddr {i.subnet} goto EDGE-MESH", "goto names"),
        "leaving": (f'oifname != "lo" ct status dnat ct original ip daddr {i.subnet} masquerade',),
        "guard": (
            f"ip daddr != {i.address} accept",
            f'iifname {{ "lo", "{i.interface}" }} accept',
            "ct direction reply accept",  # our address is the source of what the host's processes ask of fake IPs
            "drop",
        ),
    }


_REFUSE = (
    "meta l4proto tcp reject with tcp reset",
    "meta l4proto udp reject with icmp port-unreachable",
    "reject with icmp host-unreachable",
)


def _refusing(i: Interception) -> dict[str, tuple[str, ...]]:
    """Return the rules of ``prerouting`` and ``output`` where nothing is led."""
    return dict.fromkeys(("prerouting", "output"), (f"ip daddr {i.subnet} goto refuse",))


def _hooks(before: int) -> dict[str, tuple[str]]:
    places = {
        "prerouting": f"nat hook prerouting priority {-100 - before}",
        "output": f"nat hook output priority {-100 - before}",
        "leaving": f"nat hook postrouting priority {100 - before}",
        "guard": f"filter hook input priority {-before}",
    }
    return {name: (f"type {place}; policy accept;",) for name, place in places.items()}


def change(i: Interception, before: Spots, after: Spots) -> str:
    """Return what makes ``after`` of ``before``; empty if they are the same.

    The counter and the memory of a target that is there before and after are not touched.
    """
    old, new = balanced_spots(before), balanced_spots(after)
    chains = SpotChains(i.table, old, new)
    jumps_before, jumps_after = jumps(before), jumps(after)
    led_before, led_after = spell(before.led), spell(after.led)
    names_before, names_after = spell(names_led(before.names)), spell(names_led(after.names))
    lines = (
        *_take(i.table, "balanced", jumps_before, jumps_after),
        *_take(i.table, "led", led_before, led_after),
        *_take(i.table, "names", names_before, names_after),
        *chains.unlink(),
        *chains.take(),
        *chains.give(),
        *chains.link(),
        *_give(i.table, "balanced", jumps_before, jumps_after),
        *_give(i.table, "led", led_before, led_after),
        *_give(i.table, "names", names_before, names_after),
    )
    return "".join(f"{line}\n" for line in lines)


def jumps(spots: Spots) -> dict[Spot, str]:
    """Return what ``balanced`` is to hold."""
    return {spot: f"goto {chain_of(spot)}" for spot in balanced_spots(spots)}


def balanced_spots(spots: Spots) -> dict[Spot, Balanced]:
    """Return the spots that the kernel balances."""
    return {spot: balanced for spot, balanced in spots.balanced.items() if balanced.targets}


def spell(led: Mapping[Spot, Endpoint]) -> dict[Spot, str]:
    """Write where spots lead as the maps hold it."""
    return {spot: f"{listener.host} . {listener.port}" for spot, listener in led.items()}


def names_led(names: NameHijack | None) -> dict[Spot, Endpoint]:
    """Return what ``names`` is to hold: the name servers, but ours if it is one of them."""
    if names is None:
        return {}
    servers = [server for server in names.servers if IPv4Address(server) != IPv4Address(names.listener.host)]
    return {Spot(server, 53, transport): names.listener for server in servers for transport in ("udp", "tcp")}


def _take(table: str, name: str, before: Mapping[Spot, str], after: Mapping[Spot, str]) -> Iterator[str]:
    gone = [_spell(spot) for spot, there in before.items() if after.get(spot) != there]
    if gone:
        yield f"delete element ip {table} {name} {{ {', '.join(gone)} }}"


def _give(table: str, name: str, before: Mapping[Spot, str], after: Mapping[Spot, str]) -> Iterator[str]:
    come = [f"{_spell(spot)} : {there}" for spot, there in after.items() if before.get(spot) != there]
    if come:
        yield f"add element ip {table} {name} {{ {', '.join(come)} }}"


def _spell(spot: Spot) -> str:
    return f"{spot.address} . {spot.transport} . {spot.port}"


def silence(i: Interception) -> str:
    """Return what leads nothing new any more, but refuses it; connections that are translated go on being so.

    For that, ``leaving`` stays as it is, and so does ``guard``. The kernel translates only while there is a chain of
    address translation, and knows connections only while a rule names them, as ``ct status dnat`` there does. So are
    the live route and its address to stay as long as those connections are to live: the kernel looks for a route to the
    fake IP before it translates what a process of the host sends.
    """
    return "".join(
        f"flush chain ip {i.table} {name}\n" + "".join(f"add rule ip {i.table} {name} {rule}\n" for rule in rules)
        for name, rules in _refusing(i).items()
    )


def delete(table: str) -> str:
    """Return what takes the table away; it fails if there is none."""
    return f"delete table ip {table}\n"


def list_tables() -> str:
    """Return what lists the tables of everybody, as text."""
    return "list tables ip\n"


def list_table(table: str) -> str:
    """Return what lists all that is in the table; its output is to be JSON."""
    return f"list table ip {table}\n"


def list_counters(table: str) -> str:
    """Return what lists the counters; its output is to be JSON."""
    return f"list counters table ip {table}\n"


def read_counters(text: str) -> Mapping[int, Counted]:
    """Return, by the ids of targets, what was counted since they are there, out of the JSON of ``list_counters``.

    Raises ``msgspec.DecodeError`` for what is no such JSON.
    """
    return {
        int(number): Counted(counter.packets)
        for counter in _counters(text)
        for prefix, _, number in [counter.name.partition("-")]
        if prefix == "hits" and number.isdecimal()
    }


def read_sums(text: str, spots: Iterable[Spot]) -> Mapping[Spot, Counted]:
    """Return of each of ``spots`` what was counted there, at targets that are gone too. As ``read_counters``."""
    names = {sum_of(spot): spot for spot in spots}
    return {names[counter.name]: Counted(counter.packets) for counter in _counters(text) if counter.name in names}


def _counters(text: str) -> Iterator[_Counter]:
    return (entry.counter for entry in _LISTING.decode(text).nftables if entry.counter is not None)
