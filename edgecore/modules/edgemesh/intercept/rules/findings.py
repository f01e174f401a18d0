"""What differs between that which is there and that which is wanted, in words; for the watchdog and for people."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv4Network
from typing import Any, Literal, NamedTuple

import msgspec

from edgecore.modules.edgemesh.intercept.rules import iptables, routes
from edgecore.modules.edgemesh.intercept.rules.interception import Interception, Spot, Spots
from edgecore.modules.edgemesh.intercept.rules.nftables import (
    MAPS,
    balanced_spots,
    fixed_chains,
    jumps,
    names_led,
    spell,
)
from edgecore.modules.edgemesh.intercept.rules.spotchains import counters_of, rule_counts

Word = Literal["missing", "foreign", "reordered"]
"""``missing``: not there. ``foreign``: there, and not ours. ``reordered``: there, and others come first."""


class Finding(NamedTuple):
    """One difference."""

    word: Word
    what: str
    """``table``, ``chain``, ``rule``, ``spot``, ``counter``, ``interface``, ``address``, ``route`` or ``fallback``."""
    text: str
    cut: str = ""
    """The fake IPs, as a network, connections to which do not come to the node for this; empty: they do."""


def in_table(i: Interception, spots: Spots, listed: str) -> tuple[Finding, ...]:
    """Compare our table with what ``nftables.list_table`` lists; an empty text says that there is none.

    Of rules the number is compared. Raises ``msgspec.DecodeError`` for what is no such JSON.
    """
    if not listed.strip():
        return (Finding("missing", "table", f"the table {i.table} is not there", i.subnet),)
    there = _Table(listed)
    balanced = balanced_spots(spots)
    chains = {name: len(rules) for name, rules in fixed_chains(i).items()} | dict(rule_counts(balanced))
    counters = set(counters_of(balanced))
    elements = {"led": spell(spots.led), "names": spell(names_led(spots.names)), "balanced": jumps(spots)}
    return (
        *_compare("chain", chains, there.rules, i.subnet),
        *_compare("counter", counters, there.counters),
        *_compare("map", MAPS, there.elements, i.subnet),
        *_compare_rules(chains, there.rules, i.subnet),
        *(
            finding
            for name, wanted in elements.items()
            for finding in _compare_elements(name, _keys(wanted), there.elements.get(name, {}))
        ),
    )


class _Table:
    """The JSON of a table: rules by chain, counters, the elements of maps as text."""

    def __init__(self, listed: str) -> None:
        self.rules: Counter[str] = Counter()
        self.counters: set[str] = set()
        self.elements: dict[str, dict[str, str]] = {}
        for entry in msgspec.json.decode(listed, type=_Listing).nftables:
            if entry.chain is not None:
                self.rules[entry.chain.name] += 0
            if entry.rule is not None:
                self.rules[entry.rule.chain] += 1
            if entry.counter is not None:
                self.counters.add(entry.counter.name)
            if entry.mapping is not None:
                self.elements[entry.mapping.name] = {_spell(key): _spell(value) for key, value in entry.mapping.elem}


class _Named(msgspec.Struct):
    name: str


class _Rule(msgspec.Struct):
    chain: str


class _Map(msgspec.Struct):
    name: str
    elem: list[tuple[Any, Any]] = []


class _Object(msgspec.Struct):
    """One of what is listed; kinds that are not looked at have none of these."""

    chain: _Named | None = None
    rule: _Rule | None = None
    counter: _Named | None = None
    mapping: _Map | None = msgspec.field(default=None, name="map")


class _Listing(msgspec.Struct):
    nftables: list[_Object]


def _spell(value: Any) -> str:
    """Write an element as we do."""
    match value:
        case {"concat": parts}:
            return " . ".join(str(part) for part in parts)
        case {"goto": {"target": chain}}:
            return f"goto {chain}"
    return str(value)


def _keys(wanted: Mapping[Spot, str]) -> dict[str, str]:
    return {f"{spot.address} . {spot.transport} . {spot.port}": there for spot, there in wanted.items()}


def _compare(what: str, wanted: Iterable[str], there: Iterable[str], subnet: str = "") -> Iterator[Finding]:
    wanted, there = set(wanted), set(there)
    for name in sorted(wanted - there):
        yield Finding("missing", what, f"the {what} {name} is not there", _cut_without(name, subnet))
    for name in sorted(there - wanted):
        yield Finding("foreign", what, f"the {what} {name} is not ours")


def _compare_rules(wanted: Mapping[str, int], there: Mapping[str, int], subnet: str) -> Iterator[Finding]:
    for chain in wanted:
        if chain in there and there[chain] != wanted[chain]:
            text = f"the chain {chain} has {there[chain]} rules, and should have {wanted[chain]}"
            if there[chain] < wanted[chain]:
                yield Finding("missing", "rule", text, _cut_without(chain, subnet))
            else:
                yield Finding("foreign", "rule", text)


def _cut_without(name: str, subnet: str) -> str:
    """Return what is cut off without a chain or a map: nothing by those that refuse, or lead questions."""
    return "" if name.startswith(("names", "refuse", "guard")) else subnet


def _compare_elements(name: str, wanted: Mapping[str, str], there: Mapping[str, str]) -> Iterator[Finding]:
    for key, where in wanted.items():
        if there.get(key) != where:
            found = f"leads to {there[key]}" if key in there else "is not there"
            text = f"{key} in the map {name} should lead to {where}, and {found}"
            yield Finding("missing", "spot", text, f"{key.split()[0]}/32")
    for key, where in there.items():
        if key not in wanted:
            yield Finding("foreign", "spot", f"{key} in the map {name} leads to {where}, and is not ours")


class _Address(msgspec.Struct):
    local: str


class _Link(msgspec.Struct):
    flags: list[str] = []
    addr_info: list[_Address] = []


class _Route(msgspec.Struct):
    dst: str
    type: str = "unicast"
    protocol: str = ""
    dev: str = ""
    prefsrc: str = ""
    metric: int = 0


def on_interface(i: Interception, listed: str) -> tuple[Finding, ...]:
    """Compare with what ``routes.list_addresses`` lists; an empty text says that there is no such interface.

    Raises ``msgspec.DecodeError`` for what is no such JSON.
    """
    links = msgspec.json.decode(listed, type=list[_Link]) if listed.strip() else []
    links = [link for link in links if link.flags]
    if not links:
        return (Finding("missing", "interface", f"the interface {i.interface} is not there", i.subnet),)
    findings = []
    if "UP" not in links[0].flags:
        findings.append(Finding("missing", "interface", f"the interface {i.interface} is down", i.subnet))
    if not any(address.local == i.address for address in links[0].addr_info):
        text = f"the interface {i.interface} has no address {i.address}"
        findings.append(Finding("missing", "address", text, i.subnet))
    return tuple(findings)


def in_routes(i: Interception, listed: str) -> tuple[Finding, ...]:
    """Compare with what ``routes.list_routes`` lists: ours, and those of others that take (part of) the subnet.

    Raises ``msgspec.DecodeError`` for what is no such JSON.
    """
    there = msgspec.json.decode(listed, type=list[_Route]) if listed.strip() else []
    live = [route for route in there if (route.dst, route.dev, route.prefsrc) == (i.subnet, i.interface, i.address)]
    fallback = [
        route
        for route in there
        if (route.dst, route.type, route.metric) == (i.subnet, "unreachable", routes.FALLBACK_METRIC)
    ]
    findings = []
    if not live:
        findings.append(Finding("missing", "route", f"there is no route to {i.subnet} by {i.interface}", i.subnet))
    if not fallback:
        findings.append(Finding("missing", "fallback", f"there is no route that refuses {i.subnet}"))
    for route in there:
        if route in live or route in fallback:
            continue
        taken = f"{route.dst} {route.type} {route.dev}".strip()
        ahead = route.dst != i.subnet or (bool(live) and there.index(route) < there.index(live[0]))
        word: Word = "reordered" if ahead else "foreign"
        text = f"another route takes addresses of {i.subnet}: {taken}"
        findings.append(Finding(word, "route", text, route.dst if ahead else ""))
    return tuple(findings)


def in_iptables(i: Interception, spots: Spots, saved: str) -> tuple[Finding, ...]:
    """Compare the chains and jumps of iptables with what ``iptables.save`` printed."""
    lines: dict[str, list[str]] = {"nat": [], "filter": []}
    for table, line in iptables.lines_of(saved):
        if line.startswith("-A "):
            lines.setdefault(table, []).append(line[3:])
    findings: list[Finding] = []
    for table, wanted_jumps in iptables.jumps(i).items():
        for jump in wanted_jumps:
            findings += _compare_jump(i, table, jump, lines[table])
        ours = set(wanted_jumps)
        for line in lines[table]:
            chain = line.split(" ", 1)[0]
            if line.endswith(f"-j {iptables.CHAIN}") and chain != iptables.CHAIN and line not in ours:
                findings.append(Finding("foreign", "rule", f"a jump to our chain is not ours: {table} {line}"))
    for table, wanted in (("nat", iptables.rules(i, spots)), ("filter", iptables.refusal(i))):
        findings += _compare_chain(table, wanted, [ln for ln in lines[table] if ln.startswith(f"{iptables.CHAIN} ")])
    return tuple(findings)


def _compare_jump(i: Interception, table: str, jump: str, lines: list[str]) -> Iterator[Finding]:
    chain = jump.split(" ", 1)[0]
    if jump not in lines:
        cut = i.subnet if table == "nat" else ""
        yield Finding("missing", "rule", f"a jump to our chain is not there: {table} {jump}", cut)
        return
    for line in lines[: lines.index(jump)]:
        if line.split(" ", 1)[0] == chain and line != jump and may_catch(line, i):
            yield Finding("reordered", "rule", f"a rule of others comes before our jump: {table} {line}")
            return


def _compare_chain(table: str, wanted: Iterable[str], there: list[str]) -> Iterator[Finding]:
    wanted = list(wanted)
    missing, foreign = Counter(wanted) - Counter(there), Counter(there) - Counter(wanted)
    for line in missing:
        yield Finding(
            "missing", "rule", f"a rule is not there: {table} {line}", _led_by(line) if table == "nat" else ""
        )
    for line in foreign:
        yield Finding("foreign", "rule", f"a rule of our chain is not ours: {table} {line}")
    if not missing and not foreign and wanted != there:
        yield Finding("reordered", "rule", f"the rules of our chain in {table} are in another order")


def _led_by(rule: str) -> str:
    """Return the address that a rule of our chain leads to a listener; empty: it leads none."""
    words = rule.split()
    return words[2] if words[1] == "-d" else ""


def may_catch(rule: str, i: Interception) -> bool:
    """Say whether a rule of ``iptables-save`` may decide before ours do.

    On packets from our interface, or ours, to the subnet; in INPUT, from other interfaces to our address.
    """
    words = rule.split()
    if "--dst-type" in words and words[words.index("--dst-type") + 1] == "LOCAL" and words[0] != "INPUT":
        return False  # a fake IP is no address of this machine
    target = words[words.index("-j") + 1] if "-j" in words else ""
    if target in ("", "LOG", "NFLOG", "MARK", "CONNMARK"):
        return False
    if words[0] == "INPUT":
        return _may_match(words, "-d", _overlaps(i.address)) and any(
            _may_match(words, "-i", name.__eq__) for name in _named_interfaces(words, i)
        )
    return _may_match(words, "-d", _overlaps(i.subnet)) and _may_match(words, "-i", i.interface.__eq__)


def _may_match(words: list[str], option: str, matches: Callable[[str], bool]) -> bool:
    if option not in words:
        return True
    place = words.index(option)
    negated = words[place - 1] == "!"
    return matches(words[place + 1]) != negated


def _named_interfaces(words: list[str], i: Interception) -> Iterator[str]:
    """Yield another interface than ours, and the one that a rule names if that is not ours."""
    yield ""
    if "-i" in words and words[words.index("-i") + 1] not in ("lo", i.interface):
        yield words[words.index("-i") + 1]


def _overlaps(network: str) -> Callable[[str], bool]:
    return lambda text: IPv4Network(text, strict=False).overlaps(IPv4Network(network))
