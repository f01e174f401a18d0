"""Interception from start to stop: a keeper that holds the rules, put back when it ends, taken out by command.

::

    off ──start──▶ active ──remove──▶ removed ──apply──▶ active
                   │    ▲
       keeper ends ▼    │ a new keeper, everything made anew
                   broken
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Literal

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edgecore.clock import Clock
from edgecore.errors import InterceptError, ListenError
from edgecore.modules.edgemesh.intercept.alone import Alone
from edgecore.modules.edgemesh.intercept.hold import Hold, Link
from edgecore.modules.edgemesh.intercept.interface import kinds
from edgecore.modules.edgemesh.intercept.keeper.protocol import Nft
from edgecore.modules.edgemesh.intercept.plan import plan
from edgecore.modules.edgemesh.intercept.rules.findings import Finding
from edgecore.modules.edgemesh.intercept.rules.interception import Spots
from edgecore.modules.edgemesh.intercept.rules.iptables import CHAIN
from edgecore.modules.edgemesh.intercept.rules.nftables import list_counters
from edgecore.modules.edgemesh.intercept.ruleset import Ruleset
from edgecore.modules.edgemesh.intercept.script import Script
from edgecore.modules.edgemesh.intercept.settings import InterceptSettings
from edgecore.modules.edgemesh.intercept.watchdog import Watchdog

log = structlog.get_logger("edgemesh")

RESTART_S = 1.0
RESTART_MAX_S = 30.0

_NOT_RULES = frozenset(("interface", "address", "route", "fallback"))

State = Literal["off", "active", "broken", "removed"]
Listen = Callable[[str], Awaitable[None]]
MakeLink = Callable[[Callable[[object], object]], Link]


class Interceptor:
    """See the module. ``make_link`` makes a link to a new keeper, which calls what it is given when that ends.

    ``alone``: by which nodes of one machine keep out of each other's way; ``None``: there is but one.
    """

    def __init__(
        self, settings: InterceptSettings, clock: Clock, make_link: MakeLink, alone: Alone | None = None
    ) -> None:
        self.settings = settings
        self._alone = alone
        self.rules = Ruleset(self._put, clock)
        self.state: State = "off"
        self.watchdog = Watchdog(self, clock, settings.check_interval_s, repairs_wanted=settings.repair)
        self.keeper_restarts = 0
        self._clock = clock
        self._make_link = make_link
        self._listen: Listen | None = None
        self._hold: Hold | None = None
        self._problem = ""
        self._turn = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self._restarting: asyncio.Task[None] | None = None

    async def start(self, listen: Listen) -> None:
        """Intercept; ``listen`` is called with the address to listen at. Raises ``InterceptError`` with all undone."""
        self._listen = listen
        async with self._turn:
            try:
                await self._begin()
            except BaseException:
                self._let_go()
                raise
        self._watching = asyncio.create_task(self.watchdog.run(), name="edgemesh watchdog")

    async def stop(self) -> None:
        """Take rules and routes away; return when they are. May be called again."""
        self.state = "off"
        tasks = [task for task in (self._watching, self._restarting) if task is not None]
        self._watching = self._restarting = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with self._turn:
            self.state = "off"  # an ``apply`` that was under way has made it active
            await self.rules.hold()
            hold, self._hold = self._hold, None
            if hold is not None:
                await hold.end()
        self._let_go()

    async def apply(self) -> None:
        """Make everything anew, after ``remove`` or not. Raises ``InterceptError``."""
        async with self._turn:
            if self.state == "off":
                raise InterceptError("keeper_gone", "the node is stopping")
            if self.state == "active" and self._hold is not None:
                await self._hold.restore()
                await self.rules.remake()
            else:
                await self._begin()
                log.info("intercept_applied")

    async def remove(self) -> None:
        """Leave no rule, and no route but the one that refuses fake IPs, until ``apply``."""
        async with self._turn:
            if self.state == "off":
                raise InterceptError("keeper_gone", "the node is stopping")
            self.state = "removed"
            self.watchdog.findings = ()
            await self.rules.hold()
            hold, self._hold = self._hold, None
            if hold is not None:
                await hold.remove(keeps_refusing=True)
            log.info("intercept_removed")

    # What the watchdog asks.

    @property
    def is_active(self) -> bool:
        """See ``Watched``."""
        return self.state == "active"

    async def look(self) -> Sequence[Finding]:
        """See ``Watched``."""
        hold = self._hold
        return await hold.look(self.rules.applied) if hold is not None and self.is_active else ()

    async def check(self) -> dict[str, Any]:
        """Look now, and return the status: what is missing in this moment too, which the watchdog will mend."""
        async with self._turn:
            try:
                found, problem = [finding.text for finding in await self.look()], ""
            except InterceptError as error:
                found, problem = [], str(error)
            status = self.status()
        new = [text for text in found if text not in status["findings"]]
        if not (new or problem) or not self.is_active:
            return status
        findings = [*status["findings"], *new]
        return {**status, "state": "degraded", "findings": findings, "problem": status["problem"] or problem}

    async def mend(self, found: Sequence[Finding]) -> None:
        """See ``Watched``."""
        async with self._turn:
            if self._hold is not None and self.is_active:
                are_others = await self._hold.restore()
                if are_others or any(finding.what not in _NOT_RULES for finding in found):
                    await self.rules.remake()

    async def renew(self) -> None:
        """See ``Watched``."""
        if self._hold is not None and self.is_active:
            await self._hold.renew()

    # What people ask.

    @property
    def script(self) -> Script | None:
        """The steps in force; ``None`` while there is no keeper."""
        return self._hold.script if self._hold is not None else None

    def listening_address(self) -> str:
        """Of the interface; empty before the start."""
        return self.settings.address if self.state != "off" else ""

    async def list_counters(self) -> str:
        """Return the counters of the kernel plane, as JSON. Raises ``InterceptError``."""
        hold = self._hold
        if hold is None or hold.script is None or hold.script.tool != "nft":
            raise InterceptError("keeper_gone", "there are no counters")
        return await hold.link.ask(Nft(list_counters(hold.script.i.table), json=True))

    def status(self) -> dict[str, Any]:
        """Return how it is, as a JSON object.

        ``findings`` are what is missing, ``cut`` the fake IPs, as networks, that are not led for that, ``problem`` why
        it cannot be made.
        """
        script, rules, link = self.script, self.rules, self._hold.link if self._hold is not None else None
        applied = rules.applied or Spots()
        findings = [finding.text for finding in self.watchdog.findings]
        problem = self._problem or rules.problem or self.watchdog.problem
        state: str = self.state
        if state == "active" and (findings or problem):
            state = "degraded"
        return {
            "state": state,
            "interface": script.i.interface if script is not None else self.settings.interface,
            "made": script.made if script is not None else None,
            "address": self.settings.address,
            "subnet": self.settings.subnet,
            "tool": script.tool if script is not None else None,
            "table": script.i.table if script is not None else None,
            "owner": script.owner if script is not None else None,
            "forwards": script.i.forwards if script is not None else None,
            "keeper": link.pid if link is not None else None,
            "keeper_restarts": self.keeper_restarts,
            "led": len(applied.led),
            "balanced": sum(bool(one.targets) for one in applied.balanced.values()),
            "names": list(applied.names.servers) if applied.names is not None else [],
            "repair": self.settings.repair,
            "repairs": self.watchdog.repairs,
            "failures": rules.failures,
            "findings": findings,
            "cut": self._cut(),
            "problem": problem,
        }

    def _cut(self) -> list[str]:
        if self.state in ("broken", "removed"):
            return [self.settings.subnet]
        return sorted({finding.cut for finding in self.watchdog.findings if finding.cut})

    def plan(self) -> dict[str, Any] | None:
        """Return what was done for what there is now, and what will be done at the end; ``None``: nothing is done."""
        script, spots = self.script, self.rules.applied or self.rules.desired
        kind = kinds(self.settings)[0] if script is not None and script.made else ""
        linger_s = self.settings.linger_s if self._hold is not None and self._hold.lingers else 0.0
        return plan(script, spots, linger_s, makes=kind) if script is not None else None

    def families(self) -> Iterator[Metric]:
        """Yield the figures for Prometheus."""
        applied = self.rules.applied or Spots()
        prefix = "edgecore_edgemesh_intercept"
        yield GaugeMetricFamily(
            f"{prefix}_active", "Whether rules are in force, all of them.", value=self.status()["state"] == "active"
        )
        yield GaugeMetricFamily(f"{prefix}_led", "Ports of fake IPs that rules lead here.", value=len(applied.led))
        yield GaugeMetricFamily(
            f"{prefix}_balanced",
            "Ports of fake IPs that the kernel balances.",
            value=sum(bool(one.targets) for one in applied.balanced.values()),
        )
        yield CounterMetricFamily(
            f"{prefix}_repairs", "Times that missing rules or routes were put back.", value=self.watchdog.repairs
        )
        yield CounterMetricFamily(
            f"{prefix}_failures", "Transactions that the kernel or a tool refused.", value=self.rules.failures
        )
        yield CounterMetricFamily(
            f"{prefix}_keeper_restarts", "Keepers that ended and were started again.", value=self.keeper_restarts
        )

    # Within ``_turn``.

    async def _begin(self) -> None:
        """Start a keeper and make everything. Raises ``InterceptError`` with all undone."""
        assert self._listen is not None  # noqa: S101 - ``start`` was called
        hold: Hold | None = None
        link = self._make_link(lambda _end: self._keeper_ended(hold))
        hold = Hold(self.settings, link, self._clock, self._claim)
        try:
            await hold.prepare(self._listen)
            self._hold = hold
            await self.rules.start()
            await hold.go_live()
        except BaseException:
            self._hold = None
            await self.rules.hold()
            # While the node runs names lead to fake IPs: these must not leave by the default route.
            await hold.remove(keeps_refusing=self.state in ("broken", "removed"))
            raise
        self.state, self._problem = "active", ""
        self.watchdog.findings = ()
        script = hold.script
        if script is not None:
            where = {"interface": script.i.interface, "made": script.made, "subnet": script.i.subnet}
            log.info("intercepting", **where, tool=script.tool, table=script.i.table)

    def _claim(self, script: Script) -> None:
        """See ``Claim``."""
        if self._alone is None:
            return
        other = "set modules.edgeMesh.intercept.interfaceAddress to another one"
        self._alone.claim(f"address {script.i.address}", other)
        if script.tool == "iptables":
            other = "stop it, or use nftables, where each node has a table of its own"
            self._alone.claim(f"chain {CHAIN} of iptables", other)

    def _let_go(self) -> None:
        if self._alone is not None:
            self._alone.close()

    async def _put(self, before: Spots | None, after: Spots) -> None:
        """See ``Put``."""
        if self._hold is None:
            raise InterceptError("keeper_gone", "there is no keeper")
        await self._hold.put(before, after)

    def _keeper_ended(self, hold: Hold | None) -> None:
        if hold is None or hold is not self._hold or self.state != "active":
            return
        self.state = "broken"
        self._restarting = asyncio.create_task(self._restart(), name="edgemesh keeper")

    async def _restart(self) -> None:
        """Put another keeper in the place of one that ended."""
        wait_s = RESTART_S
        while self.state == "broken":
            async with self._turn:
                if self._restarting is not asyncio.current_task() or self.state != "broken":
                    return  # somebody has removed or applied everything meanwhile
                await self.rules.hold()
                self._hold = None
                self.keeper_restarts += 1
                try:
                    await self._begin()
                except (InterceptError, ListenError) as error:
                    self._problem = str(error)
                    log.error("intercept_broken", reason=error.reason, error=str(error), again_in_s=wait_s)
                except Exception as error:
                    self._problem = repr(error)
                    log.exception("intercept_broken", again_in_s=wait_s)
                else:
                    return
            await self._clock.sleep(wait_s)
            wait_s = min(2 * wait_s, RESTART_MAX_S)
