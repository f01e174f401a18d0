"""Looks again and again whether all that was made in the kernel is there, says what is not, and has it mended."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

import structlog

from edgecore.clock import Clock
from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.rules.findings import Finding
from edgecore.modules.edgemesh.intercept.rules.routes import ADDRESS_LIFE_S

log = structlog.get_logger("edgemesh")

RENEW_S = 5.0
"""Our address runs out unless it is renewed; see ``ADDRESS_LIFE_S``."""


class Watched(Protocol):
    """What is looked after. Each may raise ``InterceptError``."""

    @property
    def is_active(self) -> bool:
        """Whether there is anything to look after."""

    async def look(self) -> Sequence[Finding]:
        """Return what is missing or not as it was made."""

    async def mend(self, found: Sequence[Finding]) -> None:
        """Make anew what is missing."""

    async def renew(self) -> None:
        """Keep the address."""


class Watchdog:
    """See the module. With ``repairs_wanted`` of False it only says what it finds."""

    def __init__(self, watched: Watched, clock: Clock, interval_s: float, *, repairs_wanted: bool) -> None:
        self._watched = watched
        self._clock = clock
        self._interval_s = interval_s
        self._repairs_wanted = repairs_wanted
        self.findings: tuple[Finding, ...] = ()
        """What was missing when it looked last, and is not mended."""
        self._stays: tuple[Finding, ...] = ()  # what mending did not help against
        self._complaint = ""
        self.problem = ""
        """Why that could not be mended."""
        self.repairs = 0
        """How often something was mended."""

    async def run(self) -> None:
        """Look until cancelled."""
        renewed_at = self._clock.monotonic()
        look_at = renewed_at + self._interval_s
        while True:
            await self._clock.sleep(min(self._interval_s, RENEW_S))
            if not self._watched.is_active:
                renewed_at = self._clock.monotonic()
                continue
            if self._clock.monotonic() >= look_at:
                look_at = self._clock.monotonic() + self._interval_s
                await self._or_complain(self.look())
            # Even if it cannot be looked. It would make a missing address anew.
            if (self._repairs_wanted or not self.findings) and await self._or_complain(self._watched.renew()):
                before, renewed_at = renewed_at, self._clock.monotonic()
                if renewed_at >= before + ADDRESS_LIFE_S:  # this process was stopped, or the keeper busy, for too long
                    await self._or_complain(self.look())

    async def _or_complain(self, work: Awaitable[None]) -> bool:
        try:
            await work
        except InterceptError as error:
            if str(error) != self._complaint:
                log.warning("intercept_not_checked", reason=error.reason, error=str(error))
            self._complaint = str(error)
        except Exception:
            log.exception("intercept_not_checked")
        else:
            return True
        return False

    async def look(self) -> None:
        """Look once, and mend what is to be mended. Raises ``InterceptError`` if it cannot be looked."""
        found = tuple(await self._watched.look())
        for finding in found:
            if finding not in self.findings:
                log.warning("intercept_rule_missing", finding=finding.text, repair=self._repairs_wanted)
        if self.findings and not found:
            log.info("intercept_complete")
        self.findings, self._complaint = found, ""
        if not found:
            self._stays, self.problem = (), ""
        if found and self._repairs_wanted and found != self._stays:
            try:
                await self._watched.mend(found)
            except InterceptError as error:
                if str(error) != self.problem:
                    log.warning("intercept_not_repaired", reason=error.reason, error=str(error))
                self.problem = str(error)
                return
            self.problem = ""
            self.findings = self._stays = tuple(await self._watched.look())
            if self.findings != found:
                self.repairs += 1
                log.info("intercept_repaired", findings=[one.text for one in found if one not in self.findings])
