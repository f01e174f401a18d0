import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import msgspec
import pytest

from edgecore import kube
from edgecore.clock import VirtualClock, settle
from edgecore.errors import ContentError
from edgecore.modules.edgemesh.intercept.rootless import RootlessListeners
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.figures.figures import HostFigures, PortFigures, read
from edgecore.modules.edgemesh.services import ServiceTable
from edgecore.modules.edgemesh.serviceview import ServiceView
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import PortKey
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from tests.support.upstreams import fresh_table, port_spec

WEB = ServiceKey("default", "web")
ADDRESS = "127.251.0.1"
HOST = "10.0.0.1:8000"
KEY: PortKey = (WEB, 80, "tcp")


@pytest.fixture
def table(make_service: Callable[..., kube.Service], make_pod: Callable[..., kube.Pod]) -> ServiceTable:
    table = fresh_table()
    table.put(WEB, make_service(WEB, ("http", 80, 80)))
    table.set_address(WEB, ADDRESS)
    table.set_pods(WEB, (make_pod("a", "10.0.0.1", (80, 8000)), make_pod("b", "", (80, 8000))))
    return table


@pytest.fixture
async def listeners(listen: Any) -> AsyncIterator[RootlessListeners]:
    listeners = RootlessListeners(listen, VirtualClock(), 5.0)
    listeners.set(WEB, ADDRESS, ((80, "tcp"),))
    await settle()
    yield listeners
    await listeners.stop()


@pytest.fixture
def look(table: ServiceTable, listeners: RootlessListeners) -> Callable[..., ServiceView]:
    """``look()`` with what was counted here; ``look(figures)`` with these."""

    def make(figures: Mapping[PortKey, PortFigures] | None = None) -> ServiceView:
        counted = {upstream.spec.key: read(upstream) for upstream in table.upstreams}
        return ServiceView(table, counted if figures is None else figures, listeners, 0.0)

    return make


@pytest.fixture
def upstream(table: ServiceTable) -> Upstream:
    found = table.upstreams.get(KEY)
    assert found is not None
    return found


def of_host(**values: Any) -> dict[PortKey, PortFigures]:
    return {KEY: PortFigures(KEY, hosts={HOST: HostFigures("a", **values)})}


def test_a_service_in_short_has_ports_backends_and_counts(look: Callable[..., ServiceView], upstream: Upstream) -> None:
    upstream.answered(200)
    upstream.answered(503)
    upstream.refused["no_pods"] = 1
    upstream.hosts[Endpoint("10.0.0.1", 8000)].requests = 2
    upstream.hosts[Endpoint("10.0.0.1", 8000)].errors["connect_failed"] = 2

    (service,) = look().every()

    port = service["ports"][0]
    assert (service["namespace"], service["name"], service["fake_ip"], service["type"]) == (
        "default",
        "web",
        ADDRESS,
        "ClusterIP",
    )
    assert (port["name"], port["port"], port["state"], port["handling"], port["strategy"]) == (
        "http",
        80,
        "listening",
        "http",
        "RoundRobin",
    )
    assert (service["backends"], service["requests"], service["errors"]) == ({"in": 1, "all": 2}, 2, 3)


def test_services_of_another_namespace_can_be_left_out(look: Callable[..., ServiceView], table: ServiceTable) -> None:
    table.put(ServiceKey("shop", "cart"), kube.Service())
    assert [one["name"] for one in look().every("shop")] == ["cart"]
    assert [one["name"] for one in look().every()] == ["web", "cart"]


def test_a_service_whole_says_of_each_backend_what_it_did_and_why_it_is_out(
    look: Callable[..., ServiceView], upstream: Upstream
) -> None:
    host = upstream.hosts[Endpoint("10.0.0.1", 8000)]
    host.requests, host.active, host.connections, host.ejections = 100, 1, 2, 3
    host.errors["connect_failed"] = 4
    for _ in range(100):
        host.took(0.004)

    (port,) = look().one("web")["ports"]

    assert port["backends"] == [
        {
            "pod": "a",
            "endpoint": HOST,
            "state": "in",
            "reason": "",
            "for_s": None,
            "check_error": None,
            "last_error": None,
            "last_error_ago_s": None,
            "left_out_by": 0,
            "processes": 1,
            "requests": 100,
            "errors": {"connect_failed": 4},
            "p50_ms": 3.75,
            "p99_ms": 4.98,
            "active": 1,
            "connections": 2,
            "ejections": 3,
        },
        {
            "pod": "b",
            "endpoint": None,
            "state": "out",
            "reason": "no_host_ip",
            "for_s": None,
            "check_error": None,
            "last_error": None,
            "last_error_ago_s": None,
            "left_out_by": 0,
            "processes": 1,
            "requests": 0,
            "errors": {},
            "p50_ms": None,
            "p99_ms": None,
            "active": 0,
            "connections": 0,
            "ejections": 0,
        },
    ]
    assert (port["p50_ms"], port["errors"]) == (3.75, 4)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"ill": "ejected", "ill_until": 29.96, "out": 1}, ("out", "ejected", 30.0)),
        ({"ill": "check_failed", "out": 1}, ("out", "check_failed", None)),
        ({"ill": "ejected", "ill_until": 3.0, "out": 1, "judges": 2}, ("in", "ejected", 3.0)),
        ({"ill": "ejected", "ill_until": 3.0, "out": 2, "judges": 2}, ("out", "ejected", 3.0)),
        ({"ill": "trial"}, ("in", "trial", None)),
        ({"ill": "ejected", "ill_until": 3.0, "out": 0}, ("in", "ejected", 3.0)),
        ({}, ("in", "", None)),
    ],
    ids=["ejected", "check failed", "ejected by some", "ejected by all", "on trial", "used in a panic", "well"],
)
def test_a_backend_is_out_where_no_process_uses_it(
    look: Callable[..., ServiceView], values: dict[str, Any], expected: tuple[str, str, float | None]
) -> None:
    (port,) = look(of_host(**values)).one("web")["ports"]

    backend = port["backends"][0]
    assert (backend["state"], backend["reason"], backend["for_s"]) == expected


def test_how_a_port_is_treated_is_said_with_what_is_not_as_built_in(
    look: Callable[..., ServiceView], table: ServiceTable
) -> None:
    policy = Policy(strategy="LeastRequest", retries=5, connect_timeout_s=1.0)
    table.upstreams.put(port_spec(WEB, 80, [Endpoint("10.0.0.1", 8000)], policy=policy))

    (port,) = look().one("web")["ports"]

    assert (port["handling"], port["handling_from"], port["strategy"]) == ("http", "name", "LeastRequest")
    assert port["policy"] == {"connect_timeout_s": 1.0, "retries": 5}


def test_annotations_that_cannot_be_used_are_shown_once_for_all_ports(
    look: Callable[..., ServiceView], table: ServiceTable, make_service: Callable[..., kube.Service]
) -> None:
    service = make_service(WEB, ("http", 80, 80), ("http-2", 81, 80))
    metadata = msgspec.structs.replace(service.metadata, annotations={"edgemesh.kubeedge.io/retries": "many"})
    table.put(WEB, msgspec.structs.replace(service, metadata=metadata))

    (problem,) = look().one("web")["problems"]

    assert problem.startswith("cannot use annotation edgemesh.kubeedge.io/retries 'many': ")


def test_without_any_figures_all_counts_are_nothing(look: Callable[..., ServiceView]) -> None:
    (port,) = look({}).one("web")["ports"]

    assert (port["requests"], port["codes"], port["p50_ms"], port["backends"][0]["requests"]) == (0, {}, None, 0)


def test_pods_with_names_have_ports_and_figures_of_their_own_and_count_for_their_service(
    look: Callable[..., ServiceView], table: ServiceTable, make_named_pod: Callable[..., kube.Pod]
) -> None:
    entry = table.get(WEB)
    assert entry is not None
    table.name_pods(entry, {"web-0": (make_named_pod("web-0", "web"),)})
    table.set_address(WEB.pod("web-0"), "127.251.0.9")
    named = table.upstreams.get((WEB.pod("web-0"), 80, "tcp"))
    assert named is not None
    named.answered(200)

    whole, (short,) = look().one("web"), look().every()

    assert [(pod["hostname"], pod["fake_ip"], pod["pods"]) for pod in whole["named_pods"]] == [
        ("web-0", "127.251.0.9", ["web-0"])
    ]
    assert whole["named_pods"][0]["ports"][0]["requests"] == 1
    assert (whole["ports"][0]["requests"], short["requests"], short["named_pods"]) == (0, 1, 1)


def test_a_port_that_is_forwarded_for_though_the_service_does_not_name_it_is_shown(
    look: Callable[..., ServiceView], table: ServiceTable
) -> None:
    table.upstreams.put(port_spec(WEB, 8443, [Endpoint("example.com", 8443)], handling="bytes"))

    ports = look().one("web")["ports"]

    assert [(port["port"], port["state"], port["handling"]) for port in ports] == [
        (80, "listening", "http"),
        (8443, "asked_for", "bytes"),
    ]


def test_everything_shown_is_json(look: Callable[..., ServiceView]) -> None:
    json.dumps([look().one("web"), *look().every()])


def test_of_a_service_that_there_is_not_those_near_to_it_are_named(look: Callable[..., ServiceView]) -> None:
    with pytest.raises(ContentError, match="there is default/web"):
        look().one("wep")


def test_before_the_mesh_has_started_there_is_nothing_to_be_seen(table: ServiceTable) -> None:
    view = ServiceView(table, {}, None, 0.0)

    assert list(view.every()) == []
    with pytest.raises(ContentError, match="cannot show web"):
        view.one("web")


async def test_a_port_says_which_plane_serves_it_and_why(look: Callable[..., ServiceView]) -> None:
    port = look().one("web")["ports"][0]
    short = next(iter(look().every()))["ports"][0]

    assert (port["plane"], port["plane_reason"]) == (short["plane"], short["plane_reason"]) == ("proxy", "rootless")
    assert port["plane_text"] == "mode rootless has no rules of the kernel"


def test_every_service_can_be_had_whole(table: ServiceTable, look: Callable[..., ServiceView]) -> None:
    table.put(ServiceKey("prod", "db"), None)
    view = look()
    assert [*view.whole()] == [view.one(f"{entry.key.namespace}/{entry.key.name}") for entry in table]
