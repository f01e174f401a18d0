"""What the rules are told of the ports that the kernel balances, as pods, health and addresses change."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from edgecore.modules.edgemesh.intercept.kernel.kernelplane import KernelPlane
from edgecore.modules.edgemesh.intercept.rules.interception import Balanced, Spot
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend, Handling, PortKey, PortSpec
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams
from tests.support.healthrig import WEB, endpoint, health_rig
from tests.support.upstreams import fresh_upstreams

SPOT = Spot("9.251.0.1", 80, "tcp")
KEY: PortKey = (WEB, 80, "tcp")


@dataclass
class Rules:
    """Remember what they were told."""

    has: dict[Spot, Balanced] = field(default_factory=dict)
    told: list[Balanced | None] = field(default_factory=list)

    def balance(self, spot: Spot, balanced: Balanced | None) -> None:
        self.told.append(balanced)
        if balanced is None:
            del self.has[spot]
        else:
            self.has[spot] = balanced

    def hosts(self, spot: Spot = SPOT) -> list[str]:
        return [target.endpoint.host for target in self.has[spot].targets]

    def ids(self, spot: Spot = SPOT) -> dict[Endpoint, int]:
        return {target.endpoint: target.id for target in self.has[spot].targets}


@dataclass
class Rig:
    upstreams: Upstreams
    rules: Rules
    plane: KernelPlane

    def put(self, *numbers: int, handling: Handling = "bytes", **policy: Any) -> Upstream:
        backends = tuple(Backend(f"web-{n}", endpoint(n)) for n in numbers)
        return self.upstreams.put(PortSpec(WEB, 80, "tcp", handling, backends, Policy(**policy)))


@pytest.fixture
def rig() -> Iterator[Rig]:
    upstreams, rules = fresh_upstreams(), Rules()
    plane = KernelPlane(upstreams, rules)
    yield Rig(upstreams, rules, plane)
    plane.close()


def test_a_spot_gets_the_backends_of_its_port_in_their_order(rig: Rig) -> None:
    rig.put(2, 1)
    rig.plane.place(SPOT, KEY)

    assert rig.rules.hosts() == ["10.0.0.2", "10.0.0.1"]
    assert rig.plane.decision(SPOT) == ("kernel", "")
    assert len(rig.plane) == 1


def test_a_spot_whose_port_comes_later_is_the_proxys_until_then(rig: Rig) -> None:
    rig.plane.place(SPOT, KEY)
    before = rig.plane.decision(SPOT).plane
    rig.put(1)

    assert (before, rig.rules.hosts()) == ("proxy", ["10.0.0.1"])


@pytest.mark.parametrize("states", [[(1, 2, 3), (1, 2)], [(1, 2, 3), (2, 3), (3, 1)], [(1, 2, 3, 4), (1, 2, 3, 4, 5)]])
def test_with_each_change_another_target_is_the_first_so_that_each_is_it_as_often(
    rig: Rig, states: list[tuple[int, ...]]
) -> None:
    rig.plane.place(SPOT, KEY)
    firsts: Counter[str] = Counter()
    for turn in range(60):
        rig.put(*states[turn % len(states)])
        firsts[rig.rules.hosts()[0]] += 1
        assert sorted(rig.rules.hosts()) == sorted(f"10.0.0.{number}" for number in states[turn % len(states)])

    steady = set.intersection(*map(set, states))
    assert min(firsts[f"10.0.0.{number}"] for number in steady) >= 60 // 5


def test_a_spot_that_the_proxy_serves_is_told_to_who_looks_for_flows_of_a_node_before() -> None:
    upstreams, heard = fresh_upstreams(), []
    plane = KernelPlane(upstreams, Rules(), changed=lambda spot, balanced: heard.append((spot, balanced)))
    plane.place(SPOT, KEY)
    plane.place(SPOT, KEY)
    assert heard == [(SPOT, None)]
    plane.close()


def test_what_has_not_changed_is_not_told_again(rig: Rig) -> None:
    rig.put(1, 2, 3)
    rig.plane.place(SPOT, KEY)
    rig.put(1, 2, 3)
    assert len(rig.rules.told) == 1


def test_a_backend_keeps_its_id_while_it_is_one(rig: Rig) -> None:
    rig.put(1, 2)
    rig.plane.place(SPOT, KEY)
    first = rig.rules.ids()
    rig.put(3, 2)
    second = rig.rules.ids()
    rig.put(3, 2, 1)
    third = rig.rules.ids()

    assert first[endpoint(2)] == second[endpoint(2)] == third[endpoint(2)]
    assert third[endpoint(1)] != first[endpoint(1)]
    assert len({*first.values(), *second.values(), *third.values()}) == 4


def test_two_spots_of_one_port_have_ids_of_their_own(rig: Rig) -> None:
    other = Spot("9.251.0.2", 80, "tcp")
    rig.put(1)
    rig.plane.place(SPOT, KEY)
    rig.plane.place(other, KEY)

    assert rig.rules.ids(SPOT) != rig.rules.ids(other)
    assert [backing.spot for backing in rig.plane.backings.values()] == [SPOT, other]


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({}, ("round_robin", 0)),
        ({"strategy": "Random"}, ("random", 0)),
        ({"strategy": "SessionStickiness", "affinity_timeout_s": 60.0}, ("round_robin", 60)),
    ],
)
def test_the_strategy_is_told(rig: Rig, policy: dict[str, Any], told: tuple[str, float]) -> None:
    rig.put(1, **policy)
    rig.plane.place(SPOT, KEY)

    balanced = rig.rules.has[SPOT]
    assert (balanced.strategy, balanced.sticky_s) == told


def test_a_port_that_becomes_http_goes_to_the_proxy_and_comes_back(rig: Rig) -> None:
    rig.put(1)
    rig.plane.place(SPOT, KEY)
    rig.put(1, handling="http")
    assert (rig.rules.has, rig.plane.decision(SPOT)) == ({}, ("proxy", "http"))
    assert rig.plane.backings == {}

    rig.put(1, handling="http", plane="kernel")
    assert rig.rules.hosts() == ["10.0.0.1"]


def test_the_last_backend_that_goes_leaves_the_port_to_the_proxy(rig: Rig) -> None:
    rig.put(1)
    rig.plane.place(SPOT, KEY)
    rig.put()

    assert (rig.rules.has, rig.plane.decision(SPOT)) == ({}, ("proxy", "no_backend"))


def test_a_port_that_is_gone_and_a_spot_that_is_gone_leave_the_rules(rig: Rig) -> None:
    rig.put(1)
    rig.plane.place(SPOT, KEY)
    rig.upstreams.remove(KEY)
    gone = dict(rig.rules.has)
    rig.put(1)
    rig.plane.unplace(SPOT)
    rig.plane.unplace(SPOT)
    rig.put(1, 2)

    assert (gone, rig.rules.has, rig.plane.backings) == ({}, {}, {})


def test_a_spot_that_gets_another_service_gets_its_backends(rig: Rig) -> None:
    rig.put(1)
    rig.plane.place(SPOT, KEY)
    other: PortKey = (WEB, 81, "tcp")
    rig.upstreams.put(PortSpec(WEB, 81, "tcp", "bytes", (Backend("b", endpoint(9)),)))
    rig.plane.place(SPOT, other)
    rig.put(1, 2)

    assert rig.rules.hosts() == ["10.0.0.9"]


def test_the_rules_are_told_of_changes_alone(rig: Rig) -> None:
    rig.put(1)
    rig.plane.place(SPOT, KEY)
    rig.put(1, retries=9)
    rig.plane.place(SPOT, KEY)

    assert len(rig.rules.told) == 1


def test_a_node_that_cannot_leaves_every_spot_to_the_proxy() -> None:
    upstreams, rules = fresh_upstreams(), Rules()
    plane = KernelPlane(upstreams, rules, "iptables")
    plane.place(SPOT, KEY)
    upstreams.put(PortSpec(WEB, 80, "tcp", "bytes", (Backend("a", endpoint(1)),)))

    assert (rules.told, plane.decision(SPOT)) == ([], ("proxy", "iptables"))


def test_after_close_nothing_is_followed(rig: Rig) -> None:
    rig.plane.place(SPOT, KEY)
    rig.plane.close()
    rig.plane.close()
    rig.put(1).refresh()

    assert rig.rules.told == []


def test_whoever_asks_hears_what_the_rules_are_told() -> None:
    upstreams, heard = fresh_upstreams(), list[tuple[Spot, Balanced | None]]()
    plane = KernelPlane(upstreams, Rules(), changed=lambda spot, balanced: heard.append((spot, balanced)))
    upstreams.put(PortSpec(WEB, 80, "tcp", "bytes", (Backend("a", endpoint(1)),)))
    plane.place(SPOT, KEY)
    plane.unplace(SPOT)

    assert [(spot, balanced is None) for spot, balanced in heard] == [(SPOT, False), (SPOT, True)]


async def test_a_backend_whose_check_fails_leaves_the_rules_and_comes_back_with_a_new_id() -> None:
    rig, rules = health_rig(), Rules()
    plane = KernelPlane(rig.upstreams, rules)
    rig.upstreams.put(_checked(1, 2, 3))
    plane.place(SPOT, KEY)
    first = rules.ids()

    rig.answers.errors[endpoint(2)] = "connect_failed"
    await rig.clock.advance(60)
    without = rules.hosts()
    rig.answers.errors.clear()
    await rig.clock.advance(60)

    assert sorted(without) == ["10.0.0.1", "10.0.0.3"]
    assert sorted(rules.hosts()) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    assert {point: id_ == rules.ids()[point] for point, id_ in first.items()} == {
        endpoint(1): True,
        endpoint(2): False,
        endpoint(3): True,
    }
    await rig.close()


async def test_where_too_few_are_well_all_are_used_as_in_the_proxy() -> None:
    rig, rules = health_rig(), Rules()
    plane = KernelPlane(rig.upstreams, rules)
    rig.upstreams.put(_checked(1, 2, 3))
    plane.place(SPOT, KEY)
    rig.answers.errors.update({endpoint(n): "connect_failed" for n in (1, 2, 3)})
    await rig.clock.advance(60)

    assert rules.hosts() == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    await rig.close()


async def test_where_none_is_well_and_none_is_to_be_used_the_proxy_says_so() -> None:
    rig, rules = health_rig(), Rules()
    plane = KernelPlane(rig.upstreams, rules)
    rig.upstreams.put(_checked(1, panic_share=0.0))
    plane.place(SPOT, KEY)
    rig.answers.errors[endpoint(1)] = "connect_failed"
    await rig.clock.advance(60)

    assert (rules.has, plane.decision(SPOT)) == ({}, ("proxy", "all_ejected"))
    await rig.close()


def _checked(*numbers: int, **policy: Any) -> PortSpec:
    backends = tuple(Backend(f"web-{n}", endpoint(n)) for n in numbers)
    return PortSpec(WEB, 80, "tcp", "bytes", backends, Policy(checks="tcp", **policy))
