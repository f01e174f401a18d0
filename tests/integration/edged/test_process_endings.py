"""The process runtime with real processes: how they end, and what is left of a pod."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from edgecore.beehive.resource import EdgeResource
from edgecore.beehive.runner import MODULE_STOP_S
from edgecore.modules.edged.process.processes import CLOSE_GRACE_S
from edgecore.modules.edged.process.supervision import END_S
from edgecore.modules.edged.runtime import ContainerState
from endings import has_ended, wait_for_end
from processpods import Watched, ended, running, shell, until_gone, until_printed


async def test_directories_of_pods_that_are_not_there_any_more_are_removed_and_of_others_kept(watched: Watched) -> None:
    for name in ("gone", "over"):
        (watched.root / name / "volumes").mkdir(parents=True)
    watched.start(shell("exec sleep 60"))
    await watched.state("c", running)
    watched.runtime.keep_only(["over"])
    await until_gone(watched.root / "gone")
    assert sorted(each.name for each in watched.root.iterdir()) == ["over", "u1"]


async def test_of_a_pod_that_was_over_before_the_start_the_directory_is_removed_with_it(watched: Watched) -> None:
    (watched.root / "u1" / "logs").mkdir(parents=True)
    watched.kill()
    await until_gone(watched.root / "u1")
    assert watched.reports == [("u1", ())]


async def test_a_pod_that_is_told_to_go_ends_by_sigterm(watched: Watched) -> None:
    watched.start(shell("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"))
    await until_printed(watched, "up\n")
    watched.kill()
    state = await watched.state("c", ended)
    assert (state.exit_code, state.reason, state.over) == (0, "Completed", True)


async def test_what_does_not_heed_sigterm_is_killed_after_its_grace(watched: Watched) -> None:
    watched.start(shell("trap '' TERM; echo up; while :; do sleep 0.05; done"), terminationGracePeriodSeconds=1)
    await until_printed(watched, "up\n")
    watched.kill()
    state = await watched.state("c", ended)
    assert (state.exit_code, state.reason, state.over) == (137, "Error", True)


async def test_the_grace_of_the_deletion_comes_before_that_of_the_specification(watched: Watched) -> None:
    watched.start(shell("trap '' TERM; echo up; while :; do sleep 0.05; done"), terminationGracePeriodSeconds=3600)
    await until_printed(watched, "up\n")
    watched.kill(grace_s=0)
    state = await watched.state("c", ended)
    assert (state.exit_code, state.over) == (137, True)


async def test_a_grace_that_is_no_time_ends_as_any_other(watched: Watched) -> None:
    watched.start(shell("exec sleep 60"), terminationGracePeriodSeconds=10**400)
    await watched.state("c", running)
    watched.kill()
    state = await watched.state("c", ended)
    assert (state.exit_code, state.over) == (143, True)


async def test_an_update_leaves_the_files_of_a_running_container_alone(watched: Watched) -> None:
    pod: dict[str, Any] = {
        "volumes": [{"name": "conf", "configMap": {"name": "conf"}}],
        "initContainers": [],
    }
    mounts = [{"name": "conf", "mountPath": "/etc/app"}]
    container = shell("echo mine > $EDGECORE_ROOT/mine; echo up; exec sleep 60", volumeMounts=mounts)
    objects = {EdgeResource("default", "configmap", "conf"): {"k": b"1", "old": b"1"}}
    watched.start(container, objects=objects, **pod)
    await until_printed(watched, "up\n")
    places = watched.runtime.places("u1")
    link, file = places.root("c") / "etc/app", places.pod / "volumes/conf/k"
    before = link.lstat().st_ino, file.stat().st_ino
    watched.update(container, objects=objects, **pod)
    watched.update(container, objects={EdgeResource("default", "configmap", "conf"): {}}, **pod)
    await until_gone(file)
    await until_gone(file.with_name("old"))
    assert (places.root("c") / "mine").read_text() == "mine\n"
    assert link.lstat().st_ino == before[0]
    assert list((places.pod / "volumes/conf").iterdir()) == []


async def test_a_directory_that_is_not_there_is_named(watched: Watched) -> None:
    watched.start(shell("exit 0", workingDir="/no/such/place"))
    state = await watched.state("c", ended)
    assert (state.exit_code, state.message) == (127, "No such file or directory: /no/such/place")


async def test_the_initial_delay_of_a_probe_counts_from_the_start_of_the_container(watched: Watched) -> None:
    startup = {"exec": {"command": ["test", "-e", "started"]}, "periodSeconds": 1, "failureThreshold": 60}
    readiness = {"exec": {"command": ["true"]}, "initialDelaySeconds": 2, "periodSeconds": 60}
    watched.start(shell("sleep 2; touch started; exec sleep 60", startupProbe=startup, readinessProbe=readiness))
    began = asyncio.get_running_loop().time()
    await watched.state("c", lambda state: running(state) and state.started)
    started_after = asyncio.get_running_loop().time() - began
    await watched.state("c", lambda state: state.ready)
    assert started_after > 1.5
    assert asyncio.get_running_loop().time() - began < started_after + 1.5


async def test_a_closed_runtime_starts_nothing(watched: Watched) -> None:
    await watched.runtime.close()
    watched.start(shell("exit 0"))
    watched.kill()
    assert watched.reports == []
    assert not watched.root.exists()


async def test_a_close_that_has_no_time_left_ends_the_processes_at_once(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.start(shell("trap '' TERM; echo $$$$; while :; do sleep 0.05; done"))
    await until_printed(watched, "\n")
    closing = asyncio.create_task(watched.runtime.close())
    await asyncio.sleep(0.05)
    closing.cancel()
    await asyncio.wait({closing})
    assert closing.cancelled()
    await asyncio.to_thread(wait_for_end, int(watched.printed()))
    await watched.runtime.close()


def test_a_node_has_time_to_end_its_processes_before_it_is_given_up() -> None:
    assert CLOSE_GRACE_S + END_S < MODULE_STOP_S


async def test_nothing_that_a_container_started_outlives_it(watched: Watched) -> None:
    script = "setsid sh -c 'sleep 61 & echo $!; wait' & sleep 60 & echo $!; sleep 0.3; exit 0"
    watched.start(shell(script), restartPolicy="Never")
    await watched.state("c", ended)
    pids = [int(word) for word in watched.printed().split()]
    assert len(pids) >= 2
    for pid in pids:
        await asyncio.to_thread(wait_for_end, pid)


async def test_when_the_node_goes_on_after_a_stop_the_container_is_started_again(watched: Watched) -> None:
    before = ContainerState("c", "running", started_at="2020-05-09T04:53:20Z", container_id="process://1", restarts=2)
    watched.start(shell("exec sleep 60"), before=(before,))
    state = await watched.state("c", running)
    assert state.restarts == 3
    assert state.last is not None
    assert (state.last.exit_code, state.last.container_id) == (137, "process://1")


async def test_a_supervisor_that_is_killed_takes_the_processes_along_and_another_is_started(watched: Watched) -> None:
    watched.start(shell("echo $$$$; exec sleep 60"))
    await watched.state("c", running)
    await until_printed(watched, "\n")
    pid = int(watched.printed())
    os.kill(watched.runtime.supervisor_pid, signal.SIGKILL)
    state = await watched.state("c", lambda state: state.restarts == 1 and state.state == "running")
    assert state.last is not None
    assert state.last.exit_code == 137
    await asyncio.to_thread(wait_for_end, pid)


async def test_a_stop_leaves_no_process(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.start(shell("trap '' TERM; echo $$$$; while :; do sleep 0.05; done"))
    await until_printed(watched, "\n")
    await watched.runtime.close()
    assert has_ended(int(watched.printed()))


async def test_a_container_whose_image_is_changed_is_started_with_the_new_one_whatever_the_policy(
    tmp_path: Path,
) -> None:
    watched = Watched(tmp_path, "one=sh -c 'echo 1; exec sleep 60'", "two=sh -c 'echo 2; exec sleep 60'")
    watched.start({"name": "c", "image": "one"}, restartPolicy="Never")
    await until_printed(watched, "1\n")
    watched.update({"name": "c", "image": "two"}, objects={}, restartPolicy="Never")
    ends = await watched.state("c", ended)
    assert (ends.restarting, ends.message) == (True, "Container c definition changed, will be restarted")
    runs = await watched.state("c", lambda state: state.restarts == 1 and running(state))
    assert (runs.image, runs.last) == ("two", ends.ended)
    await watched.runtime.close()
