"""One simulated container: what it is at an instant, by its script (pure).

===============  ==========================================================================  ======================
state            left when                                                                   for
===============  ==========================================================================  ======================
waiting          it is its turn (``begin``), and the time to make it has passed              pull failed, running
pull failed      ``SEEN_S`` have passed                                                      pull waits
pull waits       the back-off has passed                                                     pull failed, running
running          its script ends it, or it is told to                                        ended
ended            ``SEEN_S`` have passed; never, if the restart policy says so                running, restart waits
restart waits    the back-off has passed                                                     running
===============  ==========================================================================  ======================

``SEEN_S`` is about what the kubelet takes to see that something happened and to look again; for so long the cloud is
told ``Error`` or ``ErrImagePull``, before ``CrashLoopBackOff`` or ``ImagePullBackOff``.
"""

import hashlib
import math
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from edgecore.kube import Container, Pod
from edgecore.modules.edged.nodestatus import rfc3339
from edgecore.modules.edged.restarts import (
    Again,
    Backoff,
    RestartPolicy,
    after_end,
    after_failed_pull,
    backoff_message,
)
from edgecore.modules.edged.runtime import ContainerState, Ended
from edgecore.modules.edged.simulated.script import Script, ScriptError, script_of

SCHEME = "simulated://"
SEEN_S = 1.0
GRACE_S = 30
"""How long a container has to end, where its pod does not say (``terminationGracePeriodSeconds``)."""
KILLED = 137
CONFIG_ERROR = "CreateContainerConfigError"

Scripts = Mapping[str, str]
"""The annotations of a pod that are scripts."""


class Now(NamedTuple):
    """An instant, by the clock that measures and by the calendar."""

    monotonic: float
    unix_ms: int

    @property
    def text(self) -> str:
        """RFC 3339, to the second."""
        return rfc3339(self.unix_ms)


class _Ending(NamedTuple):
    """How and when a container that runs is to end."""

    at: float = math.inf
    exit_code: int = 0
    reason: str = "Completed"


class SimulatedContainer:
    """See above. ``state`` is what is told of it, ``next_at`` when ``advance`` next changes something."""

    def __init__(self, pod: Pod, spec: Container, scripts: Scripts, delay_s: float, *, is_init: bool) -> None:
        self._delay_s = delay_s
        self._is_init = is_init
        self._backoff = Backoff()
        self._pulls = Backoff()
        self._pulls_failed = 0
        self._again: Again | None = None
        self._ending = _Ending()
        self._ready_at = math.inf
        self._stopping = False
        self._is_replaced = False
        self.begun = False
        self.next_at = math.inf
        reason = "PodInitializing" if pod.spec.init_containers else "ContainerCreating"
        self.state = ContainerState(spec.name, "waiting", image=spec.image, reason=reason, is_init=is_init)
        self.take(pod, spec, scripts)

    def take(self, pod: Pod, spec: Container, scripts: Scripts) -> None:
        """Follow a newer object from the next start of the container on, which a new image brings about."""
        self._pod, self._spec = pod, spec
        if self.state.state == "running" and self.state.image != spec.image and not self._stopping:
            self._is_replaced, self._ending, self.next_at = True, _Ending(0.0), 0.0
        self._policy = RestartPolicy.of(pod.spec.restart_policy, is_init=self._is_init)
        self._script, self._fault = Script(), ""
        try:
            self._script = script_of(scripts, spec.name, is_init=self._is_init)
        except ScriptError as error:
            self._fault = str(error)
        if self.state.reason == CONFIG_ERROR and not self._stopping:
            self.next_at = 0.0

    def begin(self, now: Now) -> None:
        """Take that it is its turn to be made."""
        self.begun = True
        create_s = self._delay_s if self._script.create_s is None else self._script.create_s
        self.next_at = now.monotonic + create_s

    def resume(self, before: ContainerState, now: Now) -> None:
        """Go on with what an earlier process of the node knew. How long it was to wait is not known any more."""
        if before.state == "running" and before.container_id != self._id(before.restarts):
            return  # another runtime's
        self.begun = True
        self.state = before
        if before.state == "running":
            self._plan(now.monotonic - max(0.0, now.unix_ms / 1000 - _unix_s(before.started_at)))
        elif before.state == "waiting" or self._policy.restarts(before.exit_code):
            self.next_at = now.monotonic

    def advance(self, now: Now) -> None:
        """Do what is due."""
        state = self.state
        if state.state == "running":
            self._go_on(now)
        elif state.state == "terminated" and self._again is not None and self._again.at > now.monotonic:
            self._wait_for_restart(self._again)
        elif self._fault:
            self._wait(CONFIG_ERROR, self._fault, math.inf)
        elif state.reason == "ErrImagePull":
            again = after_failed_pull(self._pulls, now.monotonic - SEEN_S)
            self._pulls = again.backoff
            self._wait("ImagePullBackOff", f'Back-off pulling image "{self._spec.image}"', again.at)
        elif state.last is None and state.state == "waiting" and self._pulls_failed < self._script.pull_fails:
            self._pulls_failed += 1
            text = f'simulated: image "{self._spec.image}" cannot be pulled'
            self._wait("ErrImagePull", text, now.monotonic + SEEN_S)
        else:
            self._run(now)

    def stop(self, now: Now, grace_s: int | None = None) -> None:
        """Begin to end it, as its pod was told to go."""
        self._stopping = True
        if self.state.state == "running":
            grace_s = self._pod.spec.termination_grace_period_seconds if grace_s is None else grace_s
            grace_s = GRACE_S if grace_s is None else max(0, grace_s)
            in_time = self._script.stop_s <= grace_s
            at = now.monotonic + min(self._script.stop_s, grace_s)
            self._ending = _Ending(at) if in_time else _Ending(at, KILLED, "Error")
            self._ready_at = math.inf
            self.next_at = at
            return
        self.next_at = math.inf
        if self.state.state == "waiting":
            self.state = self.state.cut_off()
        else:
            self.state = self.state._replace(restarting=False)

    # What is done.

    def _go_on(self, now: Now) -> None:
        """Go on with a container that runs: it ends, or comes to be ready."""
        if self._ending.at <= now.monotonic:
            self._end(now)
            return
        self.state = self.state._replace(passes=True, passes_since=now.text)
        self._ready_at, self.next_at = math.inf, self._ending.at

    def _end(self, now: Now) -> None:
        _, code, reason = self._ending
        again = None if self._stopping else after_end(self._policy, code, self._backoff, now.monotonic)
        if self._is_replaced and not self._stopping:  # whatever the policy says
            again = Again(now.monotonic, self._backoff, 0.0)
        self._again, self._is_replaced = again, False
        self.state = self.state._replace(
            state="terminated",
            finished_at=now.text,
            exit_code=code,
            reason=reason,
            passes=True,
            passes_since="",
            last=None,
            restarting=again is not None,
        )
        self.next_at = math.inf if again is None else now.monotonic + SEEN_S

    def _wait_for_restart(self, again: Again) -> None:
        metadata = self._pod.metadata
        text = backoff_message(again.waited_s, self._spec.name, metadata.namespace, metadata.name, metadata.uid)
        self._wait("CrashLoopBackOff", text, again.at)

    def _wait(self, reason: str, message: str, until: float) -> None:
        self.state = self.state._replace(
            state="waiting",
            reason=reason,
            message=message,
            started_at="",
            finished_at="",
            exit_code=0,
            last=_last(self.state),
            restarting=False,
        )
        self.next_at = until

    def _run(self, now: Now) -> None:
        last = _last(self.state)
        restarts = self.state.restarts + (last is not None)
        if self._again is not None:
            self._backoff, self._again = self._again.backoff._replace(set_at=now.monotonic), None
        self.state = ContainerState(
            self._spec.name,
            "running",
            image=self._spec.image,
            image_id=f"{SCHEME}{self._spec.image}",
            container_id=self._id(restarts),
            started_at=now.text,
            restarts=restarts,
            is_init=self._is_init,
            passes=self._script.ready_s <= 0,
            last=last,
        )
        self._plan(now.monotonic)

    def _plan(self, started_at: float) -> None:
        """Plan what becomes of a container that was started then."""
        script = self._script
        if script.runs_s is not None and self.state.restarts < script.times:
            self._ending = _Ending(started_at + script.runs_s, script.exit_code, script.reason)
        elif self._is_init:  # one that never ended would be of no use
            self._ending = _Ending(started_at + (script.runs_s or 0.0))
        else:
            self._ending = _Ending()
        self._ready_at = math.inf if self.state.passes else started_at + script.ready_s
        self.next_at = min(self._ending.at, self._ready_at)

    def _id(self, restarts: int) -> str:
        which = f"{self._pod.metadata.uid}/{self._spec.name}" + (f"/{restarts}" if restarts else "")
        return SCHEME + hashlib.sha256(which.encode()).hexdigest()


def _last(state: ContainerState) -> Ended | None:
    """Return how the last container ended, if this is not a container that runs."""
    return state.ended if state.state == "terminated" else state.last


def _unix_s(text: str) -> float:
    """Return an instant of a stored status; what is none lies as far back as can be."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return 0.0
