import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.figures.figures import (
    HostFigures,
    PortFigures,
    cumulative,
    has_traffic,
    merge,
    quantile_s,
    read,
)
from edgecore.modules.edgemesh.upstream.host import LATENCY_BOUNDS_S
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from tests.support.upstreams import fresh_upstreams, port_spec

WEB = ServiceKey("default", "web")
ONE, TWO = Endpoint("10.0.0.1", 8000), Endpoint("10.0.0.2", 8000)
BUCKETS = len(LATENCY_BOUNDS_S) + 1

counts = st.integers(0, 1000)
hosts = st.builds(
    HostFigures,
    pod=st.just("web-0"),
    requests=counts,
    active=counts,
    connections=counts,
    errors=st.dictionaries(st.sampled_from(["connect_failed", "gateway_502"]), counts),
    latency=st.lists(counts, min_size=BUCKETS, max_size=BUCKETS).map(tuple),
    latency_sum_s=st.integers(0, 1000).map(float),
    ejections=counts,
    ill_until=st.integers(0, 300).map(float),
    out=st.integers(0, 1),
    last_error=st.sampled_from(["", "connect_failed", "gateway_502"]),
    last_error_at=st.integers(0, 300).map(float),
)
ports = st.builds(
    PortFigures,
    key=st.just((WEB, 80, "tcp")),
    codes=st.dictionaries(st.sampled_from([200, 503]), counts),
    refused=st.dictionaries(st.sampled_from(["no_pods", "all_ejected"]), counts),
    retries=counts,
    panicking=st.integers(0, 1),
    hosts=st.dictionaries(st.sampled_from([str(ONE), str(TWO)]), hosts),
    past=hosts,
)


@pytest.fixture
def upstream() -> Upstream:
    return fresh_upstreams().put(port_spec(WEB, 80, [ONE, TWO]))


def test_what_a_port_has_counted_is_read(upstream: Upstream) -> None:
    host = upstream.hosts[ONE]
    host.requests, host.active, host.connections, host.ejections = 5, 2, 3, 1
    host.took(0.003)
    host.failed("connect_failed", 0.0)
    upstream.answered(200)
    upstream.refused["all_ejected"] = 4
    upstream.retries = 6

    told = read(upstream)

    assert (told.key, told.codes, told.refused, told.retries) == ((WEB, 80, "tcp"), {200: 1}, {"all_ejected": 4}, 6)
    one = told.hosts["10.0.0.1:8000"]
    assert (one.pod, one.requests, one.active, one.connections, one.ejections) == ("10.0.0.1:8000", 5, 2, 3, 1)
    assert (one.errors, one.latency[:4], one.latency_sum_s) == ({"connect_failed": 1}, (0, 0, 1, 0), 0.003)
    assert list(told.hosts) == ["10.0.0.1:8000", "10.0.0.2:8000"]


def test_a_backend_that_is_not_well_says_why_and_until_when(upstream: Upstream) -> None:
    upstream.hosts[ONE].ejected_until = 40.0
    upstream.hosts[TWO].checked = False
    upstream.hosts[TWO].check_error = "connection refused"

    one, two = read(upstream).hosts.values()

    assert (one.ill, one.ill_until, one.out) == ("ejected", 40.0, 1)
    assert (two.ill, two.ill_until, two.out, two.check_error) == ("check_failed", 0.0, 1, "connection refused")


def test_a_backend_that_is_back_is_on_trial_and_tells_what_went_wrong_last(upstream: Upstream) -> None:
    host = upstream.hosts[ONE]
    host.requests, host.ejections, host.ejections_lately = 5, 1, 1
    host.failed("connect_failed", 10.0)

    told = read(upstream).hosts[str(ONE)]

    assert (told.ill, told.out, told.last_error, told.last_error_at) == ("trial", 0, "connect_failed", 10.0)


def test_in_a_panic_a_backend_that_is_not_well_is_not_left_out(upstream: Upstream) -> None:
    for host in upstream.hosts.values():
        host.checked = False
    upstream.refresh()

    told = read(upstream)

    assert told.panicking == 1
    assert [(one.ill, one.out) for one in told.hosts.values()] == [("check_failed", 0)] * 2


def test_reading_gives_copies(upstream: Upstream) -> None:
    told = read(upstream)
    upstream.answered(200)
    upstream.hosts[ONE].took(1.0)

    assert (told.codes, sum(told.hosts[str(ONE)].latency)) == ({}, 0)


@given(ports, ports)
def test_merging_adds_whichever_comes_first(one: PortFigures, other: PortFigures) -> None:
    assert merge(one, other) == merge(other, one)
    both = merge(one, other)
    assert both.every_host.requests == one.every_host.requests + other.every_host.requests
    assert sum(both.codes.values()) == sum(one.codes.values()) + sum(other.codes.values())


@given(ports, ports, ports)
def test_merging_three_is_the_same_in_any_order(one: PortFigures, two: PortFigures, three: PortFigures) -> None:
    assert merge(merge(one, two), three) == merge(one, merge(two, three))


@given(ports)
def test_figures_travel_between_processes(one: PortFigures) -> None:
    assert msgspec.json.decode(msgspec.json.encode(one), type=PortFigures) == one
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=PortFigures) == one


@given(ports)
def test_of_a_process_that_has_ended_only_what_it_counted_is_left(one: PortFigures) -> None:
    left = one.ended()

    assert (left.codes, left.every_host.requests) == (one.codes, one.every_host.requests)
    assert all((host.active, host.connections, host.out, host.judges) == (0, 0, 0, 0) for host in left.hosts.values())
    assert left.panicking == 0


@pytest.mark.parametrize(
    ("times_s", "share", "expected"),
    [
        ([], 0.5, None),
        ([0.0005], 0.5, 0.0005),
        ([0.003] * 100, 0.5, 0.00375),
        ([0.003] * 99 + [3.0], 0.99, 0.005),
        ([100.0], 0.5, 60.0),
    ],
)
def test_a_quantile_is_within_its_bucket(
    upstream: Upstream, times_s: list[float], share: float, expected: float | None
) -> None:
    for seconds in times_s:
        upstream.hosts[ONE].took(seconds)

    assert quantile_s(upstream.hosts[ONE].latency, share) == pytest.approx(expected)


def test_buckets_are_summed_up_for_prometheus() -> None:
    told = list(cumulative([1, 2] + [0] * (BUCKETS - 3) + [4]))

    assert (told[0], told[1], told[-2], told[-1]) == (("0.001", 1), ("0.0025", 3), ("60.0", 3), ("+Inf", 7))


@pytest.mark.parametrize(
    ("name", "value"),
    [("requests", 1), ("connections", 1), ("ejections", 1), ("ejected_until", 5.0), ("checked", False)],
)
def test_port_whose_backend_has_anything_to_tell_is_read(name: str, value: float) -> None:
    upstream = fresh_upstreams().put(port_spec(WEB, 80, [ONE, TWO]))
    assert not has_traffic(upstream)

    setattr(upstream.hosts[TWO], name, value)

    assert has_traffic(upstream)


def test_port_that_refused_or_answered_is_read() -> None:
    upstreams = fresh_upstreams()
    refusing, answering = (upstreams.put(port_spec(WEB, port, [ONE])) for port in (80, 81))
    refusing.refused["no_pods"] = 1
    answering.answered(200)
    assert has_traffic(refusing)
    assert has_traffic(answering)


@given(st.sets(st.sampled_from(["requests", "ejected", "checked", "panicking", "code", "past"])))
def test_whether_there_is_traffic_is_seen_without_reading(facts: set[str]) -> None:
    upstream = fresh_upstreams().put(port_spec(WEB, 80, [ONE, TWO]))
    host = upstream.hosts[TWO]
    host.requests = int("requests" in facts)
    host.ejected_until = 5.0 * ("ejected" in facts)
    host.checked = False if "checked" in facts else None
    upstream.panicking = "panicking" in facts
    upstream.past.requests = int("past" in facts)
    if "code" in facts:
        upstream.answered(200)

    assert has_traffic(upstream) is read(upstream).has_traffic
