"""Which ports a worker tells of."""

from collections.abc import Callable

import pytest

from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.figures.figures import read
from edgecore.modules.edgemesh.proxy.workers.changes import Changes
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams
from tests.support.upstreams import fresh_upstreams, port_spec

WEB = ServiceKey("default", "web")
ONE, TWO = Endpoint("10.0.0.1", 8000), Endpoint("10.0.0.2", 8000)


@pytest.fixture
def upstreams() -> Upstreams:
    upstreams = fresh_upstreams()
    for port in (80, 81):
        upstreams.put(port_spec(WEB, port, [ONE, TWO])).answered(200)
    return upstreams


def port(upstreams: Upstreams, number: int = 80) -> Upstream:
    found = upstreams.get((WEB, number, "tcp"))
    assert found is not None
    return found


def set_host(name: str, value: object) -> Callable[[Upstream], None]:
    return lambda upstream: setattr(upstream.hosts[TWO], name, value)


def fail(upstream: Upstream) -> None:
    upstream.hosts[ONE].requests += 1
    upstream.hosts[ONE].failed("connect_failed", 0.0)


CHANGES: dict[str, Callable[[Upstream], None]] = {
    "code": lambda upstream: upstream.answered(503),
    "refused": lambda upstream: upstream.refused.update(no_pods=1),
    "retries": lambda upstream: setattr(upstream, "retries", 1),
    "panicking": lambda upstream: setattr(upstream, "panicking", True),
    "past": lambda upstream: setattr(upstream.past, "requests", 1),
    "failed": fail,
    "took": lambda upstream: upstream.hosts[ONE].took(0.01),
    **{name: set_host(name, 1) for name in ("requests", "active", "connections", "ejections")},
    "ejected": set_host("ejected_until", 9.0),
    "checked": set_host("checked", False),
}


def test_at_first_all_ports_with_traffic_are_told_and_then_none(upstreams: Upstreams) -> None:
    upstreams.put(port_spec(WEB, 82, [ONE]))
    changes = Changes()

    assert changes.since_last(upstreams) == {(WEB, n, "tcp"): read(port(upstreams, n)) for n in (80, 81)}
    assert changes.since_last(upstreams) == {}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_port_is_told_again_whatever_changes(upstreams: Upstreams, change: Callable[[Upstream], None]) -> None:
    changes = Changes()
    changes.since_last(upstreams)
    change(port(upstreams))

    assert changes.since_last(upstreams) == {(WEB, 80, "tcp"): read(port(upstreams))}
    assert changes.since_last(upstreams) == {}


def test_a_port_that_is_made_again_is_told_with_what_it_has_now(upstreams: Upstreams) -> None:
    changes = Changes()
    changes.since_last(upstreams)
    for status in (503, None):
        upstreams.remove((WEB, 80, "tcp"))
        fresh = upstreams.put(port_spec(WEB, 80, [ONE, TWO]))
        if status:
            fresh.answered(status)

        assert changes.since_last(upstreams) == {(WEB, 80, "tcp"): read(fresh) if status else EMPTY}


EMPTY = read(fresh_upstreams().put(port_spec(WEB, 80, [])))
