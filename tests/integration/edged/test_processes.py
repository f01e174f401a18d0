"""The process runtime with real processes: what it reports, what they see, and that none is left."""

import asyncio
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.beehive.resource import EdgeResource
from edgecore.clock import settle
from processpods import LIMIT_BYTES, PATIENCE_S, Watched, ended, running, shell, until_printed, until_there


async def test_a_command_that_succeeds_has_completed_and_its_output_is_kept(watched: Watched) -> None:
    watched.start(shell("echo hello; echo there >&2"), restartPolicy="Never")
    state = await watched.state("c", ended)
    assert (state.exit_code, state.reason, state.over, state.restarts) == (0, "Completed", True, 0)
    assert watched.printed() == "hello\nthere\n"
    assert watched.runtime.places("u1").log("c", 0).stat().st_mode & 0o777 == 0o600
    assert [each[0].state for _, each in watched.reports] == ["waiting", "running", "terminated"]


async def test_a_command_that_fails_has_its_exit_code(watched: Watched) -> None:
    watched.start(shell("exit 3"), restartPolicy="Never")
    state = await watched.state("c", ended)
    assert (state.exit_code, state.reason) == (3, "Error")


async def test_a_signal_is_128_and_its_number(watched: Watched) -> None:
    watched.start(shell("kill -SEGV $$$$"), restartPolicy="Never")
    state = await watched.state("c", ended)
    assert (state.exit_code, state.reason) == (128 + signal.SIGSEGV, "Error")


async def test_a_command_that_is_not_there_cannot_be_run_and_is_tried_again_later(watched: Watched) -> None:
    watched.start({"name": "c", "image": "i", "command": ["/no/such/program"]})
    first = await watched.state("c", ended)
    assert (first.exit_code, first.reason, first.restarting) == (127, "ContainerCannotRun", True)
    assert first.message == "No such file or directory: /no/such/program"
    waits = await watched.state("c", lambda state: state.reason == "CrashLoopBackOff")
    assert waits.message == "back-off 10s restarting failed container=c pod=p_default(u1)"


async def test_what_fails_is_started_again_at_once_and_then_waits(watched: Watched) -> None:
    watched.start(shell("echo run; exit 1"))
    state = await watched.state("c", lambda state: state.reason == "CrashLoopBackOff")
    assert state.restarts == 1
    assert state.last is not None
    assert state.last.exit_code == 1
    assert watched.printed(restarts=1) == "run\n"


async def test_without_command_and_mapping_the_reason_says_what_to_configure(watched: Watched) -> None:
    watched.start({"name": "c", "image": "nginx:latest"})
    state = await watched.state("c", lambda state: state.reason == "ErrImagePull")
    assert "modules.edged.processImages" in state.message
    watched.kill()
    await watched.until(lambda states: states == ())


async def test_variables_are_those_of_the_pod_and_none_of_the_node(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_SECRET", "x")
    objects = {
        EdgeResource("default", "configmap", "cm"): {"level": b"debug", "other": b"1"},
        EdgeResource("default", "secret", "s"): {"token": b"t0p"},
    }
    env = [
        {"name": "A", "value": "a"},
        {"name": "B", "value": "$(A)-$$(A)-$(NOT)"},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "level"}}},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "token"}}},
    ]
    container = shell("env", env=env, envFrom=[{"prefix": "CM_", "configMapRef": {"name": "cm"}}])
    watched.start(container, objects=objects, restartPolicy="Never")
    await watched.state("c", ended)
    lines = watched.printed().splitlines()
    for line in ("A=a", "B=a-$(A)-$(NOT)", "POD=p", "APP=x", "LEVEL=debug", "TOKEN=t0p", "CM_other=1"):
        assert line in lines
    assert not [line for line in lines if line.startswith("NODE_SECRET")]


async def test_volumes_are_directories_and_mounts_lie_below_the_root(watched: Watched) -> None:
    objects = {EdgeResource("default", "configmap", "cm"): {"app.conf": b"x=1\n"}}
    volumes = [{"name": "conf", "configMap": {"name": "cm"}}, {"name": "tmp", "emptyDir": {}}]
    mounts = [{"name": "conf", "mountPath": "/etc/app"}, {"name": "tmp", "mountPath": "/scratch"}]
    script = 'cat "$EDGECORE_ROOT/etc/app/app.conf" "$EDGECORE_VOLUME_CONF/app.conf"; echo 1 > $EDGECORE_ROOT/scratch/f'
    watched.start(shell(script, volumeMounts=mounts), objects=objects, volumes=volumes, restartPolicy="Never")
    state = await watched.state("c", ended)
    assert (state.exit_code, watched.printed()) == (0, "x=1\nx=1\n")
    places = watched.runtime.places("u1")
    assert (places.pod / "volumes/conf/app.conf").stat().st_mode & 0o777 == 0o600
    assert (places.pod / "volumes/tmp/f").read_text() == "1\n"
    watched.kill()
    async with asyncio.timeout(PATIENCE_S):
        while places.pod.exists():
            await asyncio.sleep(0.01)


async def test_when_a_config_map_changes_its_files_do_and_what_runs_runs_on(watched: Watched) -> None:
    name = EdgeResource("default", "configmap", "cm")
    volumes = [{"name": "conf", "configMap": {"name": "cm"}}]
    container = shell("exec sleep 60")
    watched.start(container, objects={name: {"a": b"1", "b": b"1"}}, volumes=volumes)
    await watched.state("c", running)
    watched.update(container, objects={name: {"a": b"2"}}, volumes=volumes)
    directory = watched.runtime.places("u1").pod / "volumes/conf"
    async with asyncio.timeout(PATIENCE_S):
        while [(path.name, path.read_text()) for path in directory.iterdir()] != [("a", "2")]:
            await asyncio.sleep(0.01)
    assert watched.reports[-1][1][0].state == "running"


async def test_a_container_that_lacks_a_key_is_started_once_the_key_is_there(watched: Watched) -> None:
    name = EdgeResource("default", "secret", "s")
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "a"}}}]
    container = shell("echo $A; exec sleep 60", env=env)
    watched.start(container, objects={name: {}})
    waits = await watched.state("c", lambda state: state.reason == "CreateContainerConfigError")
    assert waits.message == "couldn't find key a in Secret default/s"
    watched.update(container, objects={name: {"a": b"found"}})
    await watched.state("c", running)
    await until_printed(watched, "found\n")


async def test_a_pod_that_cannot_be_understood_waits_and_says_why(watched: Watched) -> None:
    watched.start(shell("true", env=[{"name": "A", "value": 7}]))
    state = await watched.state("c", lambda state: state.reason == "CreateContainerConfigError")
    assert "env" in state.message
    watched.update(shell("exec sleep 60"), objects={})
    await watched.state("c", running)


async def test_why_a_container_is_not_started_is_logged_once_while_it_stays_the_same(watched: Watched) -> None:
    container = {"name": "c", "image": "unknown"}
    with capture_logs() as logs:
        watched.start(container)
        await watched.state("c", lambda state: state.reason == "ErrImagePull")
        watched.update(container, objects={})
        await settle(50)
        watched.update(shell("exec sleep 60"), objects={})
        await watched.state("c", running)
    assert [entry["reason"] for entry in logs if entry["event"] == "container_not_started"] == ["ErrImagePull"]


async def test_an_init_container_that_fails_for_good_fails_the_pod(watched: Watched) -> None:
    watched.start(shell("true"), initContainers=[shell("exit 4", "first")], restartPolicy="Never")
    state = await watched.state("first", ended)
    assert (state.exit_code, state.over) == (4, True)
    assert watched.reports[-1][1][1].reason == "PodInitializing"


async def test_init_containers_come_first_one_after_the_other(watched: Watched) -> None:
    volumes = [{"name": "v", "emptyDir": {}}]

    def step(name: str) -> dict[str, Any]:
        return shell(f"echo {name} >> $EDGECORE_VOLUME_V/order", name)

    watched.start(
        shell("cat $EDGECORE_VOLUME_V/order; exec sleep 60"),
        initContainers=[step("first"), step("second")],
        volumes=volumes,
    )
    await watched.state("c", running)
    async with asyncio.timeout(PATIENCE_S):
        while watched.printed() != "first\nsecond\n":
            await asyncio.sleep(0.01)
    assert watched.reports[0][1][2].reason == "PodInitializing"


async def test_output_is_bounded_and_the_last_of_it_is_there(watched: Watched) -> None:
    watched.start(shell("i=0; while [ $i -lt 9000 ]; do echo line $i; i=$((i+1)); done"), restartPolicy="Never")
    await watched.state("c", ended)
    path = watched.runtime.places("u1").log("c", 0)
    older = path.with_name(path.name + ".1")
    assert path.read_text().endswith("line 8999\n")
    assert path.stat().st_size + older.stat().st_size <= 2 * LIMIT_BYTES + 65_536


async def test_an_image_of_the_configuration_is_run_at_the_port_of_the_host_and_its_probe_makes_it_ready(
    tmp_path: Path,
) -> None:
    port = _free_port()
    command = f"{sys.executable} -m http.server --bind 127.0.0.1 {{hostPort}}"
    watched = Watched(tmp_path, f"nginx={command}")
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}
    ports = [{"containerPort": 80, "hostPort": port}]
    watched.start({"name": "c", "image": "nginx:latest", "ports": ports, "readinessProbe": probe})
    try:
        first = await watched.state("c", running)
        assert not first.ready
        assert (await watched.state("c", lambda state: state.ready)).passes_since
    finally:
        await watched.runtime.close()


async def test_an_exec_probe_that_fails_has_the_container_started_again(watched: Watched) -> None:
    probe = {"exec": {"command": ["test", "-e", "alive"]}, "periodSeconds": 1, "failureThreshold": 1}
    watched.start(shell("touch alive; sleep 0.2; sleep 60", livenessProbe=probe | {"initialDelaySeconds": 1}))
    await until_there(watched.runtime.places("u1").work("c") / "alive")
    (watched.runtime.places("u1").work("c") / "alive").unlink()
    state = await watched.state("c", lambda state: state.restarts == 1)
    assert state.last is not None
    assert (state.last.exit_code, state.last.message) == (143, "Container c failed liveness probe")


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
