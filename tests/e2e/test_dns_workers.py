"""A node whose names several processes answer for."""

import os
import signal
from typing import Any

import pytest

from edgecore.demo import probes
from tests.support.endings import wait_for_end


def worker_of(node: Any) -> int:
    """Return the pid of the node's worker, once it answers."""

    def look(status: Any) -> Any:
        return next((one["pid"] for one in status["mesh"]["dns"]["workers"] if one["state"] == "answering"), None)

    found: int = node.wait_for("worker", look)
    return found


@pytest.fixture
def node(programs: Any, words: Any, backend: Any) -> Any:
    """A node with a worker and a service."""
    cloud = programs.cloud()
    node = programs.node(cloud=cloud, edgeMesh__dns__workers=2)
    cloud.send(*words.arrival("web", 12345, backend()))
    node.service("web")
    return node


def test_every_client_gets_the_address_whichever_process_answers(node: Any) -> None:
    worker_of(node)
    host, _, port = node.status()["mesh"]["dns"]["listening"][0].rpartition(":")
    address = node.find("web")["fake_ip"]
    found = {probes.ask((host, int(port)), "web.default.svc.cluster.local").address for _ in range(40)}
    assert found == {address}
    assert node.stop() == 0


def test_worker_ends_with_a_node_that_is_killed(node: Any) -> None:
    pid = worker_of(node)
    node.stop(signal.SIGKILL)
    wait_for_end(pid)


def test_worker_that_stands_still_ends_with_a_node_that_is_killed(node: Any) -> None:
    pid = worker_of(node)
    os.kill(pid, signal.SIGSTOP)
    node.stop(signal.SIGKILL)
    wait_for_end(pid)


def test_worker_that_is_killed_is_started_again(node: Any) -> None:
    pid = worker_of(node)

    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    assert node.resolve("web.default.svc.cluster.local")[0] == "NOERROR"
    assert worker_of(node) != pid
    assert [line["worker"] for line in node.lines("dns_worker_ended")] == [1]
    assert node.stop() == 0


def test_ctrl_c_of_a_terminal_ends_the_node_and_its_worker(node: Any) -> None:
    pid = worker_of(node)

    os.kill(pid, signal.SIGINT)  # a terminal tells both
    assert node.stop(signal.SIGINT) == 0
    wait_for_end(pid)
    assert node.lines("dns_worker_ended") == []
