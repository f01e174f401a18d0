"""Asks for the ConfigMaps and Secrets that the pods use, beside everything else.

MetaManager has an object, or asks the cloud for it and stores it, and after that the cloud tells its changes. What an
object holds is kept only for a runtime that reads it.
"""

import asyncio
from collections.abc import Callable

import structlog

from edgecore.beehive import resource as r
from edgecore.beehive.message import Message, content_json
from edgecore.beehive.port import Port
from edgecore.clock import until_set
from edgecore.errors import BusClosed, ContentError, EdgecoreError
from edgecore.metaclient import MetaClient
from edgecore.modules.edged.objectvalues import ObjectValues
from edgecore.modules.edged.podinput import Fault
from edgecore.modules.edged.references import Lacking, References
from edgecore.modules.edged.runtime import Values
from edgecore.modules.edged.wanted import AGAIN_AFTER_S, Wanted

log = structlog.get_logger("edged")

UNDER_WAY_LIMIT = 32
"""Questions at one time: half of what MetaManager asks the cloud at one time."""
OBJECT_TYPES = frozenset({r.CONFIGMAP, r.SECRET})
"""What is asked for."""


class Asking:
    """The questions about what pods use."""

    def __init__(self, port: Port, meta: MetaClient, wanted: Wanted, *, keeps_values: bool = False) -> None:
        self._clock = port.clock
        self._meta = meta
        self._wanted = wanted
        self._values = ObjectValues() if keeps_values else None
        self._news: Callable[[str], None] = _nobody
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def watch(self, news: Callable[[str], None]) -> None:
        """Have ``news`` called with the uid of each pod that uses an object of which something became known."""
        self._news = news

    def use(self, uid: str, references: References) -> Fault | None:
        """Have asked for what a pod uses, until ``release``. Return what is wrong with it."""
        left_out = references.left_out + self._wanted.use(uid, references.used)
        self._changed.set()
        if left_out:
            return Fault("too_many_references", f"{left_out} objects that the pod {uid} uses are not asked for")
        return None

    def release(self, uid: str) -> None:
        """Take that a pod uses nothing any more."""
        for name in self._wanted.release(uid):
            self._drop(name)

    def lacking(self, references: References) -> Lacking | None:
        """Return what stands in the way of a pod that uses these; ``None``: nothing."""
        known = {name: self._wanted.is_there(name) for name in references.used}
        missing = tuple(name for name, is_there in known.items() if is_there is False and name in references.needed)
        return Lacking(missing) if missing or None in known.values() else None

    def values(self, references: References) -> dict[r.EdgeResource, Values]:
        """Return what the objects of a pod hold that are there."""
        kept = self._values
        return {name: kept[name] for name in references.used if name in kept} if kept is not None else {}

    def take(self, resource: r.EdgeResource, message: Message) -> None:
        """Take a message of the cloud about an object, which MetaManager has stored or removed."""
        is_there = message.route.operation != r.DELETE
        if not is_there:
            self._drop(resource)
        elif self._values is not None and self._wanted.users(resource):
            is_there = self._keep(resource, _content(message))
        if self._wanted.told(resource, self._clock.monotonic(), is_there=is_there):
            log.info("object_arrived", resource=str(resource))
        self._tell(resource)
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
        is_there, is_given_up = False, False
        try:
            is_there = await self._is_there(name)
        except (asyncio.CancelledError, BusClosed) as error:
            is_given_up = True
            self._wanted.abandoned(name)
            if not isinstance(error, BusClosed):
                raise
        except EdgecoreError as error:
            log.warning("object_not_asked_for", resource=str(name), error=str(error), again_in_s=AGAIN_AFTER_S)
        finally:
            if not is_given_up:
                self._take_answer(name, is_there=is_there)

    def _take_answer(self, name: r.EdgeResource, *, is_there: bool) -> None:
        is_news = self._wanted.answered(name, self._clock.monotonic(), is_there=is_there)
        self._tell(name)
        self._changed.set()
        if is_news:
            log.info("object_arrived" if is_there else "object_missing", resource=str(name))

    async def _is_there(self, name: r.EdgeResource) -> bool:
        get = self._meta.config_map if name.type == r.CONFIGMAP else self._meta.secret
        data = await get(name.namespace, name.name)
        return data is not None and self._keep(name, data)

    def _keep(self, name: r.EdgeResource, data: bytes) -> bool:
        """Keep what an object holds, if a runtime reads it; return whether it can be read."""
        if self._values is None or not self._wanted.users(name):
            return True
        try:
            self._values.put(name, data)
        except ContentError as error:
            log.warning("object_not_read", resource=str(name), error=str(error))
            return False
        return True

    def _drop(self, name: r.EdgeResource) -> None:
        if self._values is not None:
            self._values.drop(name)

    def _tell(self, name: r.EdgeResource) -> None:
        if self._values is not None:
            for uid in self._wanted.users(name):
                self._news(uid)

    def _has_room(self) -> bool:
        return self._wanted.under_way < UNDER_WAY_LIMIT

    async def _until_something_is_due(self) -> None:
        at = self._wanted.next_at() if self._has_room() else None
        await until_set(self._clock, self._changed, at)
        self._changed.clear()


def _content(message: Message) -> bytes:
    """Return the object in a message; nothing that could be read, where it is none."""
    try:
        return content_json(message)
    except ContentError:
        return b""


def _nobody(pod_uid: str) -> None:
    """Take news that nobody waits for."""
