"""Judges the hosts of ports: times, checks and the log around ``outliers`` and ``checker``."""

import random
from collections.abc import Callable

import structlog

from edgecore.clock import Clock, Timer
from edgecore.modules.edgemesh.upstream.health import outliers
from edgecore.modules.edgemesh.upstream.health.asking import ask
from edgecore.modules.edgemesh.upstream.health.checker import Ask, Checker, Watch
from edgecore.modules.edgemesh.upstream.health.probing import check_of
from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import PortKey

log = structlog.get_logger("edgemesh")


class HealthJudge:
    """Made once in a process; ``judge`` is a ``MakeHealth``. To be closed behind the upstreams."""

    def __init__(self, clock: Clock, rng: random.Random, ask: Ask = ask) -> None:
        self._clock = clock
        self.checker = Checker(clock, rng, ask)

    def judge(self, key: PortKey, changed: Callable[[], None]) -> "PortHealth":
        """Return the judge of one port."""
        return PortHealth(key, changed, self._clock, self.checker)

    async def close(self) -> None:
        """Wait until no check is under way."""
        await self.checker.close()


class PortHealth:
    """See ``Health``."""

    __slots__ = ("_changed", "_checker", "_clock", "_due_at", "_hosts", "_key", "_policy", "_timer", "_watches")

    def __init__(self, key: PortKey, changed: Callable[[], None], clock: Clock, checker: Checker) -> None:
        self._key = key
        self._changed = changed
        self._clock = clock
        self._checker = checker
        self._hosts: tuple[Host, ...] = ()
        self._policy = Policy()
        self._timer: Timer | None = None
        self._due_at = 0.0
        self._watches: dict[Host, Watch] = {}

    def follow(self, hosts: tuple[Host, ...], policy: Policy) -> None:
        """See ``Health``."""
        self._hosts = hosts
        self._policy = policy
        for host in outliers.surplus(hosts, policy):
            self._take_back(host, "too_many_ejected")
        self._set_timer()
        self._check_all()

    def failed(self, host: Host) -> None:
        """See ``Health``."""
        for_s = outliers.eject(host, self._hosts, self._policy, self._clock.monotonic())
        if for_s:
            reason = host.last_error
            log.warning("backend_ejected", **self._told_of(host), reason=reason, for_s=for_s, times=host.ejections)
            self._set_timer()
            self._changed()

    def close(self) -> None:
        """See ``Health``."""
        self._hosts = ()
        self._set_timer()
        for watch in self._watches.values():
            watch.stop()
        self._watches.clear()

    def _set_timer(self) -> None:
        """Have the one timer go off when the next host is due."""
        due_at = outliers.next_due(self._hosts)
        if due_at == self._due_at:
            return
        self._due_at = due_at
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_at(due_at, self._look) if due_at else None

    def _look(self) -> None:
        self._timer = None
        self._due_at = 0.0
        due = outliers.due(self._hosts, self._clock.monotonic())
        for host in due:
            self._take_back(host, "time_over")
        self._set_timer()
        if due:
            self._changed()

    def _take_back(self, host: Host, reason: str) -> None:
        outliers.take_back(host, self._clock.monotonic())
        log.info("backend_returned", **self._told_of(host), reason=reason)

    def _check_all(self) -> None:
        """Check those of the hosts that are to be checked, and no others."""
        transport = self._key[2]
        wanted = {host: check_of(host.backend, host.endpoint, transport, self._policy) for host in self._hosts}
        for host, watch in list(self._watches.items()):
            if wanted.get(host) != watch.check:
                watch.stop()
                del self._watches[host]
                host.checked = None
                host.check_error = ""
        for host, check in wanted.items():
            if check is not None and host not in self._watches:
                watch = self._watches[host] = self._checker.watch(check, self._hears(host))
                if watch.well is not None:  # it is checked for another port already
                    host.checked, host.check_error = watch.well, watch.error

    def _hears(self, host: Host) -> Callable[[bool, str], None]:
        return lambda well, error: self._checked(host, well, error)

    def _checked(self, host: Host, well: bool, error: str) -> None:
        was_out = host.checked is False
        host.checked, host.check_error = well, error
        if not well:
            log.warning("backend_unhealthy", **self._told_of(host), reason=error)
        elif was_out:
            log.info("backend_healthy", **self._told_of(host))
            if host.ejected_until:  # seen to be back, so there is nothing to wait for
                self._take_back(host, "check_passed")
                self._set_timer()
        if was_out or not well:
            self._changed()

    def _told_of(self, host: Host) -> dict[str, str | int]:
        service, port, _ = self._key
        return {"service": str(service), "port": port, "pod": host.backend.pod, "endpoint": str(host.endpoint)}
