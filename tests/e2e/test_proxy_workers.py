"""A node whose traffic several processes forward."""

import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support.endings import wait_for_end


def worker_of(node: Any) -> int:
    """Return the pid of the node's worker, once it forwards."""

    def look(status: Any) -> Any:
        return next((one["pid"] for one in status["mesh"]["proxy"]["workers"] if one["state"] == "answering"), None)

    found: int = node.wait_for("worker", look)
    return found


def listening_at(host: str, port: int) -> int:
    """Return how many sockets listen at an address."""
    here = "".join(f"{int(part):02X}" for part in reversed(host.split("."))) + f":{port:04X}"
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(words[1] == here and words[3] == "0A" for words in lines)


def requests(node: Any) -> int:
    """Return how many requests were answered with 200."""
    return sum(port["codes"].get("200", 0) for port in node.status()["mesh"]["proxy"]["requests"].values())


@pytest.fixture
def node(programs: Any, words: Any, backend: Any) -> Any:
    """A node with a worker and a service."""
    cloud = programs.cloud()
    node = programs.node(cloud=cloud, edgeMesh__traffic__workers=2)
    cloud.send(*words.arrival("web", 12345, backend()))
    node.service("web")
    return node


def ask(node: Any, times: int = 40) -> None:
    address = node.find("web")["fake_ip"]
    for _ in range(times):
        with urllib.request.urlopen(f"http://{address}:12345/", timeout=20) as answer:
            assert answer.status == 200


def test_every_client_is_served_whichever_process_it_comes_to(node: Any) -> None:
    worker_of(node)
    address = node.find("web")["fake_ip"]
    node.wait_for("both", lambda status: listening_at(address, 12345) == 2)
    ask(node)
    node.wait_for("figures", lambda status: requests(node) == 40)
    assert node.stop() == 0


def test_worker_ends_with_a_node_that_is_killed(node: Any) -> None:
    pid = worker_of(node)
    node.stop(signal.SIGKILL)
    wait_for_end(pid)


def test_worker_that_is_killed_is_missed_by_nobody_and_started_again(node: Any) -> None:
    pid = worker_of(node)

    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    ask(node, 10)
    assert worker_of(node) != pid
    assert [line["worker"] for line in node.lines("proxy_worker_ended")] == [1]
    assert node.stop() == 0
