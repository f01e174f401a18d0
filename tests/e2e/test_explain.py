"""``edgecore explain`` on a real node: what works and what does not, who says so, and how stale that is."""

import json
from collections.abc import Callable
from typing import Any

import pytest

NAME = "web.default.svc.cluster.local"


@pytest.fixture
def cloud(programs: Any) -> Any:
    return programs.cloud()


@pytest.fixture
def node(programs: Any, cloud: Any, words: Any, backend: Callable[..., Any], free_port: Callable[[], int]) -> Any:
    """A node with one service, whose pod answers."""
    node = programs.node(cloud=cloud)
    node.ready()
    node.port = free_port()
    cloud.send(*words.arrival("web", node.port, backend()))
    node.service("web")
    return node


def explain(programs: Any, node: Any, *words: str) -> tuple[int, str]:
    done = programs.run("edgecore", "explain", *words, "--config", node.config)
    assert done.stderr == ""
    return done.returncode, done.stdout


def sources(programs: Any, node: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the step ``cloud``, and who said what pod is behind the service."""
    code, text = explain(programs, node, f"{NAME}:{node.port}", "--json")
    told = json.loads(text)
    assert (code, told["works"]) == (0, True)
    steps = {step["step"]: step for step in told["steps"]}
    (source,) = steps["backend"]["sources"]
    return steps["cloud"], source


def test_a_service_that_works_is_explained_down_to_the_pod(programs: Any, node: Any) -> None:
    code, text = explain(programs, node, f"http://{NAME}:{node.port}/", "--try")

    fake_ip = node.resolve(NAME)[1]
    assert code == 0
    assert text.startswith(f"http://{NAME}:{node.port}/ would be answered by web-0 at 127.0.0.2:")
    assert f"   dns           {fake_ip} (A, TTL 64 s)\n" in text
    assert "by insert default/service/web of edgecontroller, " in text
    assert f"   interception  mode rootless: the proxy listens at {fake_ip}:{node.port}\n" in text
    assert "   backend       pod web-0 on edge-1 at 127.0.0.2:" in text
    assert "by update default/podlist/web of edgecontroller, " in text
    assert f"tried         port {node.port}/tcp: GET / was answered with 200 OK" in text


def test_while_the_cloud_is_away_and_after_a_restart_without_it_each_fact_says_how_old_it_is(
    programs: Any, node: Any, cloud: Any
) -> None:
    step, before = sources(programs, node)
    assert (step["state"], before.get("stale_s")) == ("ok", None)

    assert cloud.stop() == 0
    node.wait_for("loss of the cloud", lambda status: status["link"]["state"] != "connected")
    step, source = sources(programs, node)
    assert (step["state"], step["fact"].startswith("away for ")) == ("warning", True)
    assert source["stale_s"] <= source["age_s"]
    assert "unconfirmed for" in explain(programs, node, NAME)[1]

    port = node.port
    assert node.stop() == 0
    again = programs.node()
    again.port = port
    again.ready()
    again.service("web")
    step, source = sources(programs, again)
    assert step["fact"].startswith("not there since this node started")
    told = ("message_id", "source", "operation", "resource", "at_ms")
    assert {key: source[key] for key in told} == {key: before[key] for key in told}


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("web:1",), "web:1 would be refused (connection refused): service default/web has no port 1"),
        (("wbe.default.svc.cluster.local",), f"did you mean {NAME}?"),
        (("web", "-n", "shop"), f"a service of that name is in another namespace: {NAME}"),
        (("192.0.2.1:80",), "192.0.2.1 is none of ours"),
        (("www.example.com",), "could not be resolved: no name server answers"),
    ],
)
def test_what_does_not_work_is_exit_code_1_and_says_why(
    programs: Any, node: Any, asked: tuple[str, ...], says: str
) -> None:
    code, text = explain(programs, node, *asked)
    assert (code, says in text) == (1, True), text


def test_the_plain_listener_is_explained_by_the_host_header(programs: Any, node: Any) -> None:
    plain = node.status()["mesh"]["plain_listener"]
    code, text = explain(programs, node, plain, "--host", f"web:{node.port}", "--try")
    assert (code, "GET / was answered with 200 OK" in text) == (0, True)
    code, text = explain(programs, node, plain, "--host", "www.example.com")
    assert (code, "503 unknown_service" in text) == (1, True)


def test_what_can_be_neither_name_nor_address_is_wrong_usage(programs: Any) -> None:
    done = programs.run("edgecore", "explain", "a..b")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("edgecore: cannot explain 'a..b': ")


def test_a_node_that_is_not_there_is_exit_code_9(programs: Any) -> None:
    done = programs.run("edgecore", "explain", NAME, "--control", programs.directory("none") / "none.sock")
    assert (done.returncode, done.stdout) == (9, "")
    assert done.stderr.startswith("edgecore: cannot reach the node at ")
    assert "edgecore meta list --db FILE" in done.stderr
