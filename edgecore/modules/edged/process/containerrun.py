"""One container: its process started, probed, waited for, and started again as its restart policy has it."""

import asyncio
import hashlib
import signal
from collections.abc import Callable
from typing import NamedTuple

import structlog

from edgecore.clock import Clock, before
from edgecore.modules.edged.nodestatus import rfc3339
from edgecore.modules.edged.podspec import ContainerToRun, PodToRun, Probe
from edgecore.modules.edged.process.diskwork import on_disk
from edgecore.modules.edged.process.facts import Wrong
from edgecore.modules.edged.process.plan import Places, ProcessPlan
from edgecore.modules.edged.process.probes import LONGEST_S, Tally, plan_probe
from edgecore.modules.edged.process.probing import Probing
from edgecore.modules.edged.process.storage import ready_log
from edgecore.modules.edged.process.supervision import ProcessRefused, Program, Running, Supervision
from edgecore.modules.edged.restarts import Backoff, RestartPolicy, after_end, backoff_message
from edgecore.modules.edged.runtime import ContainerState

log = structlog.get_logger("edged.process")

SCHEME = "process://"
CANNOT_RUN = 127
SHORTEST_GRACE_S = 2
"""So long every process has between SIGTERM and SIGKILL, as with the kubelet (``minimumGracePeriodInSeconds``)."""
SIGNALLED = 128
"""Exit codes are as those of a shell and of Docker: 128 and the signal."""


class Kit(NamedTuple):
    """What the containers of all pods share."""

    clock: Clock
    supervision: Supervision
    probing: Probing
    log_limit_bytes: int


class ContainerRun:
    """One container of a pod. ``changed`` is called whenever ``state`` is another one."""

    def __init__(
        self, kit: Kit, pod: PodToRun, container: ContainerToRun, state: ContainerState, changed: Callable[[], object]
    ) -> None:
        self.state = state
        self._kit = kit
        self._pod = pod
        self._container = container
        self._changed = changed
        self._plan: ProcessPlan | Wrong | None = None
        self._planned = asyncio.Event()
        self._replaced = asyncio.Event()
        self._running: Running | None = None
        self._policy = RestartPolicy.of(pod.spec.restart_policy, is_init=state.is_init)
        self._why = ""
        self._began = 0.0  # when the process was started
        self._is_ending = False

    def follow(self, container: ContainerToRun, plan: ProcessPlan | Wrong) -> None:
        """Take how the process is to be started from now on: one of another image at once."""
        if self._running is not None and container.image != self._container.image:
            self._replaced.set()
        self._container, self._plan = container, plan
        self._planned.set()

    async def run(self, places: Places) -> None:
        """Return once it has ended for good; for a container that has, at once."""
        backoff, clock = Backoff(), self._kit.clock
        if self.state.state == "terminated" and not self._goes_on():
            return
        while True:
            await self._once(await self._possible(), places)
            if self._replaced.is_set():  # whatever the policy says
                self._replaced.clear()
                continue
            again = after_end(self._policy, self.state.exit_code, backoff, clock.monotonic())
            if again is None:
                return
            backoff = again.backoff
            if again.waited_s > 0:
                metadata = self._pod.metadata
                text = backoff_message(again.waited_s, self.state.name, metadata.namespace, metadata.name, metadata.uid)
                self._wait("CrashLoopBackOff", text)
                await clock.sleep(again.at - clock.monotonic())

    async def end(self, grace_s: float) -> None:
        """Have it ended for good: SIGTERM, then SIGKILL after ``grace_s``. ``run`` is not to run any more."""
        self._is_ending = True
        running = self._running
        if running is not None:
            code = await self._terminate(running, grace_s)
            self._running = None
            self._end(code)
        elif self.state.state == "waiting":
            self._become(self.state.cut_off())
        self._become(self.state._replace(restarting=False))  # one that had ended before

    def wait(self, reason: str, message: str = "") -> None:
        """Take why it is not started yet."""
        if self.state.state == "waiting":
            self._wait(reason, message)

    def _goes_on(self) -> bool:
        """Return whether one that had ended before the node was started is to be started again."""
        return self._policy.restarts(self.state.exit_code)

    async def _possible(self) -> ProcessPlan:
        told = None
        while not isinstance(self._plan, ProcessPlan):
            self._planned.clear()
            if self._plan is not None and self._plan != told:
                told = self._plan
                log.warning("container_not_started", reason=told.reason, **self._names())
                self._wait(*told)
            await self._planned.wait()
        return self._plan

    async def _once(self, plan: ProcessPlan, places: Places) -> None:
        """Run the process, from its start to its end."""
        state, now = self.state, rfc3339(self._kit.clock.now_ms())
        ended = state.ended if state.state == "terminated" else state.last
        restarts = state.restarts + (1 if ended is not None else 0)
        fresh = ContainerState(
            state.name,
            "running",
            image=self._container.image,
            image_id=f"{SCHEME}{self._container.image}",
            container_id=self._container_id(restarts),
            started_at=now,
            restarts=restarts,
            is_init=state.is_init,
            passes=self._container.readiness_probe is None,
            started=self._container.startup_probe is None,
            last=ended,
        )
        self._why = ""
        try:
            path = await on_disk(ready_log, places, state.name, restarts)
            program = Program(plan.command, plan.variables, plan.directory, path, self._kit.log_limit_bytes)
            self._running = await self._kit.supervision.run(program)
            self.state = fresh  # it runs, if somebody has to end it now
            pid = await asyncio.shield(self._running.started)
        except (ProcessRefused, OSError) as error:
            self._running, self.state = None, fresh
            log.warning("container_cannot_run", error=str(error), **self._names())
            self._why = str(error)
            self._end(CANNOT_RUN, cannot_run=True)
            return
        self._began = self._kit.clock.monotonic()
        log.info("container_started", pid=pid, restarts=restarts, **self._names())
        self._changed()
        code = await self._until_it_ends(self._running, plan)
        self._running = None
        self._end(code)

    async def _until_it_ends(self, running: Running, plan: ProcessPlan) -> int:
        probes = asyncio.create_task(self._probe(running, plan), name=f"edged probes of {plan.name}")
        replacing = asyncio.create_task(self._give_way(running), name=f"edged image of {plan.name}")
        try:
            return await asyncio.shield(running.ended)
        finally:
            for task in (probes, replacing):
                task.cancel()
            await asyncio.wait({probes, replacing})
            if not probes.cancelled() and (error := probes.exception()) is not None:
                log.error("container_probes_failed", exc_info=error, **self._names())

    async def _probe(self, running: Running, plan: ProcessPlan) -> None:
        container = self._container
        if container.startup_probe is not None and not await self._starts(container.startup_probe, running, plan):
            return
        liveness = container.liveness_probe
        living = None
        if liveness is not None:
            living = asyncio.create_task(self._lives(liveness, running, plan), name=f"edged liveness of {plan.name}")
        try:
            if container.readiness_probe is not None:
                await self._gets_ready(container.readiness_probe, plan)
            if living is not None:
                await living
        finally:
            if living is not None:
                living.cancel()
                await asyncio.wait({living})

    async def _starts(self, probe: Probe, running: Running, plan: ProcessPlan) -> bool:
        tally = Tally()
        while tally.found is None:
            tally = await self._ask(probe, plan, tally)
        if tally.found:
            self._become(self.state._replace(started=True))
        else:
            await self._restart(running, "startup")
        return tally.found

    async def _lives(self, probe: Probe, running: Running, plan: ProcessPlan) -> None:
        tally = Tally(found=True)
        while tally.found:
            tally = await self._ask(probe, plan, tally)
        await self._restart(running, "liveness")

    async def _gets_ready(self, probe: Probe, plan: ProcessPlan) -> None:
        tally = Tally(found=False)
        while True:
            tally = await self._ask(probe, plan, tally)
            if tally.found is not None and tally.found is not self.state.passes:
                log.info("container_readiness_changed", ready=tally.found, **self._names())
                since = rfc3339(self._kit.clock.now_ms())
                self._become(self.state._replace(passes=tally.found, passes_since=since))

    async def _ask(self, probe: Probe, plan: ProcessPlan, tally: Tally) -> Tally:
        """Wait until it is time, ask once, and return the tally after that."""
        planned = plan_probe(probe, self._container, at_host_port=plan.listens_at_host_port, address=plan.address)
        clock = self._kit.clock
        wait_s = planned.period_s if tally.latest is not None else self._began + planned.delay_s - clock.monotonic()
        await clock.sleep(max(0.0, wait_s))
        return tally.after(planned, await self._kit.probing.ask(planned, plan))

    async def _give_way(self, running: Running) -> None:
        """End it once its image has changed."""
        await self._replaced.wait()
        self._why = f"Container {self.state.name} definition changed, will be restarted"
        log.info("container_replaced", image=self._container.image, **self._names())
        await self._terminate(running, self._pod.grace_s)

    async def _restart(self, running: Running, what: str) -> None:
        self._why = f"Container {self.state.name} failed {what} probe"
        log.warning("container_unhealthy", probe=what, **self._names())
        await self._terminate(running, self._pod.grace_s)

    async def _terminate(self, running: Running, grace_s: float) -> int:
        """End a process and its group, and return its code."""
        supervision, clock = self._kit.supervision, self._kit.clock
        grace_s = max(SHORTEST_GRACE_S, min(grace_s, LONGEST_S))
        supervision.signal(running, signal.SIGTERM)
        try:
            return await before(clock, clock.monotonic() + grace_s, _result(running.ended))
        except TimeoutError:
            log.warning("container_killed", after_s=grace_s, **self._names())
        supervision.signal(running, signal.SIGKILL)
        return await _result(running.ended)

    def _end(self, code: int, *, cannot_run: bool = False) -> None:
        exit_code = SIGNALLED - code if code < 0 else code
        reason = "Completed" if exit_code == 0 else "Error"
        if cannot_run:
            reason = "ContainerCannotRun"
        now = rfc3339(self._kit.clock.now_ms())
        log.info("container_ended", exit_code=exit_code, **self._names())
        self._become(
            self.state._replace(
                state="terminated",
                finished_at=now,
                exit_code=exit_code,
                reason=reason,
                message=self._why,
                restarting=not self._is_ending and (self._replaced.is_set() or self._policy.restarts(exit_code)),
            )
        )

    def _wait(self, reason: str, message: str) -> None:
        was = self.state
        last = was.ended if was.state == "terminated" else was.last
        self._become(
            ContainerState(
                was.name,
                "waiting",
                image=self._container.image,
                image_id=was.image_id,
                container_id=was.container_id,
                reason=reason,
                message=message,
                restarts=was.restarts,
                is_init=was.is_init,
                last=last,
            )
        )

    def _become(self, state: ContainerState) -> None:
        if state != self.state:
            self.state = state
            self._changed()

    def _container_id(self, restarts: int) -> str:
        text = f"{self._pod.metadata.uid}/{self.state.name}/{restarts}/{self._kit.clock.now_ms()}"
        return SCHEME + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def _names(self) -> dict[str, str]:
        metadata = self._pod.metadata
        return {"namespace": metadata.namespace, "pod": metadata.name, "container": self.state.name}


async def _result(future: asyncio.Future[int]) -> int:
    return await asyncio.shield(future)
