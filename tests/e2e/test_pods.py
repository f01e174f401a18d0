"""Pods that run as processes: from the cloud to a program on this machine, and what the commands show of it."""

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endings import wait_for_end

PATIENCE_S = 20.0
SERVER = shlex.quote(sys.executable) + " -u -m http.server --bind 127.0.0.1 {hostPort} --directory {root}/srv"
UID = "11111111-2222-3333-4444-555555555555"


def _pod(name: str, uid: str = UID, **container: Any) -> dict[str, Any]:
    spec = {
        "nodeName": "edge-1",
        "terminationGracePeriodSeconds": 2,
        "volumes": [{"name": "site", "configMap": {"name": "site"}}],
        "containers": [
            {
                "name": "web",
                "image": "nginx:latest",
                "volumeMounts": [{"name": "site", "mountPath": "/srv"}],
                **container,
            }
        ],
    }
    return {"metadata": {"name": name, "namespace": "default", "uid": uid}, "spec": spec}


def _pods(programs: Any, node: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        programs.run("edgecore", "pods", "-o", "json", "--config", node.config).stdout
    )
    return found


def _wait_for(programs: Any, node: Any, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for pod in _pods(programs, node):
            if holds(pod):
                return pod
        time.sleep(0.1)
    pytest.fail(f"{_pods(programs, node)}\n{node.log[-3000:]}")


def _processes(mark: str) -> list[int]:
    """Return the processes in whose command line ``mark`` stands."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark in (entry / "cmdline").read_text():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def _site(words: Any) -> dict[str, Any]:
    content = {"metadata": {"name": "site", "namespace": "default"}, "data": {"index.html": "from a ConfigMap"}}
    return words.message("insert", "default/configmap/site", content)  # type: ignore[no-any-return]


def test_an_image_of_the_configuration_serves_what_a_config_map_holds(
    programs: Any, words: Any, free_port: Any, fetch: Any
) -> None:
    cloud, port = programs.cloud(), free_port()
    node = programs.node(cloud=cloud, edged__runtime="process", edged__processImages=[f"nginx={SERVER}"])
    node.ready()
    probe = {"httpGet": {"path": "/index.html", "port": 80}, "periodSeconds": 1}
    pod = _pod("web-1", ports=[{"containerPort": 80, "hostPort": port}], readinessProbe=probe)

    cloud.send(_site(words), words.message("insert", "default/pod/web-1", pod))

    shown = _wait_for(programs, node, lambda pod: pod["ready"] == 1)
    assert (shown["status"], shown["restarts"], shown["pod_ip"]) == ("Running", 0, shown["host_ip"])
    assert fetch(f"http://127.0.0.1:{port}/index.html") == (200, "from a ConfigMap")
    logs = programs.run("edgecore", "logs", "web-1", "--tail", "1", "--config", node.config)
    assert (logs.returncode, "GET /index.html" in logs.stdout) == (0, True)
    table = programs.run("edgecore", "pods", "--config", node.config).stdout
    assert table.splitlines()[1].split()[:5] == ["default", "web-1", "1/1", "Running", "0"]

    pod["metadata"]["deletionTimestamp"] = "2026-11-22T05:00:00Z"
    cloud.send(words.message("update", "default/pod/web-1", pod))
    deadline = time.monotonic() + PATIENCE_S
    while _pods(programs, node) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert (_pods(programs, node), _processes(f"\0{port}\0")) == ([], [])
    assert not list((node.directory / "pods").iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_node_and_after_a_start_it_runs_again(
    programs: Any, words: Any, number: signal.Signals
) -> None:
    mark = f"{os.getpid()}{number:d}.5"
    cloud = programs.cloud()
    node = programs.node(cloud=cloud, edged__runtime="process")
    node.ready()
    pod = _pod("p", command=["sh", "-c", f"echo begun; setsid sleep {mark} & exec sleep {mark}"])
    cloud.send(_site(words), words.message("insert", "default/pod/p", pod))
    _wait_for(programs, node, lambda pod: pod["status"] == "Running")
    deadline = time.monotonic() + PATIENCE_S
    while len(_processes(mark)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    running = _processes(mark)
    assert len(running) == 2

    node.process.send_signal(number)
    node.ended()
    for pid in running:
        wait_for_end(pid)

    node = programs.node(cloud=cloud, edged__runtime="process")
    node.ready()
    again = _wait_for(programs, node, lambda pod: pod["ready"] == 1)
    assert again["containers"][0]["last_exit_code"] == 137
    assert again["restarts"] == 1
    previous = programs.run("edgecore", "logs", "--previous", "p", "--config", node.config)
    assert previous.stdout == "begun\n"


def test_a_process_that_ignores_sigterm_does_not_keep_the_node_from_stopping_in_order(
    programs: Any, words: Any
) -> None:
    mark = f"{os.getpid()}.25"
    node = programs.node(cloud=(cloud := programs.cloud()), edged__runtime="process")
    node.ready()
    pod = _pod("p", command=["sh", "-c", f"trap '' TERM; while :; do sleep {mark} & wait; done"])
    cloud.send(_site(words), words.message("insert", "default/pod/p", pod))
    _wait_for(programs, node, lambda pod: pod["status"] == "Running")
    deadline = time.monotonic() + PATIENCE_S
    while not _processes(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    running = _processes(mark)

    node.process.send_signal(signal.SIGTERM)
    node.ended()

    assert node.process.returncode == 0
    assert "modules_would_not_stop" not in node.log
    for pid in running:
        wait_for_end(pid)


def test_a_log_is_followed_until_the_container_ends(programs: Any, words: Any) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud, edged__runtime="process")
    node.ready()
    script = "echo 1; while ! test -e go; do sleep 0.1; done; echo 2; exit 0"
    pod = _pod("p", command=["sh", "-c", script])
    pod["spec"]["restartPolicy"] = "Never"
    cloud.send(_site(words), words.message("insert", "default/pod/p", pod))
    _wait_for(programs, node, lambda pod: pod["status"] == "Running")
    (node.directory / "pods" / UID / "containers" / "web" / "work" / "go").touch()
    followed = programs.run("edgecore", "logs", "-f", "-n", "default", "p", "--config", node.config)
    assert (followed.returncode, followed.stdout) == (0, "1\n2\n")
    _wait_for(programs, node, lambda pod: pod["status"] == "Completed")


def test_simulated_containers_have_no_log_and_it_is_said_what_to_configure(programs: Any, words: Any) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    node.ready()
    cloud.send(words.message("insert", "default/pod/p", _pod("p")))
    _wait_for(programs, node, lambda pod: pod["status"] == "Running")
    done = programs.run("edgecore", "logs", "p", "--config", node.config)
    assert done.returncode == 1
    assert "modules.edged.runtime: process" in done.stderr


def test_the_docker_runtime_is_refused_with_what_there_is_instead(programs: Any) -> None:
    node = programs.node(edged__runtime="docker")
    assert node.ended() != 0
    assert "modules.edged.runtime" in node.log + node.out
    assert "processImages" in node.log + node.out
