"""One pod that is run by processes: its init containers one after the other, then its containers side by side."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from edgecore.clock import until_set
from edgecore.modules.edged.nodestatus import rfc3339
from edgecore.modules.edged.podspec import ContainerToRun, PodToRun
from edgecore.modules.edged.process.containerrun import ContainerRun, Kit
from edgecore.modules.edged.process.diskwork import on_disk
from edgecore.modules.edged.process.facts import Wrong
from edgecore.modules.edged.process.plan import Ground, PodPlan, ProcessPlan, plan_pod
from edgecore.modules.edged.process.storage import make_pod, remove_pod
from edgecore.modules.edged.process.volumes import CREATING
from edgecore.modules.edged.runtime import Containers, ContainerState

log = structlog.get_logger("edged.process")

AGAIN_AFTER_S = 10.0
"""When volumes that could not be made are tried again."""
INITIALIZING = "PodInitializing"


class PodRun:
    """One pod, from ``begin`` until ``end``. ``report`` is called whenever the state of a container changes."""

    def __init__(
        self, kit: Kit, pod: PodToRun, ground: Ground, before: Containers, report: Callable[[Containers], object]
    ) -> None:
        self._kit = kit
        self._pod = pod
        self._ground = ground
        self._report = report
        self._updated = asyncio.Event()
        self._is_silent = True
        now = rfc3339(kit.clock.now_ms())
        known = {state.name: state for state in before}
        self._init = self._runs(pod.spec.init_containers, known, now, is_init=True)
        self._runs_after = self._runs(pod.spec.containers, known, now, is_init=False)
        self._task: asyncio.Task[None] | None = None

    @property
    def grace_s(self) -> int:
        """How long its containers have to end."""
        return self._pod.grace_s

    def begin(self) -> None:
        """Run it."""
        self._is_silent = False
        self._tell()
        self._task = asyncio.create_task(self._run(), name=f"edged pod {self._pod.metadata.name}")

    def update(self, pod: PodToRun, ground: Ground) -> None:
        """Take a newer specification: for what is started from now on, and for the files of volumes."""
        self._pod, self._ground = pod, ground
        self._updated.set()

    async def end(self, grace_s: float) -> None:
        """End all containers and remove what was made for the pod; then all of that is reported at once."""
        await self.stop()
        every = (*self._init, *self._runs_after)
        has_run = any(run.state.state != "waiting" or run.state.last is not None for run in every)
        await asyncio.gather(*(run.end(grace_s) for run in every))
        self._is_silent = True
        try:
            await on_disk(remove_pod, self._ground.places)
        except OSError as error:
            log.error("pod_directory_not_removed", directory=str(self._ground.places.pod), error=str(error))
        self._report(self._states() if has_run else ())

    async def stop(self) -> None:
        """Start nothing any more, and look after nothing."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    def _runs(
        self, containers: Sequence[ContainerToRun], known: dict[str, ContainerState], now: str, *, is_init: bool
    ) -> list[ContainerRun]:
        waiting = INITIALIZING if self._pod.spec.init_containers else CREATING
        made = []
        for container in containers:
            fresh = ContainerState(container.name, "waiting", image=container.image, reason=waiting, is_init=is_init)
            state = _taken_up(known.get(container.name), fresh, now)
            made.append(ContainerRun(self._kit, self._pod, container, state, self._tell))
        return made

    async def _run(self) -> None:
        following = asyncio.create_task(self._follow(), name=f"edged plan of {self._pod.metadata.name}")
        try:
            for run in self._init:
                await run.run(self._ground.places)
                if run.state.exit_code != 0:
                    log.warning("pod_not_initialized", pod=self._pod.metadata.name, container=run.state.name)
                    return
            runs = [asyncio.ensure_future(run.run(self._ground.places)) for run in self._runs_after]
            try:
                await asyncio.gather(*runs)
            finally:
                for each in runs:
                    each.cancel()
                await asyncio.gather(*runs, return_exceptions=True)
        except Exception:
            log.exception("pod_failed", pod=self._pod.metadata.name)
        finally:
            following.cancel()
            for failed in await asyncio.gather(following, return_exceptions=True):
                if isinstance(failed, Exception):
                    log.error("pod_failed", pod=self._pod.metadata.name, exc_info=failed)

    async def _follow(self) -> None:
        """Plan the pod, make its volumes, tell its containers; again when there is a newer specification."""
        made: PodPlan | None = None
        while True:
            self._updated.clear()
            plan = plan_pod(self._pod, self._ground)
            wrong = plan if isinstance(plan, Wrong) else None if plan == made else await self._make(plan)
            made = None
            if wrong is None and isinstance(plan, PodPlan):
                made = plan
                self._hand_out(plan)
                await self._updated.wait()
                continue
            if wrong is not None:
                log.warning("pod_not_started", pod=self._pod.metadata.name, reason=wrong.reason, error=wrong.message)
                for run in (*self._init, *self._runs_after):
                    run.wait(*wrong)
            clock = self._kit.clock
            await until_set(clock, self._updated, clock.monotonic() + AGAIN_AFTER_S)

    async def _make(self, plan: PodPlan) -> Wrong | None:
        try:
            await on_disk(make_pod, plan, self._ground.places)
        except OSError as error:
            return Wrong(CREATING, f"cannot make the volumes of the pod: {error}")
        return None

    def _hand_out(self, plan: PodPlan) -> None:
        planned: dict[str, ProcessPlan | Wrong] = {**plan.init, **plan.containers}
        newer = {each.name: each for each in self._pod.spec.init_containers + self._pod.spec.containers}
        for run in (*self._init, *self._runs_after):
            name = run.state.name
            if name in planned:
                run.follow(newer[name], planned[name])

    def _states(self) -> Containers:
        return tuple(run.state for run in (*self._init, *self._runs_after))

    def _tell(self) -> None:
        if not self._is_silent:
            self._report(self._states())


def _taken_up(before: ContainerState | None, fresh: ContainerState, now: str) -> ContainerState:
    """Return the state of a container at the start of the node: what ran has ended with the node before it."""
    if before is None:
        return fresh
    if before.state == "running":
        return before.lost(now)._replace(is_init=fresh.is_init)
    if before.state == "terminated":
        return before._replace(is_init=fresh.is_init)
    return fresh._replace(restarts=before.restarts, last=before.last, container_id=before.container_id)
