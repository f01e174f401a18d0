"""The ``simulated`` pod runtime: containers that only change their state, on the node's clock.

What becomes of them is scripted in annotations of their pod (``script.py``); without a script they run until
they are told to end, and then end with code 0. Ids follow from the pod's uid, the container's name and the number of
its restarts, so that a node that was started again goes on with the containers it had.
"""

import math
from collections.abc import Collection
from functools import partial
from pathlib import Path

from edgecore.clock import Clock, Timer
from edgecore.modules.edged.runtime import Containers, Order, Report
from edgecore.modules.edged.simulated.container import Now
from edgecore.modules.edged.simulated.pod import SimulatedPod


class SimulatedRuntime:
    """See ``runtime.PodRuntime``."""

    reads_objects = False
    on_host_network = False

    def __init__(self, clock: Clock, start_delay_s: float = 0.0) -> None:
        self._clock = clock
        self._start_delay_s = start_delay_s
        self._pods: dict[str, SimulatedPod] = {}
        self._timers: dict[str, Timer] = {}
        self._report: Report = _nobody

    def watch(self, report: Report) -> None:
        """See ``PodRuntime``."""
        self._report = report

    def start(self, order: Order) -> None:
        """See ``PodRuntime``. A pod that is started already stays as it is."""
        uid = order.pod.metadata.uid
        if uid in self._pods:
            return
        now = self._now()
        pod = self._pods[uid] = SimulatedPod(order, self._start_delay_s, now)
        self._advance(uid, pod)

    def update(self, order: Order) -> None:
        """See ``PodRuntime``. A new script is for the containers that are started after it."""
        pod = self._pods.get(order.pod.metadata.uid)
        if pod is not None:
            pod.take(order)
            self._advance(order.pod.metadata.uid, pod)

    def kill(self, pod_uid: str, grace_s: int | None = None) -> None:
        """See ``PodRuntime``."""
        pod = self._pods.get(pod_uid)
        if pod is None or not pod.ever_ran:
            self._forget(pod_uid)
            self._report(pod_uid, ())
            return
        pod.stop(self._now(), grace_s)
        self._tell(pod_uid, pod)

    def keep_only(self, pod_uids: Collection[str]) -> None:
        """See ``PodRuntime``: it keeps nothing."""

    def log_file(self, pod_uid: str, container: str, restarts: int) -> Path | None:
        """See ``PodRuntime``: a simulated container prints nothing."""
        return None

    async def close(self) -> None:
        """See ``PodRuntime``."""
        self.let_go()

    def let_go(self) -> None:
        """The same, at once."""
        self._report = _nobody
        for uid in tuple(self._pods):
            self._forget(uid)

    def _advance(self, uid: str, pod: SimulatedPod) -> None:
        pod.advance(self._now())
        self._tell(uid, pod)

    def _tell(self, uid: str, pod: SimulatedPod) -> None:
        """Report the pod, and come back to it when it changes by itself."""
        timer = self._timers.pop(uid, None)
        if timer is not None:
            timer.cancel()
        if pod.over:
            self._forget(uid)
        elif pod.next_at < math.inf:
            self._timers[uid] = self._clock.call_at(pod.next_at, partial(self._advance, uid, pod))
        self._report(uid, pod.containers)

    def _forget(self, uid: str) -> None:
        self._pods.pop(uid, None)
        timer = self._timers.pop(uid, None)
        if timer is not None:
            timer.cancel()

    def _now(self) -> Now:
        return Now(self._clock.monotonic(), self._clock.now_ms())


def _nobody(pod_uid: str, containers: Containers) -> None:
    """Take a report that nobody waits for."""
