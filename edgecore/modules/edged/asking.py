"""Asks for the ConfigMaps and Secrets that the pods use, beside everything else: no pod waits for them.

MetaManager has an object, or asks the cloud for it and stores it, and after that the cloud tells its changes. What an
object holds is not looked at here.
"""

import asyncio

import structlog

from edgecore.beehive import resource as r
from edgecore.beehive.port import Port
from edgecore.errors import BusClosed, EdgecoreError
from edgecore.metaclient import MetaClient
from edgecore.modules.edged.podinput import Fault
from edgecore.modules.edged.references import References
from edgecore.modules.edged.wanted import AGAIN_AFTER_S, Wanted

log = structlog.get_logger("edged")

UNDER_WAY_LIMIT = 32
"""Questions at one time: half of what MetaManager asks the cloud at one time."""
OBJECT_TYPES = frozenset({r.CONFIGMAP, r.SECRET})
"""What is asked for."""


class Asking:
    """The questions about what pods use."""

    def __init__(self, port: Port, meta: MetaClient, wanted: Wanted) -> None:
        self._clock = port.clock
        self._meta = meta
        self._wanted = wanted
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def use(self, uid: str, references: References) -> Fault | None:
        """Have asked for what a pod uses, until ``release``. Return what is wrong with it."""
        left_out = references.left_out + self._wanted.use(uid, references.used)
        self._changed.set()
        if left_out:
            return Fault("too_many_references", f"{left_out} objects that the pod {uid} uses are not asked for")
        return None

    def release(self, uid: str) -> None:
        """Take that a pod uses nothing any more."""
        self._wanted.release(uid)

    def take(self, resource: r.EdgeResource, operation: str) -> None:
        """Take a message of the cloud about an object, which MetaManager has stored or removed."""
        if self._wanted.told(resource, self._clock.monotonic(), is_there=operation != r.DELETE):
            log.info("object_arrived", resource=str(resource))
        self._changed.set()

    def link_up(self) -> None:
        """Take that the link to the cloud came up."""
        self._wanted.link_up()
        self._changed.set()

    async def run(self) -> None:
        """Ask until cancelled."""
        self._task = asyncio.current_task()
        async with asyncio.TaskGroup() as questions:
            while True:
                while self._has_room() and (name := self._wanted.next(self._clock.monotonic())) is not None:
                    questions.create_task(self._ask(name), name=f"edged ask for {name}")
                await self._until_something_is_due()

    async def stop(self) -> None:
        """Give up what is under way, and ask for nothing any more."""
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait({task})

    async def _ask(self, name: r.EdgeResource) -> None:
        is_there = False
        try:
            is_there = await self._is_there(name)
        except BusClosed:
            return
        except EdgecoreError as error:
            log.warning("object_not_asked_for", resource=str(name), error=str(error), again_in_s=AGAIN_AFTER_S)
        finally:
            is_news = self._wanted.answered(name, self._clock.monotonic(), is_there=is_there)
            self._changed.set()
        if is_news:
            log.info("object_arrived" if is_there else "object_missing", resource=str(name))

    async def _is_there(self, name: r.EdgeResource) -> bool:
        get = self._meta.config_map if name.type == r.CONFIGMAP else self._meta.secret
        return await get(name.namespace, name.name) is not None

    def _has_room(self) -> bool:
        return self._wanted.under_way < UNDER_WAY_LIMIT

    async def _until_something_is_due(self) -> None:
        at = self._wanted.next_at() if self._has_room() else None
        timer = None if at is None else self._clock.call_at(at, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            if timer is not None:
                timer.cancel()
        self._changed.clear()
