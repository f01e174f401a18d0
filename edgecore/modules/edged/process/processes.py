"""The ``process`` pod runtime: see ``runtime.PodRuntime``.

Containers are processes of this machine, started by a supervisor that ends them all when the node is gone. A node that
was started again starts them again.
"""

import asyncio
import os
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import structlog

from edgecore.clock import Clock
from edgecore.errors import ContentError
from edgecore.modules.edged.podspec import PodToRun, decode_pod_to_run
from edgecore.modules.edged.process.containerrun import Kit
from edgecore.modules.edged.process.diskwork import on_disk
from edgecore.modules.edged.process.facts import CONFIG_ERROR, NodeFacts
from edgecore.modules.edged.process.images import Images
from edgecore.modules.edged.process.objects import Objects
from edgecore.modules.edged.process.plan import Ground, Places, safe_name
from edgecore.modules.edged.process.podrun import PodRun
from edgecore.modules.edged.process.probing import Probing
from edgecore.modules.edged.process.storage import remove_others, remove_pod
from edgecore.modules.edged.process.supervision import Supervision
from edgecore.modules.edged.runtime import Containers, ContainerState, Order, Report

log = structlog.get_logger("edged.process")

CLOSE_GRACE_S = 1.5
"""How long processes have to end when the node is stopped, whatever their pods say: a module has 2 s to stop."""
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""The variables of the node that its processes have too; no other is theirs."""


class ProcessSettings(NamedTuple):
    """What the configuration says, and what the machine is."""

    root: Path
    images: Images
    log_limit_bytes: int
    cpus: int
    memory_bytes: int


class ProcessRuntime:
    """Runs the containers of pods as processes."""

    reads_objects = True
    on_host_network = True

    def __init__(self, clock: Clock, settings: ProcessSettings, environ: Mapping[str, str] | None = None) -> None:
        self._clock = clock
        self._settings = settings
        environ = os.environ if environ is None else environ
        self._inherited = {name: environ[name] for name in INHERITED if name in environ}
        self._is_root = os.geteuid() == 0
        self._supervision = Supervision(clock)
        self._probing = Probing(clock, self._supervision)
        self._kit = Kit(clock, self._supervision, self._probing, settings.log_limit_bytes)
        self._pods: dict[str, PodRun] = {}
        self._refused: set[str] = set()
        self._ending: dict[str, asyncio.Task[None]] = {}
        self._report: Report = _nobody
        self._taken: set[str] = set()  # names of directories
        self._removing: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def watch(self, report: Report) -> None:
        """See ``PodRuntime``."""
        self._report = report

    def keep_only(self, pod_uids: Collection[str]) -> None:
        """See ``PodRuntime``. Their directories are removed."""
        kept, root = frozenset(map(safe_name, pod_uids)), self._settings.root
        # Asked in a thread, of each directory when it is its turn: pods are started meanwhile.
        self._remove(partial(remove_others, root, lambda name: name in kept or name in self._taken))

    def start(self, order: Order) -> None:
        """See ``PodRuntime``. A pod that is started already stays as it is."""
        uid = order.pod.metadata.uid
        if self._is_closed or uid in self._pods or uid in self._ending:
            return
        try:
            pod = decode_pod_to_run(order.data)
        except ContentError as error:
            self._refuse(order, error)
            return
        self._refused.discard(uid)
        run = PodRun(self._kit, pod, self._ground(order, pod), order.before, lambda states: self._tell(uid, states))
        self._pods[uid] = run
        self._taken.add(safe_name(uid))
        run.begin()

    def update(self, order: Order) -> None:
        """See ``PodRuntime``."""
        uid = order.pod.metadata.uid
        if self._is_closed:
            return
        if uid in self._refused:
            self.start(order)
            return
        run = self._pods.get(uid)
        if run is None:
            return
        try:
            pod = decode_pod_to_run(order.data)
        except ContentError as error:
            log.warning("pod_not_understood", pod=order.pod.metadata.name, error=str(error))
            return
        run.update(pod, self._ground(order, pod))

    def kill(self, pod_uid: str, grace_s: int | None = None) -> None:
        """See ``PodRuntime``."""
        if self._is_closed or pod_uid in self._ending:
            return
        self._refused.discard(pod_uid)
        run = self._pods.pop(pod_uid, None)
        if run is None:  # one that was over before the node was started may have a directory
            self._remove(partial(remove_pod, self.places(pod_uid)))
            self._tell(pod_uid, ())
            return
        grace_s = run.grace_s if grace_s is None else grace_s
        task = asyncio.create_task(self._end(pod_uid, run, grace_s), name=f"edged end of pod {pod_uid[:64]}")
        self._ending[pod_uid] = task

    def log_file(self, pod_uid: str, container: str, restarts: int) -> Path | None:
        """See ``PodRuntime``."""
        return self.places(pod_uid).log(container, restarts)

    async def close(self) -> None:
        """See ``PodRuntime``. All processes are ended; the directories stay, for the pods go on after a start."""
        self._report, self._is_closed = _nobody, True
        grace_s = 0.0  # where this is cancelled the node has no more time
        try:
            tasks = [*self._ending.values(), *self._removing]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*(run.stop() for run in self._pods.values()), *tasks, return_exceptions=True)
            await self._probing.close()
            grace_s = CLOSE_GRACE_S
        finally:
            await self._supervision.close(grace_s)

    def places(self, pod_uid: str) -> Places:
        """Return where the files of a pod are."""
        return Places(self._settings.root / safe_name(pod_uid))

    @property
    def supervisor_pid(self) -> int:
        """Of the process whose children the containers are; 0 if there is none."""
        return self._supervision.pid

    async def _end(self, uid: str, run: PodRun, grace_s: int) -> None:
        try:
            await run.end(grace_s)
        finally:
            del self._ending[uid]
            self._taken.discard(safe_name(uid))

    def _refuse(self, order: Order, error: ContentError) -> None:
        """Say of a pod that parts of it, which only matter to run it, are not what they should be."""
        uid, pod = order.pod.metadata.uid, order.pod
        log.warning("pod_not_understood", pod=pod.metadata.name, error=str(error))
        self._refused.add(uid)
        states = [
            ContainerState(
                each.name, "waiting", each.image, reason=CONFIG_ERROR, message=str(error)[:1000], is_init=is_init
            )
            for is_init, containers in ((True, pod.spec.init_containers), (False, pod.spec.containers))
            for each in containers
        ]
        self._tell(uid, tuple(states))

    def _tell(self, uid: str, states: Containers) -> None:
        self._report(uid, states)

    def _ground(self, order: Order, pod: PodToRun) -> Ground:
        settings = self._settings
        node = NodeFacts(order.node_name, order.host_ip, order.pod_ip, settings.cpus, settings.memory_bytes)
        objects = Objects(pod.metadata.namespace, {(of.type, of.name): held for of, held in order.objects.items()})
        return Ground(node, objects, settings.images, self._inherited, self.places(pod.metadata.uid), self._is_root)

    def _remove(self, work: Callable[[], int]) -> None:
        """Have directories removed in a thread; ``work`` returns how many there were."""

        async def remove() -> None:
            try:
                removed = await on_disk(work)
            except OSError as error:
                log.error("pod_directories_not_removed", directory=str(self._settings.root), error=str(error))
                return
            if removed:
                log.info("pod_directories_removed", pods=removed)

        task = asyncio.create_task(remove(), name="edged removal of pods")
        self._removing.add(task)
        task.add_done_callback(self._removing.discard)


def _nobody(pod_uid: str, containers: Containers) -> None:
    """Take a report that nobody waits for."""
