"""The configuration of a running node read again: what can be is applied, what cannot is told, key by key.

=========  ====================================================================================
outcome    meaning
=========  ====================================================================================
applied    the node goes by the new value
restart    the node goes by the old value until it is started again
refused    the part of the node that it is for would not take it; the node goes by the old value
=========  ====================================================================================

A file that cannot be used at all changes nothing. What a node goes by is in ``Reloader.config`` at any time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from operator import itemgetter
from typing import Any

import structlog

from edgecore.clock import Clock, bounded
from edgecore.config.changes import Changed, changes, taking_over
from edgecore.config.load import LoadedConfig
from edgecore.config.schema import EdgeCoreConfig
from edgecore.errors import ConfigError

log = structlog.get_logger("node")

APPLY_S = 10.0
"""How long one part of the node may take to go by its new values."""
_GRACE_S = 1.0

Apply = Callable[[EdgeCoreConfig], Awaitable[None]]
"""Goes by a configuration, of which only keys that can be reloaded are other than before.

Raises ``EdgecoreError`` where it cannot, and goes by the one before then.
"""


class Reloader:
    """See the module. ``parts`` are by the path of their section, such as ``modules.edged``.

    ``reread`` returns the file as it is now, or raises ``ConfigError``; ``None``: there is none.
    """

    def __init__(
        self,
        config: EdgeCoreConfig,
        reread: Callable[[], LoadedConfig] | None,
        parts: Mapping[str, Apply],
        clock: Clock,
    ) -> None:
        self.config = config
        self._reread = reread
        self._parts = parts
        self._clock = clock
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[dict[str, Any]]] = set()

    async def reload(self) -> dict[str, Any]:
        """Read the file, apply what can be, and return what became of each key, as a JSON object.

        ``state`` is ``unchanged``, ``applied``, ``partly`` (some keys are not applied) or ``refused`` (``error`` says
        why; nothing is changed). Goes on where the caller is cancelled: nothing is left half applied because somebody
        who asked for it went away.
        """
        task = asyncio.create_task(self._in_turn(), name="reload")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End what is under way: the node stops."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _in_turn(self) -> dict[str, Any]:
        async with self._turn:
            return await self._reload()

    async def _reload(self) -> dict[str, Any]:
        try:
            if self._reread is None:
                raise ConfigError("cannot reload: this node was not started from a file; restart it instead")
            loaded = self._reread()
        except ConfigError as error:
            log.error("config_not_reloaded", error=str(error))
            return {"state": "refused", "error": str(error), "warnings": [], "keys": []}
        except Exception as error:  # a fault of ours; the node goes on as it was
            log.exception("config_not_reloaded", error=type(error).__name__)
            text = f"cannot reload: {type(error).__name__}; see the log of the node"
            return {"state": "refused", "error": text, "warnings": [], "keys": []}
        by_owner: dict[str, list[Changed]] = {}
        for changed in changes(self.config, loaded.config):
            by_owner.setdefault(self._owner(changed), []).append(changed)
        outcomes: list[dict[str, str]] = []
        for owner, several in by_owner.items():
            outcomes += await self._take(owner, several, loaded.config)
        outcomes.sort(key=itemgetter("key"))
        by_outcome = {
            word: [each["key"] for each in outcomes if each["outcome"] == word]
            for word in ("applied", "restart", "refused")
        }
        log.info("config_reloaded", origin=loaded.origin, **by_outcome)
        whole = "applied" if outcomes else "unchanged"
        return {
            "state": "partly" if by_outcome["restart"] or by_outcome["refused"] else whole,
            "error": "",
            "warnings": [str(problem) for problem in loaded.warnings],
            "keys": outcomes,
        }

    def _owner(self, changed: Changed) -> str:
        """Return the section whose part the key can be given to; empty: nobody can take it now."""
        if not changed.by_reload:
            return ""
        return next((section for section in self._parts if changed.key.startswith(f"{section}.")), "")

    async def _take(self, owner: str, changed: list[Changed], wanted: EdgeCoreConfig) -> list[dict[str, str]]:
        if not owner:
            return [_told(each, "restart") for each in changed]
        config = taking_over(self.config, wanted, [each.key for each in changed])
        try:
            work = self._apply(owner, config)
            await bounded(self._clock, self._clock.monotonic() + APPLY_S, work, grace_s=_GRACE_S)
        except Exception as error:
            reason = str(error) or f"{owner} did not take it within {APPLY_S:g} s"
            log.error("setting_not_applied", section=owner, error=reason)
            return [_told(each, "refused", reason) for each in changed]
        self.config = config
        return [_told(each, "applied") for each in changed]

    async def _apply(self, owner: str, config: EdgeCoreConfig) -> None:
        await self._parts[owner](config)


def _told(changed: Changed, outcome: str, reason: str = "") -> dict[str, str]:
    return {
        "key": changed.key,
        "before": changed.before,
        "now": changed.now,
        "outcome": outcome,
        "reason": reason,
    }
