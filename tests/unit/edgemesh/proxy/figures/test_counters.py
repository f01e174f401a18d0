from collections.abc import Iterable

import pytest
from prometheus_client.core import Metric

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.figures.counters import Counters
from edgecore.modules.edgemesh.proxy.figures.figures import HostFigures, PortFigures
from edgecore.modules.edgemesh.proxy.figures.portfamilies import MAX_BACKENDS, MAX_CODES, MAX_PORTS
from edgecore.modules.edgemesh.proxy.figures.proxyfigures import ProxyFigures
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams
from edgecore.observe.metrics import Metrics
from tests.support.upstreams import fresh_upstreams, port_spec

WEB = ServiceKey("default", "web")
ONE, TWO = Endpoint("10.0.0.1", 8000), Endpoint("10.0.0.2", 8000)
LABELS = 'endpoint="10.0.0.1:8000",pod="10.0.0.1:8000",port="80",service="default/web",transport="tcp"'


@pytest.fixture
def upstreams(vclock: VirtualClock) -> Upstreams:
    return fresh_upstreams(vclock)


@pytest.fixture
def web(upstreams: Upstreams) -> Upstream:
    return upstreams.put(port_spec(WEB, 80, [ONE, TWO]))


@pytest.fixture
def counters(upstreams: Upstreams) -> Counters:
    return Counters(upstreams)


def lines(counters: Counters) -> list[str]:
    """Return what Prometheus reads."""
    metrics = Metrics()
    metrics.pull(lambda: counters.families(ProxyFigures()))
    return [line for line in metrics.render().decode().splitlines() if not line.startswith("#")]


def series(families: Iterable[Metric], name: str) -> dict[str, float]:
    """Return the values of one family by the endpoint, or else the port, of their labels."""
    return {
        sample.labels.get("endpoint", sample.labels.get("code", sample.labels["port"])): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


def request(upstream: Upstream, endpoint: Endpoint, seconds: float = 0.003) -> None:
    host = upstream.hosts[endpoint]
    host.requests += 1
    host.took(seconds)
    upstream.answered(200)


def test_a_port_and_its_backends_are_told_with_all_their_figures(counters: Counters, web: Upstream) -> None:
    request(web, ONE)
    web.refused["all_ejected"] = 2
    web.retries = 3
    web.hosts[ONE].failed("connect_failed", 0.0)
    web.hosts[ONE].connections = 4
    web.hosts[ONE].ejections = 1

    told = lines(counters)

    port = 'port="80"'
    assert f'edgecore_proxy_requests_total{{code="200",{port},service="default/web",transport="tcp"}} 1.0' in told
    assert (
        f'edgecore_proxy_refused_total{{{port},reason="all_ejected",service="default/web",transport="tcp"}} 2.0' in told
    )
    assert f'edgecore_proxy_retries_total{{{port},service="default/web",transport="tcp"}} 3.0' in told
    assert f"edgecore_proxy_backend_requests_total{{{LABELS}}} 1.0" in told
    assert f"edgecore_proxy_backend_open_connections{{{LABELS}}} 4.0" in told
    assert f"edgecore_proxy_backend_ejections_total{{{LABELS}}} 1.0" in told
    assert f"edgecore_proxy_backend_in{{{LABELS}}} 1.0" in told
    reason = LABELS.replace(",service", ',reason="connect_failed",service')
    assert f"edgecore_proxy_backend_errors_total{{{reason}}} 1.0" in told


def test_the_histogram_is_cumulative_and_has_count_and_sum(counters: Counters, web: Upstream) -> None:
    request(web, ONE, 0.003)
    request(web, ONE, 100.0)

    told = [line for line in lines(counters) if line.startswith("edgecore_proxy_backend_first_byte_seconds")]

    values = {line.split('le="')[1].split('"')[0]: line.split()[-1] for line in told if 'le="' in line}
    assert (values["0.0025"], values["0.005"], values["60.0"], values["+Inf"]) == ("0.0", "1.0", "1.0", "2.0")
    assert f"edgecore_proxy_backend_first_byte_seconds_count{{{LABELS}}} 2.0" in told
    assert f"edgecore_proxy_backend_first_byte_seconds_sum{{{LABELS}}} 100.003" in told


def test_ports_and_backends_without_traffic_have_no_series(
    counters: Counters, upstreams: Upstreams, web: Upstream
) -> None:
    upstreams.put(port_spec(WEB, 81, [ONE]))
    request(web, ONE)

    families = list(counters.families(ProxyFigures()))

    assert list(series(families, "edgecore_proxy_retries_total")) == ["80"]
    assert list(series(families, "edgecore_proxy_backend_in")) == ["10.0.0.1:8000"]


def test_a_backend_that_is_left_out_is_told_though_it_had_no_traffic(counters: Counters, web: Upstream) -> None:
    web.hosts[TWO].ejected_until = 30.0

    assert series(counters.families(ProxyFigures()), "edgecore_proxy_backend_in") == {"10.0.0.2:8000": 0}


def test_what_was_counted_at_backends_that_are_gone_is_kept(
    counters: Counters, upstreams: Upstreams, web: Upstream
) -> None:
    request(web, ONE)
    request(web, TWO)
    upstreams.put(port_spec(WEB, 80, [TWO]))

    families = list(counters.families(ProxyFigures()))

    assert series(families, "edgecore_proxy_backend_requests_total") == {"10.0.0.2:8000": 1, "gone": 1}
    assert series(families, "edgecore_proxy_backend_first_byte_seconds_count") == {"10.0.0.2:8000": 1, "gone": 1}
    assert list(series(families, "edgecore_proxy_backend_active")) == ["10.0.0.2:8000"]


def test_the_series_of_a_service_end_with_it(counters: Counters, upstreams: Upstreams, web: Upstream) -> None:
    request(web, ONE)
    upstreams.remove(web.spec.key)

    assert not series(counters.families(ProxyFigures()), "edgecore_proxy_requests_total")


def test_figures_of_other_processes_are_added(counters: Counters, web: Upstream) -> None:
    request(web, ONE)
    other = PortFigures(
        web.spec.key, codes={200: 5}, hosts={str(ONE): HostFigures("", requests=5, ill="ejected", out=1)}
    )
    unknown = PortFigures((WEB, 99, "tcp"), codes={200: 1})
    there = ProxyFigures({one.key: one for one in (other, unknown)}, {"no_pods": 1})
    counters.elsewhere = lambda: [there, ProxyFigures(errors={"no_pods": 2})]

    families = list(counters.families(ProxyFigures()))

    assert series(families, "edgecore_proxy_requests_total") == {"200": 6}
    assert series(families, "edgecore_proxy_backend_requests_total") == {"10.0.0.1:8000": 6}
    assert series(families, "edgecore_proxy_backend_in") == {"10.0.0.1:8000": 0.5}
    assert list(counters.ports()) == [web.spec.key]
    assert counters.numbers(ProxyFigures(errors={"no_pods": 4})) == ProxyFigures(errors={"no_pods": 7})


def test_a_port_with_traffic_in_another_process_alone_has_series(counters: Counters, web: Upstream) -> None:
    key = web.spec.key
    counters.elsewhere = lambda: [ProxyFigures({key: PortFigures(key, codes={200: 5})})]

    assert series(counters.families(ProxyFigures()), "edgecore_proxy_requests_total") == {"200": 5}
    assert counters.status()["default/web:80"]["codes"] == {"200": 5}


def test_udp_and_tcp_of_one_number_are_told_apart(counters: Counters, upstreams: Upstreams, web: Upstream) -> None:
    request(web, ONE)
    udp = upstreams.put(port_spec(WEB, 80, [ONE], transport="udp", handling="datagrams"))
    udp.answered(0)

    assert len(lines(counters)) == len({line.split()[0] for line in lines(counters)})


def test_backends_beyond_the_limit_are_counted_and_those_that_have_series_keep_them(
    counters: Counters, upstreams: Upstreams
) -> None:
    many = [Endpoint("10.0.0.1", number) for number in range(1, MAX_BACKENDS + 11)]
    late = upstreams.put(port_spec(WEB, 80, [ONE]))
    port = upstreams.put(port_spec(WEB, 81, many))
    for endpoint in many:
        request(port, endpoint)
    before = series(counters.families(ProxyFigures()), "edgecore_proxy_backend_requests_total")
    request(late, ONE)

    families = list(counters.families(ProxyFigures()))

    assert len(before) == MAX_BACKENDS
    assert series(families, "edgecore_proxy_backend_requests_total") == before
    left_out = next(family for family in families if family.name == "edgecore_proxy_without_series")
    assert {sample.labels["what"]: sample.value for sample in left_out.samples} == {"ports": 0, "backends": 11}


def test_ports_and_codes_are_bounded(counters: Counters, upstreams: Upstreams) -> None:
    for number in range(MAX_PORTS + 5):
        upstreams.put(port_spec(WEB, number + 1, [])).answered(503)
    strange = upstreams.get((WEB, 1, "tcp"))
    assert strange is not None
    for status in range(100, 600):
        strange.answered(status)

    told = list(counters.families(ProxyFigures()))

    assert len(series(told, "edgecore_proxy_retries_total")) == MAX_PORTS
    codes = series(told, "edgecore_proxy_requests_total")
    assert (len(codes), codes["other"]) == (MAX_CODES + 1, 501 - (MAX_CODES + 1))


def test_people_are_told_the_requests_of_each_port(counters: Counters, web: Upstream) -> None:
    request(web, ONE)

    assert counters.status() == {
        "default/web:80": {"codes": {"200": 1}, "endpoints": {"10.0.0.1:8000": 1, "10.0.0.2:8000": 0}}
    }


def test_connections_of_clients_and_errors_are_told(counters: Counters) -> None:
    counters.connections, counters.accepted = 2, 7

    own = ProxyFigures({}, {"no_pods": 3}, counters.accepted, counters.connections, 4)
    families = {family.name: family.samples for family in counters.families(own)}

    assert families["edgecore_proxy_connections"][0].value == 7
    assert families["edgecore_proxy_open_connections"][0].value == 2
    assert families["edgecore_proxy_idle_backend_connections"][0].value == 4
    assert families["edgecore_proxy_errors"][0].labels == {"reason": "no_pods"}
