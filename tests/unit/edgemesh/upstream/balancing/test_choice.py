import random
from dataclasses import dataclass
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.upstream.balancing.choice import same_strategy, strategy_of
from edgecore.modules.edgemesh.upstream.balancing.consistenthash import ConsistentHash
from edgecore.modules.edgemesh.upstream.balancing.cookies import CookieStickiness, cookie_value
from edgecore.modules.edgemesh.upstream.balancing.latency import observe
from edgecore.modules.edgemesh.upstream.balancing.leastrequest import LeastRequest
from edgecore.modules.edgemesh.upstream.balancing.randomchoice import RandomChoice
from edgecore.modules.edgemesh.upstream.balancing.room import Room
from edgecore.modules.edgemesh.upstream.balancing.roundrobin import RoundRobin
from edgecore.modules.edgemesh.upstream.balancing.stickiness import Stickiness
from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.policy import HashBy, Policy, Strategy
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams
from tests.support.upstreams import FixedAsking, asking, fresh_upstreams, host, port_spec

POLICIES = [
    Policy(strategy=strategy, hash_by=by, hash_name=name)
    for strategy in get_args(Strategy)
    for by, name in (("source", ""), ("header", "x-user"), ("cookie", ""), ("cookie", "id"))
    if strategy in ("ConsistentHash", "SessionStickiness") or by == "source"
]


@pytest.mark.parametrize(
    ("policy", "made"),
    [
        (Policy(), RoundRobin),
        (Policy(strategy="Random"), RandomChoice),
        (Policy(strategy="LeastRequest"), LeastRequest),
        (Policy(strategy="ConsistentHash"), ConsistentHash),
        (Policy(strategy="SessionStickiness"), Stickiness),
        (Policy(strategy="SessionStickiness", hash_by="header", hash_name="x-user"), Stickiness),
        (Policy(strategy="SessionStickiness", hash_by="cookie"), CookieStickiness),
    ],
)
def test_each_name_has_its_strategy(policy: Policy, made: type) -> None:
    assert type(strategy_of(policy, random.Random(1), VirtualClock(), Room())) is made


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Policy(), Policy(retries=0, hash_by="cookie", affinity_timeout_s=1), True),
        (Policy(), Policy(strategy="Random"), False),
        (Policy(strategy="ConsistentHash"), Policy(strategy="ConsistentHash", affinity_timeout_s=1), True),
        (Policy(strategy="ConsistentHash"), Policy(strategy="ConsistentHash", hash_balance=0), False),
        (Policy(strategy="SessionStickiness"), Policy(strategy="SessionStickiness", hash_balance=0), True),
        (Policy(strategy="SessionStickiness"), Policy(strategy="SessionStickiness", affinity_timeout_s=1), False),
        (Policy(strategy="SessionStickiness"), Policy(strategy="SessionStickiness", hash_by="cookie"), False),
        (
            Policy(strategy="SessionStickiness", hash_by="header", hash_name="a"),
            Policy(strategy="SessionStickiness", hash_by="header", hash_name="b"),
            False,
        ),
    ],
)
def test_a_strategy_goes_on_unless_something_changes_that_it_goes_by(one: Policy, other: Policy, same: bool) -> None:
    assert same_strategy(one, other) is same
    assert same_strategy(one, one)


def test_only_stickiness_by_cookie_gives_cookies() -> None:
    one = host("10.0.0.1", 80)
    for policy in POLICIES:
        strategy = strategy_of(policy, random.Random(1), VirtualClock(), Room())
        strategy.replace((one,))
        gives = policy.strategy == "SessionStickiness" and policy.hash_by == "cookie"
        assert bool(strategy.set_cookie(asking(headers={b"host": b"a"}), one)) is gives


KEY = ServiceKey("default", "web")
ENDPOINTS = [Endpoint(f"10.0.0.{number}", 80) for number in range(1, 7)]
CLIENTS = [asking(f"10.1.1.{number}") for number in range(100)]


def put(upstreams: Upstreams, endpoints: list[Endpoint], policy: Policy) -> Upstream:
    return upstreams.put(port_spec(KEY, 80, endpoints, policy=policy))


def test_sessions_hold_when_hosts_come_and_when_other_things_change() -> None:
    upstreams = fresh_upstreams()
    sticky = Policy(strategy="SessionStickiness")
    upstream = put(upstreams, ENDPOINTS[:3], sticky)
    before = [upstream.choose(client) for client in CLIENTS]
    put(upstreams, ENDPOINTS, sticky)
    put(upstreams, ENDPOINTS, msgspec.structs.replace(sticky, retries=0, connect_timeout_s=1.0))

    assert [upstream.choose(client) for client in CLIENTS] == before


@pytest.mark.parametrize("policy", POLICIES)
def test_another_strategy_takes_over_at_once_and_leaves_hosts_and_connections_alone(policy: Policy) -> None:
    class Connection:
        def drain(self) -> None:
            pytest.fail("told to end")

        abort = drain

    upstreams = fresh_upstreams()
    upstream = put(upstreams, ENDPOINTS, Policy(strategy="RoundRobin"))
    before = list(upstream.hosts.values())
    for each in before:
        each.users.add(Connection())
        each.active, each.ewma_s = 1, 0.1
    put(upstreams, ENDPOINTS, policy)

    assert list(upstream.hosts.values()) == before
    assert [(each.active, each.ewma_s) for each in before] == [(1, 0.1)] * 6
    assert upstream.choose(CLIENTS[0]) in before


def test_a_failure_that_an_upstream_is_told_of_makes_a_host_look_slow() -> None:
    upstream = put(fresh_upstreams(), ENDPOINTS[:2], Policy(strategy="LeastRequest", eject_after=0))
    one, other = upstream.hosts.values()
    one.ewma_s = other.ewma_s = 0.1
    upstream.failed(one, "connect_failed")

    assert [upstream.choose(CLIENTS[0]) for _ in range(50)] == [other] * 50


@dataclass(frozen=True)
class Step:
    """What happens to a strategy: another list of hosts if there is one, then a request."""

    hosts: tuple[Host, ...] | None
    tried: tuple[Host, ...]
    client: FixedAsking
    works: bool
    """The request comes to an end, in so many milliseconds; else it stays under way."""
    ms: int


POOL = tuple(host(f"10.0.0.{number}", 80) for number in range(1, 9))
hosts = st.lists(st.sampled_from(POOL), unique=True).map(tuple)
clients = st.builds(
    asking,
    st.sampled_from(("10.1.1.1", "10.1.1.2", "fd00::1", "")),
    st.one_of(
        st.just({}), st.fixed_dictionaries({b"host": st.just(b"web"), b"x-user": st.sampled_from((b"", b"a", b"b"))})
    ),
    st.dictionaries(
        st.sampled_from((b"id", b"edgemesh-affinity")),
        st.one_of(st.binary(max_size=3), st.sampled_from(POOL).map(cookie_value)),
    ),
)
steps = st.lists(
    st.builds(Step, st.one_of(st.none(), hosts), hosts, clients, st.booleans(), st.integers(0, 1000)), max_size=40
)


@given(st.sampled_from(POLICIES), steps, st.integers(0, 2**32))
def test_every_strategy_chooses_of_the_hosts_it_was_given_last_and_none_that_was_tried_if_there_is_another(
    policy: Policy, steps: list[Step], seed: int
) -> None:
    strategy = strategy_of(policy, random.Random(seed), VirtualClock(), Room())
    given_last: tuple[Host, ...] = ()
    for each in POOL:
        each.active, each.failures, each.ewma_s = 0, 0, 0.0
    for step in steps:
        if step.hosts is not None:
            given_last = step.hosts
            strategy.replace(given_last)
        chosen = strategy.choose(step.client, step.tried)
        if not given_last:
            assert chosen is None
            continue
        assert chosen in given_last
        assert chosen is not None
        assert chosen not in step.tried or set(given_last) <= set(step.tried)
        line = strategy.set_cookie(step.client, chosen)
        assert b"\r" not in line
        assert b"\n" not in line
        if step.works:
            observe(chosen, step.ms / 1000)
        else:
            chosen.active += 1


@pytest.mark.parametrize("by", get_args(HashBy))
@pytest.mark.parametrize("strategy", ["ConsistentHash", "SessionStickiness"])
def test_two_processes_that_never_talk_send_a_client_with_a_key_to_the_same_host(
    strategy: Strategy, by: HashBy
) -> None:
    made = [strategy_of(Policy(strategy, by, "id"), random.Random(seed), VirtualClock(), Room()) for seed in (1, 2)]
    for each in made:
        each.replace(POOL)
    for each in POOL:
        each.active = 0
    for number in range(50):
        key = cookie_value(POOL[number % 8]) if by == "cookie" else b"%d" % number
        client = asking(f"10.1.1.{number}", {b"host": b"web", b"id": key}, {b"id": key})
        assert made[0].choose(client) is made[1].choose(client)
