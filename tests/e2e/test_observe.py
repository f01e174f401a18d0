"""What a running node shows of itself, to whom, and what it never shows."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

TOKEN = "the-token-that-nobody-may-see"


def test_prometheus_gets_the_figures_of_bus_store_mesh_dns_and_proxy(programs: Any) -> None:
    node = programs.node()
    node.ready()

    code, page = node.page("/metrics")

    families = {family.name for family in text_string_to_metric_families(page)}
    assert code == 200
    assert families >= {
        "edgecore_bad_input",
        "edgecore_mailbox_depth",
        "edgecore_messages_sent",
        "edgecore_store_commits",
        "edgecore_edgemesh_services",
        "edgecore_dns_queries",
        "edgecore_proxy_connections",
    }


def test_the_figures_follow_what_the_node_does(
    programs: Any,
    words: Any,
    backend: Callable[..., Any],
    free_port: Callable[[], int],
    sample: Callable[..., float],
) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    port = free_port()
    host, host_port = backend()
    cloud.send(*words.arrival("web", port, (host, host_port)))
    node.service("web")
    node.resolve("web.default.svc.cluster.local")
    node.by_proxy(f"http://web.default:{port}/")

    page = node.page("/metrics")[1]

    assert sample(page, "edgecore_edgemesh_services") == 1
    assert sample(page, "edgecore_dns_queries_total", outcome="answered") == 1
    served = {"service": "default/web", "port": str(port), "transport": "tcp"}
    sent = {**served, "pod": "web-0", "endpoint": f"{host}:{host_port}"}
    assert sample(page, "edgecore_proxy_requests_total", **served, code="200") == 1
    assert sample(page, "edgecore_proxy_backend_requests_total", **sent) == 1
    assert sample(page, "edgecore_messages_received_total", module="edgemesh") > 1


def test_a_command_shows_the_service_its_backends_and_what_became_of_the_requests(
    programs: Any, words: Any, backend: Callable[..., Any], free_port: Callable[[], int]
) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    port = free_port()
    host, host_port = backend()
    cloud.send(*words.arrival("web", port, (host, host_port)))
    node.service("web")
    node.by_proxy(f"http://web.default:{port}/")

    told = node.control.get("/v1/service", {"name": "web"})["ports"][0]

    (at_work,) = told["backends"]
    assert (told["state"], told["strategy"], told["codes"]) == ("listening", "RoundRobin", {"200": 1})
    assert (at_work["pod"], at_work["endpoint"], at_work["state"], at_work["requests"]) == (
        "web-0",
        f"{host}:{host_port}",
        "in",
        1,
    )


def test_health_is_200_with_a_cloud_and_503_with_the_reason_when_it_is_gone(programs: Any) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    node.wait_for("link", lambda status: status["state"] == "ok")
    well = node.page("/healthz")

    assert cloud.stop() == 0
    node.wait_for("end of the link", lambda status: status["state"] == "degraded")

    code, health = node.page("/healthz")
    assert (well[0], json.loads(well[1])) == (200, {"status": "ok", "reasons": []})
    assert (code, json.loads(health)["status"]) == (503, "degraded")
    assert "the link to the cloud is " in json.loads(health)["reasons"][0]


def test_every_debug_page_that_is_listed_is_json(programs: Any) -> None:
    node = programs.node()
    node.ready()

    pages = json.loads(node.page("/debug/")[1])["there_are"]

    assert {"/debug/status", "/debug/bus", "/debug/modules", "/debug/store"} <= set(pages)
    for page in pages:
        code, text = node.page(page)
        assert (code, type(json.loads(text))) == (200, dict)


def test_nobody_else_may_open_the_files_of_a_node(
    programs: Any, config_text: Callable[..., str], tmp_path: Path
) -> None:
    state = tmp_path / "made" / "by" / "the" / "node"
    node = programs.node(text=config_text(state))
    node.control.path = state / "edgecore.sock"
    node.ready()

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()}

    assert modes["edgecore.sock"] == modes["edgecore.db"] == 0o600
    assert set(modes.values()) == {0o600}, modes
    assert [stat.S_IMODE(path.stat().st_mode) for path in (state, state.parent)] == [0o700] * 2


def test_the_token_is_nowhere_to_be_seen(programs: Any) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud, edgeHub__token=TOKEN, observe__logLevel="debug")
    node.wait_for("link", lambda status: status["state"] == "ok")
    pages = [node.page(path)[1] for path in ("/metrics", "/healthz", "/debug/status", "/debug/modules")]
    assert node.stop() == 0

    assert TOKEN in node.config.read_text()
    assert TOKEN not in "".join([node.log, node.out, cloud.log, cloud.out, *pages])
    assert node.lines("node_started")
