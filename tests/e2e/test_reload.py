"""A running node is told to read its configuration again: by SIGHUP, and by ``edgecore reload``."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 20.0


@pytest.fixture
def write(config_text: Callable[..., str]) -> Callable[..., None]:
    """``write(node, **settings)``: write the file of a node anew."""

    def write(node: Any, **settings: Any) -> None:
        Path(node.config).write_text(config_text(node.directory, **settings))

    return write


def wait_for_line(node: Any, event: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_S
    while not (lines := node.lines(event)):
        assert time.monotonic() < deadline, node.log[-2000:]
        time.sleep(0.02)
    found: dict[str, Any] = lines[-1]
    return found


def test_sighup_applies_what_can_be_and_names_what_needs_a_restart(programs: Any, write: Callable[..., None]) -> None:
    node = programs.node()
    node.ready()
    write(node, observe__logLevel="debug", edgeMesh__lbStrategy="Random", edged__nodeStatusUpdateFrequency=3600,
          edgeMesh__listenPort=40011)  # fmt: skip

    node.process.send_signal(signal.SIGHUP)

    line = wait_for_line(node, "config_reloaded")
    applied = ["modules.edgeMesh.lbStrategy", "modules.edged.nodeStatusUpdateFrequency", "observe.logLevel"]
    assert line["applied"] == applied
    assert line["restart"] == ["modules.edgeMesh.listenPort"]
    assert node.stop() == 0


def test_sighup_with_a_broken_file_changes_nothing_and_ends_nothing(programs: Any) -> None:
    node = programs.node()
    node.ready()
    node.config.write_text("modules: {edgeMesh: [")

    node.process.send_signal(signal.SIGHUP)

    line = wait_for_line(node, "config_not_reloaded")
    assert line["level"] == "error"
    assert f"cannot read {node.config} as YAML" in line["error"]
    assert node.status()["node"] == "edge-1"


def test_reload_tells_what_became_of_each_key(programs: Any, write: Callable[..., None]) -> None:
    node = programs.node()
    node.ready()

    def reload(*flags: str) -> Any:
        return programs.run("edgecore", "reload", "--control", node.directory / "edgecore.sock", *flags)

    same = reload()
    write(node, edgeMesh__lbStrategy="Random")
    applied = reload()
    write(node, edgeMesh__lbStrategy="Random", edgeMesh__listenPort=40011)
    partly = reload("--json")
    write(node, edgeMesh__lbStrategy="Anything")
    refused = reload()

    assert (same.returncode, same.stdout) == (0, "nothing is changed\n")
    assert (applied.returncode, applied.stdout) == (
        0,
        'modules.edgeMesh.lbStrategy: "RoundRobin" -> "Random": applied\n',
    )
    assert partly.returncode == 3
    (key,) = json.loads(partly.stdout)["keys"]
    assert (key["key"], key["outcome"]) == ("modules.edgeMesh.listenPort", "restart")
    assert refused.returncode == 1
    assert refused.stdout.startswith("refused, and nothing is changed:\n")
    assert 'found "Anything"' in refused.stdout
    assert [each.stderr for each in (same, applied, partly, refused)] == [""] * 4


def test_explain_goes_by_what_was_reloaded(programs: Any, words: Any, write: Callable[..., None], backend: Any) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    cloud.send(*words.arrival("web", 18080, backend()))
    node.service("web")
    write(node, server=cloud.url, edgeMesh__lbStrategy="LeastRequest")

    told = programs.run("edgecore", "reload", "--config", node.config)

    assert told.returncode == 0, told.stdout
    services = programs.run("edgecore", "services", "web", "--config", node.config).stdout
    assert "LeastRequest" in services
    explained = programs.run("edgecore", "explain", "http://web.default.svc:18080/", "--config", node.config).stdout
    assert "LeastRequest" in explained
    assert "RoundRobin" not in explained


def test_sigterm_while_a_burst_arrives_ends_the_node_within_five_seconds(programs: Any, words: Any) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    node.ready()
    messages = [words.put(words.service(f"s{number}", ("http", 20_000))) for number in range(2000)]
    recording = cloud.directory / "burst.jsonl"
    frames = ({"t_ns": 1, "link": 1, "dir": "cloud->edge", "text": json.dumps(one)} for one in messages)
    recording.write_text("".join(json.dumps(frame) + "\n" for frame in frames))
    replay = cloud.control.stream("POST", "/v1/replay", {"file": str(recording)})
    next(replay)
    node.wait_for("first services", lambda status: len(status["mesh"].get("services", ())) > 20)

    began = time.monotonic()
    assert node.stop() == 0
    assert time.monotonic() - began < 5
    replay.close()
    assert not node.lines("modules_would_not_stop")
