"""A cloud and its edges as tests of others have them: from Python, and with the fixtures of the pytest plugin."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudhub_stub.testing.cloud import Cloud
from cloudhub_stub.testing.errors import NotYet, ProgramFailed

ROOT = Path(__file__).parents[2]
EXAMPLE = re.compile(r"`(test_\w+\.py)`[^\n]*\n\n```python\n(.*?)```", re.DOTALL)
EXAMPLES = dict(EXAMPLE.findall((ROOT / "docs/how-to/testing.md").read_text("utf-8")))
"""The complete examples of the document, by file name."""
PLUGIN = "cloudhub_stub.testing.plugin"


def config_map(name: str) -> dict[str, Any]:
    """Return a message that brings a ConfigMap."""
    route = {"source": "edgecontroller", "group": "resource", "operation": "insert"}
    content = {"metadata": {"name": name, "namespace": "default"}, "data": {"for": name}}
    return {"route": {**route, "resource": f"default/configmap/{name}"}, "content": content}


@pytest.fixture(scope="module")
def lasting_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud with two edges, over TLS, whose programs no test starts or stops."""
    with Cloud.start(tmp_path_factory.mktemp("cloud"), edges=["north", "south"]) as cloud:
        yield cloud


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A cloud of its own for a test, with one edge."""
    with Cloud.start(tmp_path, plain=True, edges=["south"]) as cloud:
        yield cloud


def test_edges_are_ready_have_joined_and_are_at_addresses_of_their_own(lasting_cloud: Cloud) -> None:
    nodes = {node["name"]: (node["connected"], node["ready"]) for node in lasting_cloud.nodes()}
    assert nodes == {"north": (True, True), "south": (True, True)}
    assert lasting_cloud.stub.url.startswith("wss://127.0.0.1:")
    places = [(edge.address, edge.dns, edge.proxy, edge.status()["mesh"]["pool"]) for edge in lasting_cloud.edges]
    assert [place[0] for place in places] == ["127.0.0.2", "127.0.0.3"]
    assert all(one != other for one, other in zip(*places, strict=True))


def test_what_was_sent_is_in_the_store_once_all_is_settled(lasting_cloud: Cloud) -> None:
    assert lasting_cloud.send(config_map("a"), config_map("b"), node="north")["acknowledged"] == 2
    lasting_cloud.wait_for_settled()
    row = lasting_cloud.edge("north").store()["default/configmap/a"]
    assert (row.type, json.loads(row.value)["data"]) == ("configmap", {"for": "a"})
    assert "default/configmap/a" not in lasting_cloud.edge("south").store()
    assert lasting_cloud.ledger()["unexplained"] == 0


def test_the_store_of_an_edge_that_was_killed_or_stopped_can_be_read(cloud: Cloud) -> None:
    south = cloud.edge("south")
    cloud.send(config_map("kept"), node="south")
    south.kill()
    assert "default/configmap/kept" in south.store()
    south.start()
    south.stop()
    assert "default/configmap/kept" in south.store()
    south.start()
    cloud.wait_for_node("south")


def test_what_waits_for_an_edge_that_is_away_is_not_settled_and_arrives_later(cloud: Cloud) -> None:
    south = cloud.edge("south")
    south.stop()
    cloud.send(config_map("late"), node="south", wait=False)
    with pytest.raises(NotYet, match=r"the cloud and its edges settled: .* 1 messages wait for south"):
        cloud.wait_for_settled(timeout_s=0.3)
    south.start()
    cloud.wait_for_node("south")
    cloud.wait_for_settled()
    assert "default/configmap/late" in south.store()


def test_edges_come_back_to_a_stub_that_was_killed(cloud: Cloud) -> None:
    url = cloud.stub.url
    cloud.stub.kill()
    cloud.wait_for(lambda c: c.edge("south").status()["link"]["state"] != "connected")
    cloud.stub.start()
    assert cloud.stub.url == url
    cloud.wait_for_node("south")


def test_a_service_that_an_edge_does_not_have_is_waited_for_and_said(lasting_cloud: Cloud) -> None:
    with pytest.raises(NotYet, match=r"web on north: not so within 0 s; .* north has no service default/web; it has"):
        lasting_cloud.wait_for(lambda c: c.edge("north").service("web"), 0, "web on north")


def test_a_second_edge_of_a_name_is_refused(lasting_cloud: Cloud) -> None:
    with pytest.raises(ProgramFailed, match="cannot start north as a new edge: this cloud has one"):
        lasting_cloud.start_edge("north")


def test_without_tls_and_with_settings_an_edge_is_as_it_is_asked_for(tmp_path: Path) -> None:
    settings = {"modules": {"edged": {"nodeIP": "127.0.0.77"}, "edgeMesh": {"enable": False}}}
    with Cloud.start(tmp_path, plain=True, args=["--node-limit", "1"]) as cloud:
        edge = cloud.start_edge("east", settings=settings)
        assert cloud.stub.url.startswith("ws://")
        assert (edge.address, edge.status()["mesh"]) == ("127.0.0.77", {})
        reported = json.loads(edge.store()["default/nodestatus/east"].value)["Status"]["addresses"]
        assert {"type": "InternalIP", "address": "127.0.0.77"} in reported


def test_an_edge_that_ends_by_itself_ends_what_is_waited_for(tmp_path: Path) -> None:
    with Cloud.start(tmp_path, plain=True, edges=1) as cloud:
        [edge] = cloud.edges
        assert edge.pid is not None
        os.kill(edge.pid, signal.SIGKILL)
        with pytest.raises(ProgramFailed, match=r"edge-1 ended by itself: exit code -9\nthe end of .*edge-1.log:"):
            cloud.wait_for(lambda _: False)


def test_a_cloud_that_cannot_start_leaves_nothing_running_and_says_why(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match=r"(?s)the cloud ended by itself: exit code 2.*--in-flight"):
        Cloud.start(tmp_path, args=["--in-flight", "0"])


def test_an_edge_that_cannot_join_ends_the_cloud_too(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match="'No!' is not a Kubernetes name"):
        Cloud.start(tmp_path, edges=["No!"])


# The plugin, in a pytest of its own.


def pytest_run(folder: Path, name: str, text: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run pytest on one file, far from this repository's configuration."""
    (folder / name).write_text(text)
    own = ["-p", PLUGIN, "-p", "no:asyncio", "-p", "no:cacheprovider", "--strict-markers", "-W", "error"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *own, *arguments, name],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    "name",
    [
        "test_link.py",
        "test_web.py",
    ],
)
def test_the_examples_of_the_document_run_as_they_stand(tmp_path: Path, name: str) -> None:
    done = pytest_run(tmp_path, name, EXAMPLES[name])
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_the_document_has_these_examples() -> None:
    assert sorted(EXAMPLES) == ["test_link.py", "test_web.py"]


FAILING = """
import pytest

@pytest.mark.edges("north")
def test_fails_with_a_cloud(cloud):
    assert not cloud.edges

@pytest.mark.edges(None)
def test_is_marked_wrong(cloud):
    pass

def test_fails_without_a_cloud():
    assert False
"""


def test_a_failed_test_shows_the_logs_of_its_programs(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, "test_it.py", FAILING, "-p", "no:randomly")
    assert done.returncode == 1
    assert re.findall(r"-+ (log .*) -+", done.stdout) == ["log cloud-1/cloud.log", "log cloud-1/edges/north.log"]
    assert '"event": "stub_started"' in done.stdout
    assert 'write @pytest.mark.edges(2) or @pytest.mark.edges("north", "south")' in done.stdout


def test_the_plugin_costs_nothing_while_it_is_not_used(tmp_path: Path) -> None:
    text = """
        import sys
        def test_nothing_of_the_package_was_read():
            ours = {name for name in sys.modules if name.startswith(("cloudhub_stub", "edgecore"))}
            stub = {"cloudhub_stub", "cloudhub_stub.testing", "cloudhub_stub.testing.plugin"}
            assert ours == stub | {"edgecore", "edgecore.replay", "edgecore.replay.pytestplugin"}
    """
    done = pytest_run(tmp_path, "test_it.py", re.sub(r"(?m)^ {8}", "", text))
    assert done.returncode == 0, done.stdout


def test_fixtures_and_marker_explain_themselves(tmp_path: Path) -> None:
    assert "start_cloud" in pytest_run(tmp_path, "test_it.py", "", "--fixtures").stdout
    assert "@pytest.mark.edges(number_or_names): how many" in pytest_run(tmp_path, "test_it.py", "", "--markers").stdout


def test_the_plugin_is_registered_under_the_name_of_its_module() -> None:
    assert f'"{PLUGIN}" = "{PLUGIN}"' in (ROOT / "pyproject.toml").read_text("utf-8")
