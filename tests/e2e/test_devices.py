"""``edgecore devices`` on a node whose cloud has a device for it."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from cloudhub_stub.testing.cloud import Cloud
from cloudhub_stub.testing.edge import Edge

ROOT = Path(__file__).parents[2]
NODE = "edge-node1"


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with edge_with_device(tmp_path_factory.mktemp("devices")) as edge:
        yield edge


@contextmanager
def edge_with_device(directory: Path) -> Iterator[Edge]:
    """Yield a node that has got the device of the examples."""
    with Cloud.start(directory, plain=True) as cloud:
        edge = cloud.start_edge(NODE)
        assert ask(edge)[1] == "the node has no devices\n"
        for manifest in ("device-model", "device"):
            cloud.apply((ROOT / f"examples/manifests/devices/{manifest}.yaml").read_text())
        cloud.wait_for(lambda _: shown(edge), what="the device is at the node")
        yield edge


def ask(edge: Edge, *words: str) -> tuple[int, str, str]:
    """Run the command; return exit code, output and the last line of what it complains of."""
    command = [sys.executable, "-m", "edgecore", "devices", *words, "--config", str(edge.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)
    return done.returncode, done.stdout, done.stderr.strip().rpartition("\n")[2]


def shown(edge: Edge) -> Any:
    return json.loads(ask(edge, "-o", "json")[1])


def test_all_devices_are_listed(edge: Edge) -> None:
    code, text, _ = ask(edge, "--no-headers")
    assert (code, text.split()) == (0, ["led-1", "unknown", "-", "1", "1", "LEDLight"])
    assert shown(edge)[0]["differ"] == 1


def test_one_device_is_shown_with_what_the_cloud_wants_of_it(edge: Edge) -> None:
    code, text, _ = ask(edge, "led-1")
    assert code == 0
    assert text.startswith("device led-1: state unknown\n  LEDLight\n\nTWIN")
    assert text.splitlines()[-1].split()[:5] == ["power-status", "string", "ON", "-", "yes"]


def test_a_device_that_is_not_there_is_said_in_one_sentence(edge: Edge) -> None:
    code, text, complaint = ask(edge, "led-2")
    assert (code, text) == (1, "")
    assert complaint.endswith("cannot show device led-2: the node has none of that id; see `edgecore devices`")


def test_the_device_is_there_after_a_crash(tmp_path: Path) -> None:
    with edge_with_device(tmp_path) as edge:
        before = shown(edge)
        edge.kill()
        edge.start()
        assert shown(edge) == before


def test_a_cloud_that_tells_devices_takes_those_that_it_does_not_name(tmp_path: Path) -> None:
    with Cloud.start(tmp_path, plain=True, edges=[NODE], args=["--tell-devices", "--confirm-reports"]) as cloud:
        edge = cloud.edge(NODE)
        edge.stop()
        with closing(sqlite3.connect(edge.directory / "edgecore.db")) as database, database:
            database.execute("INSERT INTO device (id, name) VALUES ('stranger', 'stranger')")
        edge.start()
        cloud.wait_for(lambda _: ask(edge)[1] == "the node has no devices\n", what="the device is gone")
        assert edge.status()["parts"]["twin"]["confirmed"] == 1
        assert edge.status()["parts"]["twin"]["unconfirmed"] == 0
