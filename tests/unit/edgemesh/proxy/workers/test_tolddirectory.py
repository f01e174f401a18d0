"""What a worker says of a port."""

from edgecore.modules.edgemesh.names import Endpoint, Refusal, ServiceKey
from edgecore.modules.edgemesh.proxy.workers.tolddirectory import ToldDirectory
from tests.support.upstreams import fresh_upstreams, port_spec

WEB = ServiceKey("default", "web")


def directory():
    upstreams = fresh_upstreams()
    upstreams.put(port_spec(WEB, 80, [Endpoint("10.0.0.1", 8080)]))
    return upstreams, ToldDirectory(upstreams)


def reason(found):
    assert isinstance(found, Refusal)
    assert found.status == 503
    return found.reason


def test_a_port_that_was_told_of_forwards():
    upstreams, told = directory()
    assert told.upstream(WEB, 80) is upstreams.get((WEB, 80, "tcp"))


def test_a_port_is_of_one_transport():
    _, told = directory()
    assert reason(told.upstream(WEB, 80, "udp")) == "port_not_in_service"


def test_another_port_of_a_service_and_another_service_are_told_apart():
    _, told = directory()
    assert reason(told.upstream(WEB, 81)) == "port_not_in_service"
    assert reason(told.upstream(ServiceKey("default", "db"), 80)) == "unknown_service"


def test_a_service_is_known_as_long_as_it_has_a_port():
    upstreams, told = directory()
    upstreams.put(port_spec(WEB, 443, []))
    upstreams.put(port_spec(WEB, 443, [Endpoint("10.0.0.1", 8443)]))
    upstreams.remove((WEB, 443, "tcp"))
    assert reason(told.upstream(WEB, 443)) == "port_not_in_service"
    upstreams.remove((WEB, 80, "tcp"))
    assert reason(told.upstream(WEB, 80)) == "unknown_service"


def test_names_are_for_the_node():
    _, told = directory()
    assert reason(told.service_named("web.default", 80)) == "unknown_service"
    assert told.service_at("127.251.0.1") is None
