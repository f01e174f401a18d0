"""What differs is found, and named by a fixed word."""

from typing import Any

import msgspec
import pytest

from edgecore.modules.edgemesh.intercept.rules import findings, iptables
from edgecore.modules.edgemesh.intercept.rules.interception import Spots
from edgecore.modules.edgemesh.intercept.rules.nftables import MAPS, fixed_chains
from edgecore.modules.edgemesh.names import Endpoint
from interceptions import INTERCEPTION, NAMES, OURS, SPOTS, balanced

WEB, DNS, _ = SPOTS
SPOTS_WANTED = Spots({WEB: Endpoint(OURS, 4000), DNS: Endpoint(OURS, 4001)}, {WEB: balanced(WEB, 1, sticky_s=60)}, None)


def concat(*parts: object) -> dict[str, Any]:
    return {"concat": list(parts)}


def table() -> dict[str, list[Any]]:
    """Return the table as nft lists it: chains with their number of rules, counters, maps."""
    return {
        "chains": [
            *([name, len(rules)] for name, rules in fixed_chains(INTERCEPTION).items()),
            ["spot-9.251.0.1-80-tcp", 2],
            ["to-1", 3],
        ],
        "counters": ["hits-1", "sum-9.251.0.1-80-tcp"],
        "led": [
            [concat("9.251.0.1", "tcp", 80), concat(OURS, 4000)],
            [concat("9.251.0.1", "udp", 80), concat(OURS, 4001)],
        ],
        "names": [],
        "balanced": [[concat("9.251.0.1", "tcp", 80), {"goto": {"target": "spot-9.251.0.1-80-tcp"}}]],
    }


def listed(table: dict[str, list[Any]]) -> str:
    entries: list[dict[str, Any]] = [{"metainfo": {}}, {"table": {"name": "edgecore_7"}}]
    entries += [{"counter": {"name": name, "packets": 1}} for name in table["counters"]]
    for name in MAPS:
        if name in table:
            entries.append({"map": {"name": name, **({"elem": table[name]} if table[name] else {})}})
    entries.append({"set": {"name": "kept-1"}})
    for name, rules in table["chains"]:
        entries.append({"chain": {"name": name}})
        entries += [{"rule": {"chain": name, "expr": []}}] * rules
    return msgspec.json.encode({"nftables": entries}).decode()


def found(table: dict[str, list[Any]], spots: Spots = SPOTS_WANTED) -> list[tuple[str, str]]:
    return [(finding.word, finding.what) for finding in findings.in_table(INTERCEPTION, spots, listed(table))]


def test_a_table_as_it_should_be_has_nothing_to_tell() -> None:
    assert found(table()) == []


def test_no_table_is_one_finding() -> None:
    assert findings.in_table(INTERCEPTION, SPOTS_WANTED, "") == (
        ("missing", "table", "the table edgecore_7 is not there", INTERCEPTION.subnet),
    )


def test_each_thing_that_is_gone_or_came_by_others_is_told() -> None:
    there = table()
    there["chains"] = [["their-chain", 0], *there["chains"][:-1]]
    there["counters"].remove("hits-1")
    there["led"][0][1] = concat(OURS, 9)
    there["led"].append([concat("9.251.0.9", "tcp", 80), concat(OURS, 4000)])
    assert found(there) == [
        ("missing", "chain"),
        ("foreign", "chain"),
        ("missing", "counter"),
        ("missing", "spot"),
        ("foreign", "spot"),
    ]


@pytest.mark.parametrize(("rules", "word"), [(0, "missing"), (4, "foreign")])
def test_a_chain_with_fewer_or_more_rules_is_told(rules: int, word: str) -> None:
    there = table()
    there["chains"][-2][1] = rules
    assert found(there) == [(word, "rule")]


def test_a_map_that_is_gone_is_told_with_what_it_held() -> None:
    there = table()
    del there["names"]
    wanted = msgspec.structs.replace(SPOTS_WANTED, names=NAMES)
    assert found(there, wanted) == [("missing", "map"), *[("missing", "spot")] * 4]


LINK = {"ifname": "docker0", "flags": ["BROADCAST", "UP"], "addr_info": [{"local": "172.17.0.1"}, {"local": OURS}]}


@pytest.mark.parametrize(
    ("links", "told"),
    [
        ([LINK], []),
        ([], [("missing", "interface")]),
        ([{}], [("missing", "interface")]),
        ([LINK | {"flags": ["BROADCAST"]}], [("missing", "interface")]),
        ([LINK | {"addr_info": [{"local": "172.17.0.1"}]}], [("missing", "address")]),
    ],
)
def test_an_interface_is_to_be_up_with_our_address(links: list[Any], told: list[tuple[str, str]]) -> None:
    text = msgspec.json.encode(links).decode()
    assert [(one.word, one.what) for one in findings.on_interface(INTERCEPTION, text)] == told


LIVE = {"type": "unicast", "dst": "9.251.0.0/16", "dev": "docker0", "protocol": "251", "prefsrc": OURS}
FALLBACK = {"type": "unreachable", "dst": "9.251.0.0/16", "protocol": "251", "metric": 65000}
THEIRS = {"type": "unicast", "dst": "9.251.3.0/24", "dev": "eth0"}


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ([LIVE, FALLBACK], []),
        ([FALLBACK], [("missing", "route")]),
        ([LIVE], [("missing", "fallback")]),
        ([], [("missing", "route"), ("missing", "fallback")]),
        ([LIVE | {"dev": "eth0"}, FALLBACK], [("missing", "route"), ("foreign", "route")]),
        ([LIVE, FALLBACK, THEIRS], [("reordered", "route")]),
        ([LIVE, LIVE | {"dev": "eth0", "metric": 100}, FALLBACK], [("foreign", "route")]),
        ([{"dst": "9.251.0.0/16", "dev": "eth0"}, LIVE, FALLBACK], [("reordered", "route")]),
    ],
)
def test_routes_that_are_gone_or_are_another_s_are_told(there: list[Any], told: list[tuple[str, str]]) -> None:
    text = msgspec.json.encode(there).decode()
    assert [(one.word, one.what) for one in findings.in_routes(INTERCEPTION, text)] == told


def saved(*, before: str = "", nat: tuple[str, ...] | None = None, jumps: bool = True) -> str:
    rules = iptables.rules(INTERCEPTION, SPOTS_WANTED) if nat is None else nat
    ours = iptables.jumps(INTERCEPTION)
    lines = {
        "nat": (*((before,) if before else ()), *(ours["nat"] if jumps else ()), *rules, "POSTROUTING -j MASQUERADE"),
        "filter": (*ours["filter"], *iptables.refusal(INTERCEPTION)),
    }
    return "".join(f"*{name}\n" + "".join(f"-A {line}\n" for line in lines[name]) + "COMMIT\n" for name in lines)


def told_of(text: str) -> list[tuple[str, str]]:
    return [(one.word, one.text) for one in findings.in_iptables(INTERCEPTION, SPOTS_WANTED, text)]


@pytest.mark.parametrize(
    "harmless",
    [
        "",
        "OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER",
        "OUTPUT -d 10.96.0.0/12 -j KUBE-SERVICES",
        "OUTPUT ! -d 9.0.0.0/8 -j THEIRS",
        "PREROUTING -i eth0 -j THEIRS",
        "PREROUTING ! -i docker0 -j THEIRS",
        "OUTPUT -j LOG --log-prefix x",
        "POSTROUTING -j MASQUERADE",
    ],
)
def test_rules_of_others_that_do_not_catch_the_subnet_may_come_first(harmless: str) -> None:
    assert told_of(saved(before=harmless)) == []


@pytest.mark.parametrize(
    ("theirs", "decides"),
    [
        ("INPUT -j THEIRS", True),
        ("INPUT -i eth0 -j ACCEPT", True),
        ("INPUT ! -i lo -j THEIRS", True),
        ("INPUT ! -i eth0 -j THEIRS", True),
        ("INPUT -d 169.254.0.0/16 -m addrtype --dst-type LOCAL -j ACCEPT", True),
        ("INPUT -i lo -j ACCEPT", False),
        ("INPUT -i docker0 -j ACCEPT", False),
        ("INPUT -d 10.0.0.1/32 -j ACCEPT", False),
        ("INPUT -d 9.251.0.0/16 -j ACCEPT", False),
        ("INPUT -j LOG", False),
    ],
)
def test_a_rule_of_others_that_may_let_other_machines_in_first_is_told(theirs: str, decides: bool) -> None:
    assert findings.may_catch(theirs, INTERCEPTION) is decides


@pytest.mark.parametrize(
    "harmful",
    [
        "OUTPUT -j THEIRS",
        "OUTPUT -d 9.0.0.0/8 -j RETURN",
        "OUTPUT ! -d 127.0.0.0/8 -j THEIRS",
        "PREROUTING -i docker0 -j THEIRS",
    ],
)
def test_a_rule_of_others_that_catches_the_subnet_first_is_told(harmful: str) -> None:
    assert told_of(saved(before=harmful)) == [
        ("reordered", f"a rule of others comes before our jump: nat {harmful}"),
    ]


def test_jumps_and_rules_that_are_gone_are_told_each() -> None:
    assert told_of(saved(jumps=False)) == [
        ("missing", "a jump to our chain is not there: nat PREROUTING -i docker0 -j EDGE-MESH"),
        ("missing", "a jump to our chain is not there: nat OUTPUT -j EDGE-MESH"),
    ]
    wanted = iptables.rules(INTERCEPTION, SPOTS_WANTED)
    assert told_of(saved(nat=wanted[1:])) == [("missing", f"a rule is not there: nat {wanted[0]}")]
    assert [word for word, _ in told_of("")] == ["missing"] * (5 + len(wanted) + 7)


def test_rules_and_jumps_of_others_in_our_place_are_told() -> None:
    wanted = iptables.rules(INTERCEPTION, SPOTS_WANTED)
    assert told_of(saved(nat=(*wanted, "EDGE-MESH -j ACCEPT"))) == [
        ("foreign", "a rule of our chain is not ours: nat EDGE-MESH -j ACCEPT")
    ]
    assert told_of(saved(before="PREROUTING -i eth1 -j EDGE-MESH")) == [
        ("foreign", "a jump to our chain is not ours: nat PREROUTING -i eth1 -j EDGE-MESH")
    ]
    assert told_of(saved(nat=wanted[::-1])) == [("reordered", "the rules of our chain in nat are in another order")]


@pytest.mark.parametrize(
    ("finding", "cut"),
    [
        (findings.in_table(INTERCEPTION, SPOTS_WANTED, ""), {INTERCEPTION.subnet}),
        (findings.on_interface(INTERCEPTION, ""), {INTERCEPTION.subnet}),
        (findings.in_routes(INTERCEPTION, "[]"), {INTERCEPTION.subnet, ""}),
        (
            findings.in_routes(INTERCEPTION, '[{"dst": "9.251.7.0/24", "dev": "eth0"}]'),
            {INTERCEPTION.subnet, "", "9.251.7.0/24"},
        ),
        (findings.in_table(INTERCEPTION, SPOTS_WANTED, listed(table() | {"led": []})), {"9.251.0.1/32"}),
        (findings.in_table(INTERCEPTION, SPOTS_WANTED, listed(table() | {"counters": []})), {""}),
    ],
)
def test_a_finding_says_which_fake_ips_are_cut_off(finding: tuple[findings.Finding, ...], cut: set[str]) -> None:
    assert {one.cut for one in finding} == cut


def test_of_iptables_missing_jumps_cut_all_off_and_a_missing_rule_its_address() -> None:
    told = findings.in_iptables(INTERCEPTION, SPOTS_WANTED, "*nat\nCOMMIT\n")
    assert {one.cut for one in told} == {INTERCEPTION.subnet, "9.251.0.1/32", ""}
