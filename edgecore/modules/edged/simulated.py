"""The ``simulated`` pod runtime: containers that only change their state, on the node's clock.

=========  =====================================================================
state      left when
=========  =====================================================================
creating   ``start_delay_s`` have passed (no such state if that is zero)
running    it is told to end
ended      never; exit code 0
=========  =====================================================================

Ids follow from the pod's uid and the container's name, so that a node that was started again goes on with the
containers it had.
"""

import hashlib
from functools import partial

from edgecore.clock import Clock, Timer
from edgecore.kube import Container, Pod
from edgecore.modules.edged.nodestatus import rfc3339
from edgecore.modules.edged.runtime import Containers, ContainerState, Report

SCHEME = "simulated://"


class SimulatedRuntime:
    """See ``runtime.PodRuntime``."""

    def __init__(self, clock: Clock, start_delay_s: float = 0.0) -> None:
        self._clock = clock
        self._start_delay_s = start_delay_s
        self._running: dict[str, Containers] = {}
        self._creating: dict[str, Timer] = {}
        self._report: Report = _nobody

    def watch(self, report: Report) -> None:
        """See ``PodRuntime``."""
        self._report = report

    def start(self, pod: Pod, before: Containers) -> None:
        """See ``PodRuntime``. A pod that is started already stays as it is."""
        uid = pod.metadata.uid
        if uid in self._running or uid in self._creating:
            return
        if _same_containers(pod, before):
            self._run(uid, before)
        elif self._start_delay_s > 0:
            due = self._clock.monotonic() + self._start_delay_s
            self._creating[uid] = self._clock.call_at(due, partial(self._run_new, pod))
            self._report(uid, tuple(map(_creating, pod.spec.containers)))
        else:
            self._run_new(pod)

    def kill(self, pod_uid: str) -> None:
        """See ``PodRuntime``."""
        timer = self._creating.pop(pod_uid, None)
        if timer is not None:
            timer.cancel()
        now = rfc3339(self._clock.now_ms())
        running = self._running.pop(pod_uid, ())
        self._report(pod_uid, tuple(_ended(container, now) for container in running))

    async def close(self) -> None:
        """See ``PodRuntime``."""
        self._report = _nobody
        for timer in self._creating.values():
            timer.cancel()
        self._creating.clear()

    def _run_new(self, pod: Pod) -> None:
        uid, now = pod.metadata.uid, rfc3339(self._clock.now_ms())
        self._run(uid, tuple(_started(uid, container, now) for container in pod.spec.containers))

    def _run(self, uid: str, containers: Containers) -> None:
        self._creating.pop(uid, None)
        self._running[uid] = containers
        self._report(uid, containers)


def _nobody(pod_uid: str, containers: Containers) -> None:
    """Take a report that nobody waits for."""


def _container_id(uid: str, name: str) -> str:
    return SCHEME + hashlib.sha256(f"{uid}/{name}".encode()).hexdigest()


def _same_containers(pod: Pod, before: Containers) -> bool:
    """Return whether ``before`` are the containers that this runtime would make, all of them running."""
    wanted = [(each.name, each.image, _container_id(pod.metadata.uid, each.name)) for each in pod.spec.containers]
    return bool(before) and wanted == [
        (each.name, each.image, each.container_id) for each in before if each.state == "running"
    ]


def _creating(container: Container) -> ContainerState:
    return ContainerState(container.name, "waiting", image=container.image, reason="ContainerCreating")


def _started(uid: str, container: Container, now: str) -> ContainerState:
    return ContainerState(
        container.name,
        "running",
        image=container.image,
        image_id=f"{SCHEME}{container.image}",
        container_id=_container_id(uid, container.name),
        started_at=now,
    )


def _ended(container: ContainerState, now: str) -> ContainerState:
    return container._replace(state="terminated", finished_at=now, exit_code=0, reason="Completed")
