"""``edgecore replay`` as a program: the verdict and its exit code; the same bytes twice."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edgecore.recording.entries import SessionHead, Snapshot
from edgecore.recording.reader import read_entries

pytestmark = pytest.mark.timeout(120)

DATA = Path(__file__).parents[1] / "data"
SERVICES = DATA / "b_services_endpoints_pods.jsonl"
DEVICES = DATA / "d_devices_twins.jsonl"


def replay(*arguments: str | Path, lines: str = "", **surroundings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edgecore", "replay", *map(str, arguments)],
        input=lines,
        env={**os.environ, **surroundings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def kept(database: Path) -> tuple[str, ...]:
    """Return the keys of the services and their addresses."""
    query = "SELECT key FROM meta WHERE type IN ('service', 'listener') ORDER BY key"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return tuple(key for (key,) in connection.execute(query))


def test_two_replays_in_virtual_time_give_the_same_bytes(tmp_path: Path) -> None:
    """Services, pods, devices; in processes that order what is hashed in other ways, somewhere else on earth."""
    outputs = []
    for number, zone in (("1", "UTC"), ("2", "Asia/Tokyo")):
        output = tmp_path / number
        surroundings = {"PYTHONHASHSEED": number, "TZ": zone, "POD_NAMESPACE": f"of-pod-{number}"}
        done = replay(SERVICES, DEVICES, "--output", output, "--dns", "nginx-svc.default", **surroundings)
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append([path.read_bytes() for path in sorted(output.iterdir())])
    assert outputs[0] == outputs[1]
    entries = list(read_entries(tmp_path / "1" / f"{SERVICES.stem}.jsonl"))
    assert isinstance(entries[0], SessionHead)
    assert isinstance(entries[-1], Snapshot)
    assert [one.n for one in entries] == list(range(1, len(entries) + 1))


def test_in_steps_each_entry_waits_for_a_line_and_the_end_is_a_decision(tmp_path: Path) -> None:
    done = replay(SERVICES, "--step", lines="\n\nq\n")
    assert done.returncode == 2
    assert done.stderr.count("#") == 3
    assert "you ended it" in done.stderr


def test_what_a_node_recorded_in_a_demonstration_replays_equal(programs: Any, words: Any, tmp_path: Path) -> None:
    """Recorded by another process, in real time, with all that passes it."""
    whole = tmp_path / "whole.jsonl.zst"
    cloud = programs.cloud()
    node = programs.node(cloud=cloud, flags=["--record", whole, "--record-kinds", "all"])
    node.wait_for("link", lambda status: status["state"] == "ok")
    cloud.send(*words.arrival("web", 80, ("10.0.0.1", 80), ("10.0.0.2", 80)))
    node.wait_for("service", lambda _status: node.find("web"))
    cloud.send(words.pods("web", [words.pod("web-0", ("10.0.0.1", 80))]), words.put(words.service("other")))
    node.wait_for("service", lambda _status: node.find("other"))
    cloud.send(words.message("delete", "default/service/web", words.service("web")))
    rows = ("default/listener/default.other", "default/service/other")
    node.wait_for("the rows at the end", lambda _status: kept(node.config.parent / "edgecore.db") == rows)
    node.stop()
    done = replay(whole, "--config", node.config)
    assert done.returncode == 0, done.stdout + done.stderr
