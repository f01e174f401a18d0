"""Which rules are wanted, which the kernel has, and one transaction at a time from these to those.

Changes that come while a transaction is under way go together in the next. One that fails is tried again until it
succeeds, with everything made anew, for nobody knows then what the kernel has. No change is lost.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from edgecore.clock import Clock
from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.rules.interception import Balanced, NameHijack, Spot, Spots
from edgecore.modules.edgemesh.names import Endpoint

log = structlog.get_logger("edgemesh")

RETRY_S = 1.0

Put = Callable[[Spots | None, Spots], Awaitable[None]]
"""Makes the kernel have what the second says. It has what the first says; ``None``: who knows, so all is made anew.
Raises ``InterceptError``."""


class Ruleset:
    """The rules for spots and names. Nothing reaches the kernel before ``start``."""

    def __init__(self, put: Put, clock: Clock) -> None:
        self._put = put
        self._clock = clock
        self._led: dict[Spot, Endpoint] = {}
        self._balanced: dict[Spot, Balanced] = {}
        self._names: NameHijack | None = None
        self._applied: Spots | None = None
        self._changed = True  # there is something that was not in the last transaction
        self._is_open = False
        self._worker: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        self._settled.set()
        self.failures = 0
        """Transactions that failed."""
        self.problem = ""
        """Why the last transaction failed; empty if it did not."""

    def lead(self, spot: Spot, endpoint: Endpoint | None) -> None:
        """Lead new connections to ``spot`` to ``endpoint``, a listener of ours; ``None``: no more."""
        if self._led.get(spot) == endpoint:
            return
        if endpoint is None:
            del self._led[spot]
        else:
            self._led[spot] = endpoint
        self._change()

    def balance(self, spot: Spot, balanced: Balanced | None) -> None:
        """Have the kernel balance new connections to ``spot``; ``None``: no more. This comes before ``lead``."""
        if self._balanced.get(spot) == balanced:
            return
        if balanced is None:
            del self._balanced[spot]
        else:
            self._balanced[spot] = balanced
        self._change()

    def names(self, hijack: NameHijack | None) -> None:
        """Lead questions to these name servers to ours; ``None``: to none."""
        if self._names != hijack:
            self._names = hijack
            self._change()

    @property
    def applied(self) -> Spots | None:
        """What the kernel has; ``None``: nothing, or nobody knows."""
        return self._applied

    @property
    def desired(self) -> Spots:
        """What the kernel is to have."""
        return Spots(dict(self._led), dict(self._balanced), self._names)

    async def start(self) -> None:
        """Make all rules, and follow the changes from now on. Raises ``InterceptError``: nothing is followed then."""
        await self.hold()
        await self._transact(None, self.desired)
        self._is_open = True
        self._proceed()

    async def remake(self) -> None:
        """Make all rules anew: some are missing. Raises ``InterceptError``; it is tried again then, as ever."""
        await self.hold()
        self._is_open = True
        try:
            await self._transact(None, self.desired)
        finally:
            self._proceed()

    async def hold(self) -> None:
        """Leave the kernel alone until ``start``; what changes meanwhile is made then."""
        self._is_open = False
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
        self._applied = None
        self._changed = True
        self._settled.set()

    async def settled(self) -> None:
        """Return when the kernel has all that was asked for; at once while it is left alone."""
        await self._settled.wait()

    def _change(self) -> None:
        self._changed = True
        self._proceed()

    def _proceed(self) -> None:
        if not self._is_open or not self._changed:
            return
        self._settled.clear()
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name="edgemesh rules")

    async def _work(self) -> None:
        try:
            while self._changed:
                try:
                    await self._transact(self._applied, self.desired)
                except InterceptError:
                    await self._clock.sleep(RETRY_S)
                except Exception:
                    log.exception("intercept_rules_failed", again_in_s=RETRY_S)
                    await self._clock.sleep(RETRY_S)
        finally:
            if self._worker is asyncio.current_task():
                self._worker = None

    async def _transact(self, before: Spots | None, after: Spots) -> None:
        """Put ``after`` into the kernel. Raises ``InterceptError``; it is unknown then what the kernel has."""
        self._changed = False
        try:
            if before != after:
                await self._put(before, after)
        except BaseException as error:
            self._applied = None
            self._changed = True
            if isinstance(error, InterceptError):
                self._note_failure(error)
            raise
        if self.problem:
            log.info("intercept_rules_made", after_failures=self.failures)
            self.problem = ""
        self._applied = after
        if not self._changed:
            self._settled.set()

    def _note_failure(self, error: InterceptError) -> None:
        self.failures += 1
        if str(error) != self.problem:
            log.warning("intercept_rules_failed", reason=error.reason, error=str(error), again_in_s=RETRY_S)
        self.problem = str(error)
