"""A port whose backends and policy change: what stays, what goes, and what is said where there is none."""

import tracemalloc
from dataclasses import dataclass, field

import pytest

from edgecore.modules.edgemesh.names import Endpoint, Refusal, ServiceKey
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend, PortKey, PortSpec
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams
from tests.support.healthrig import WEB, HealthRig, endpoint
from tests.support.upstreams import asking, fresh_upstreams

ANYBODY = asking()


@dataclass(eq=False)
class Connection:
    """Uses a host until it is told to end."""

    told: list[str] = field(default_factory=list)

    def drain(self) -> None:
        self.told.append("drain")

    def abort(self) -> None:
        self.told.append("abort")


def spec(*backends: Backend, policy: Policy | None = None) -> PortSpec:
    return PortSpec(WEB, 80, "tcp", "http", backends, policy or Policy())


async def test_hosts_are_in_the_order_of_the_backends_each_endpoint_once(rig: HealthRig) -> None:
    rig.put((2, 3, 2, 1, 3))
    assert rig.available() == [2, 3, 1]

    rig.put((1, 2, 3))

    assert rig.available() == [1, 2, 3]


async def test_of_two_backends_with_one_endpoint_the_first_counts() -> None:
    upstream = fresh_upstreams().put(spec(Backend("a", endpoint(1)), Backend("b", endpoint(1))))

    assert [host.backend.pod for host in upstream.hosts.values()] == ["a"]


async def test_backends_that_are_out_are_no_hosts() -> None:
    upstream = fresh_upstreams().put(spec(Backend("a", None, "not_running"), Backend("b", endpoint(2))))

    assert list(upstream.hosts) == [endpoint(2)]


async def test_a_host_that_stays_keeps_what_is_known_of_it_and_its_connections(rig: HealthRig) -> None:
    rig.put((1, 2))
    kept, connection = rig.host(1), Connection()
    kept.users.add(connection)
    rig.fail(1, 3)

    rig.put((3, 1), Policy(retries=9), version="")

    assert rig.host(1) is kept
    assert (kept.requests, kept.failures, kept.gone, connection.told) == (3, 3, False, [])


async def test_a_host_that_stays_is_known_by_its_newest_backend(rig: HealthRig) -> None:
    rig.put((1,), version="1")

    rig.put((1,), version="2")

    assert rig.host(1).backend.version == "2"


async def test_a_host_that_goes_is_drained_and_one_that_comes_again_is_a_new_one(rig: HealthRig) -> None:
    rig.put((1, 2), Policy(drain_s=5))
    old, connection = rig.host(1), Connection()
    old.users.add(connection)

    rig.put((2,), Policy(drain_s=5))
    assert (old.gone, connection.told, rig.upstream().why(old)) == (True, ["drain"], "gone")
    assert rig.upstreams.draining == 1
    rig.put((1, 2), Policy(drain_s=5))
    assert rig.host(1) is not old
    await rig.clock.advance(5)

    assert connection.told == ["drain", "abort"]


async def test_a_host_is_drained_for_as_long_as_the_policy_said_last(rig: HealthRig) -> None:
    rig.put((1, 2), Policy(drain_s=300))
    connection = Connection()
    rig.host(1).users.add(connection)

    rig.put((2,), Policy(drain_s=2))
    await rig.clock.advance(2)

    assert connection.told == ["drain", "abort"]


@pytest.mark.parametrize("reason", ["not_ready", "not_ready_endpoint"])
async def test_connections_to_a_pod_that_is_only_not_ready_last_until_the_pod_goes(rig: HealthRig, reason: str) -> None:
    well, unready = Backend("a", endpoint(1)), Backend("a", None, reason)
    other, policy = Backend("b", endpoint(2)), Policy(drain_s=5)
    rig.upstreams.put(spec(well, other, policy=policy))
    host, connection = rig.host(1), Connection()
    host.users.add(connection)

    rig.upstreams.put(spec(unready, other, policy=policy))
    await rig.clock.advance(600)
    assert (rig.available(), connection.told, rig.upstreams.draining) == ([2], ["drain"], 1)
    rig.upstreams.put(spec(well, other, policy=policy))
    await rig.clock.advance(600)
    assert (rig.available(), connection.told, rig.host(1) is host) == ([1, 2], ["drain"], False)

    rig.upstreams.put(spec(other, policy=policy))
    await rig.clock.advance(4)
    assert connection.told == ["drain"]
    await rig.clock.advance(2)
    assert connection.told == ["drain", "abort"]


async def test_connections_to_pods_that_are_not_ready_end_with_the_service(rig: HealthRig) -> None:
    upstream = rig.upstreams.put(spec(Backend("a", endpoint(1)), policy=Policy(drain_s=5)))
    connection = Connection()
    rig.host(1).users.add(connection)
    rig.upstreams.put(spec(Backend("a", None, "not_ready"), policy=Policy(drain_s=5)))

    rig.upstreams.remove(upstream.spec.key)
    await rig.clock.advance(6)

    assert connection.told == ["drain", "abort"]


async def test_when_a_host_is_told_to_drain_it_is_chosen_no_more(rig: HealthRig) -> None:
    upstream = rig.put((1, 2))
    chosen: list[object] = []

    class Asks(Connection):
        def drain(self) -> None:
            chosen.extend(upstream.choose(ANYBODY) for _ in range(4))

    rig.host(1).users.add(Asks())

    rig.put((2,))

    assert chosen == [rig.host(2)] * 4


async def test_another_strategy_is_asked_at_once_and_connections_stay(rig: HealthRig) -> None:
    upstream, connection = rig.put((1, 2)), Connection()
    rig.host(1).users.add(connection)
    assert {upstream.choose(ANYBODY) for _ in range(4)} == {rig.host(1), rig.host(2)}

    rig.put((1, 2), Policy(strategy="ConsistentHash"))
    assert len({upstream.choose(ANYBODY) for _ in range(20)}) == 1
    rig.put((1, 2), Policy(strategy="ConsistentHash", retries=7))
    rig.put((1, 2), Policy(strategy="RoundRobin"))

    assert {upstream.choose(ANYBODY) for _ in range(4)} == {rig.host(1), rig.host(2)}
    assert connection.told == []


async def test_a_strategy_that_stays_keeps_its_turn_when_the_policy_changes_otherwise(rig: HealthRig) -> None:
    upstream = rig.put((1, 2, 3))
    assert upstream.choose(ANYBODY) is rig.host(1)

    rig.put((1, 2, 3), Policy(retries=7))

    assert upstream.choose(ANYBODY) is rig.host(2)


async def test_failures_of_a_host_that_is_gone_are_counted_and_nothing_more(rig: HealthRig) -> None:
    upstream = rig.put((1, 2, 3))
    old = rig.host(1)
    old.active = 1
    rig.put((2, 3))

    for _ in range(10):
        upstream.failed(old, "backend_closed")
    old.active = 0
    await rig.clock.advance(1)

    assert upstream.past.errors == {"backend_closed": 10}
    assert (old.ejections, rig.available()) == (0, [2, 3])


async def test_what_all_hosts_have_counted_never_gets_less(rig: HealthRig) -> None:
    upstream = rig.put((1, 2))
    totals = []
    for step in range(30):
        host = upstream.choose(ANYBODY)
        assert host is not None
        host.requests += 1
        host.active += 1
        rig.put((1, 2) if step % 3 else (2, 3))
        host.active -= 1
        await rig.clock.advance(0.7)
        totals.append(upstream.past.requests + sum(each.requests for each in upstream.hosts.values()))

    assert totals == list(range(1, 31))


async def test_the_last_error_and_its_time_are_known(rig: HealthRig) -> None:
    rig.put((1, 2))
    await rig.clock.advance(17)

    host = rig.fail(1, reason="response_timeout")

    assert (host.last_error, host.last_error_at, host.errors) == ("response_timeout", 17.0, {"response_timeout": 1})


async def test_retries_are_a_share_of_the_requests_over_all_hosts_and_their_past(rig: HealthRig) -> None:
    upstream = rig.put((1, 2))
    rig.host(1).requests = 60
    rig.host(2).requests = 40
    rig.put((2, 3))

    assert sum(upstream.may_retry() for _ in range(100)) == 20
    assert upstream.retries == 20
    rig.host(2).requests += 20 + 50  # the repetitions themselves allow no further ones
    await rig.clock.advance(0)
    assert sum(upstream.may_retry() for _ in range(100)) == 10


@pytest.mark.parametrize(
    ("backends", "reason"),
    [
        ((), "no_pods"),
        ((Backend("a", None, "not_running"), Backend("b", None, "terminating")), "no_running_pods"),
        ((Backend("a", None, "not_running"), Backend("b", None, "no_host_port")), "no_reachable_pods"),
    ],
)
async def test_without_a_host_the_reason_is_said(backends: tuple[Backend, ...], reason: str) -> None:
    refusal = fresh_upstreams().put(spec(*backends)).pick(ANYBODY)

    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.reason) == (503, reason)


async def test_a_port_that_is_no_more_refuses_and_drains_its_hosts(rig: HealthRig) -> None:
    upstream, connection = rig.put((1, 2)), Connection()
    rig.host(1).users.add(connection)
    rig.fail(2, 5)

    rig.upstreams.remove((WEB, 80, "tcp"))

    assert upstream.choose(ANYBODY) is None
    assert upstream.refusal().reason == "port_not_in_service"
    assert (connection.told, upstream.past.requests, upstream.hosts) == (["drain"], 5, {})


async def test_followers_hear_of_every_port_and_of_every_change_once(rig: HealthRig) -> None:
    heard: list[tuple[PortKey, PortSpec | None]] = []

    def follower(key: PortKey, told: PortSpec | None) -> None:
        heard.append((key, told))

    first = rig.put((1,)).spec
    rig.upstreams.follow(follower)
    rig.put((1,))
    second = rig.put((1, 2)).spec
    rig.upstreams.remove(second.key)
    rig.upstreams.remove(second.key)
    rig.upstreams.unfollow(follower)
    rig.put((1,))

    assert heard == [(first.key, first), (second.key, second), (second.key, None)]


async def test_closing_ends_connections_of_hosts_that_are_gone_and_of_those_that_are_not(rig: HealthRig) -> None:
    rig.put((1, 2, 3), Policy(checks="tcp"))
    leaving, there = Connection(), Connection()
    rig.host(1).users.add(leaving)
    rig.host(2).users.add(there)
    rig.put((2, 3), Policy(checks="tcp"))
    rig.fail(2, 5)
    await rig.clock.advance(0.5)

    rig.upstreams.close()

    assert (leaving.told, there.told) == (["drain", "abort"], ["drain", "abort"])
    assert (len(rig.upstreams), rig.upstreams.draining, rig.timers) == (0, 0, 0)


async def test_ten_thousand_services_with_two_ports_take_little() -> None:
    """Not a matter of speed: bytes are the same everywhere, but for the interpreter."""
    upstreams = fresh_upstreams()
    specs = [_small(number, port) for number in range(500) for port in (80, 81)]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for each in specs:
            upstreams.put(each)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (after - before) / len(specs) < 1500


async def test_a_port_that_is_put_again_as_it_was_is_left_alone() -> None:
    upstreams: Upstreams = fresh_upstreams()
    upstream = upstreams.put(_small(1, 80))
    hosts = upstream.hosts

    assert upstreams.put(_small(1, 80)) is upstream
    assert upstream.hosts is hosts


def _small(number: int, port: int) -> PortSpec:
    backend = Backend(f"web-{number}", Endpoint(f"10.0.{number >> 8}.{number & 255}", port))
    return PortSpec(ServiceKey("default", f"web-{number}"), port, "tcp", "http", (backend,))


async def test_a_change_of_health_is_told_to_those_who_follow_it_and_a_change_of_the_port_is_not(
    rig: HealthRig,
) -> None:
    told: list[list[str]] = []

    def follow(upstream: Upstream) -> None:
        told.append([host.endpoint.host for host in upstream.available])

    rig.upstreams.follow_health(follow)
    rig.put((1, 2, 3))
    rig.fail(2, 5)
    assert told == [["10.0.0.1", "10.0.0.3"]]
    rig.put((1, 2))
    await rig.clock.advance(60)
    assert told[1:] == [["10.0.0.1", "10.0.0.2"]]

    rig.upstreams.unfollow_health(follow)
    rig.fail(1, 5)
    assert len(told) == 2
