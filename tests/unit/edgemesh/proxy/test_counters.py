"""What is counted, and that it stays bounded."""

from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.counters import MAX_ENDPOINTS, MAX_PORTS, Counters
from edgecore.observe.metrics import Metrics

A = ServiceKey("default", "a")


def test_requests_are_counted_by_service_port_and_status() -> None:
    counters = Counters()
    counters.of(A, 80).answered(200)
    counters.of(A, 80).answered(200)
    counters.of(A, 81).answered(503)
    counters.of(A, 80).sent_to(Endpoint("127.0.0.2", 8000))
    assert counters.status() == {
        "default/a:80": {"codes": {"200": 2}, "endpoints": {"127.0.0.2:8000": 1}},
        "default/a:81": {"codes": {"503": 1}, "endpoints": {}},
    }


def test_ports_beyond_the_limit_are_counted_as_one() -> None:
    counters = Counters()
    for port in range(MAX_PORTS + 100):
        counters.of(A, port).answered(503)
    assert len(counters.ports) == MAX_PORTS + 1
    assert counters.status()["/others:0"]["codes"] == {"503": 100}
    counters.of(A, 5).answered(503)
    assert counters.of(A, 5).codes == {503: 2}


def test_endpoint_that_came_first_is_forgotten_first() -> None:
    port = Counters().of(A, 80)
    for number in range(MAX_ENDPOINTS + 1):
        port.sent_to(Endpoint("127.0.0.2", number))
    assert len(port.endpoints) == MAX_ENDPOINTS
    assert Endpoint("127.0.0.2", 0) not in port.endpoints


def test_metric_families_are_rendered(metrics: Metrics) -> None:
    counters = Counters()
    counters.of(A, 80).answered(502)
    counters.connections = 3
    counters.accepted = 4
    metrics.pull(lambda: counters.families({"connect_failed": 1}, 2))
    lines = metrics.render().decode().splitlines()
    assert 'edgecore_proxy_requests_total{code="502",port="80",service="default/a"} 1.0' in lines
    assert 'edgecore_proxy_errors_total{reason="connect_failed"} 1.0' in lines
    assert "edgecore_proxy_connections_total 4.0" in lines
    assert "edgecore_proxy_open_connections 3.0" in lines
    assert "edgecore_proxy_idle_backend_connections 2.0" in lines
