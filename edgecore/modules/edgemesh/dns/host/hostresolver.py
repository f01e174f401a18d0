"""The DNS server as the host's resolver: while it runs, the host's resolv.conf names it first, if that is wanted.

The file is changed once, when the server listens on port 53, be it at once or later, and once more when it stops. What
a crash left there a later start takes over or takes out. Where the file cannot be changed, or no resolver could reach
the server through it, one warning says so and the server works all the same.
"""

import asyncio
from pathlib import Path
from typing import Any, Protocol

import structlog

from edgecore.addresses import join_address
from edgecore.clock import Clock
from edgecore.errors import HostFileError
from edgecore.modules.edgemesh.dns.host import hostfile
from edgecore.modules.edgemesh.dns.resolver.exchange import Server
from edgecore.modules.edgemesh.dns.resolver.resolvconf import (
    marked_host,
    nameable,
    put_first,
    read_resolv_conf,
    take_out,
)
from edgecore.modules.edgemesh.heldname import Held

log = structlog.get_logger("edgemesh.dns")

LOOK_EVERY_S = 5.0
"""How often a server that is to be named is looked at until it listens on port 53."""

_BY_HAND = "point the host's resolver at the node by hand (docs/how-to/dns.md)"
_ADVICE = {
    "no_port_53": "a resolv.conf names no ports: set modules.edgeMesh.dns.listen to 127.0.0.1:53",
    "another_node": "set modules.edgeMesh.dns.manageResolvConf in one node of this host only",
    "link": f"tell that program of the node instead (docs/how-to/dns.md), or {_BY_HAND}",
    "mounted": "start the container with its name server, such as docker run --dns 127.0.0.1",
    "no_permission": f"run the node as root, or {_BY_HAND}",
}


class InnerDns(Protocol):
    """The server itself; see ``DnsServer``."""

    @property
    def addresses(self) -> tuple[Server, ...]:
        """Where it listens."""

    async def start(self) -> None:
        """Listen. Raises ``ListenError``."""

    async def stop(self) -> None:
        """Listen no more."""

    def status(self) -> dict[str, Any]:
        """Return what it did and does, as a JSON object."""


class HostResolver:
    """Starts and stops ``dns``, and keeps ``resolv_conf`` in step with it: wanted or not, never longer than it runs."""

    def __init__(self, dns: InnerDns, resolv_conf: Path, clock: Clock, *, wanted: bool) -> None:
        self._dns = dns
        self._path = resolv_conf
        self._clock = clock
        self._wanted = wanted
        self._waiting: asyncio.Task[None] | None = None
        self._hold: Held | None = None
        self._host: str | None = None  # in our line, which is in the file
        self._problem = ""

    async def start(self) -> None:
        """Listen, then have the host ask here. Raises ``ListenError``."""
        await self._dns.start()
        if not self._wanted:
            self._take_out_of_a_crash()
        elif nameable(self._dns.addresses) is None:
            self._take_out_of_a_crash()
            listening = ", ".join(join_address(*address) for address in self._dns.addresses) or "nothing yet"
            self._complain("no_port_53", f"cannot name this server in {self._path}: it listens on {listening}")
            self._waiting = asyncio.create_task(self._wait(), name="edgemesh resolv.conf")
        else:
            self._put()

    async def stop(self) -> None:
        """Have the host ask others, then listen no more; may be called again."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        self.put_back()
        await self._dns.stop()

    def put_back(self) -> None:
        """Take our line out of the file; may be called again."""
        host, self._host = self._host, None
        if host is not None:
            try:
                is_changed = hostfile.change(self._path, take_out)
                log.info("resolv_conf_put_back", path=str(self._path), was_there=is_changed)
            except HostFileError as error:
                log.error("resolv_conf_not_put_back", error=str(error), then="edgecore doctor --fix-resolv-conf")
        self._let_go()

    def status(self) -> dict[str, Any]:
        """Return what the server says, and what became of the file."""
        told = {
            "path": str(self._path),
            "wanted": self._wanted,
            "server": self._host,
            "problem": self._problem,
        }
        return {**self._dns.status(), "resolv_conf": told}

    async def _wait(self) -> None:
        while nameable(self._dns.addresses) is None:
            await self._clock.sleep(LOOK_EVERY_S)
        self._put()

    def _put(self) -> None:
        """Put the server first, or say why not; of a server that is not named nothing is held."""
        try:
            self._try_to_put()
        except HostFileError as error:
            self._complain(error.reason, str(error))
        if self._host is None:
            self._let_go()

    def _try_to_put(self) -> None:
        host = nameable(self._dns.addresses)
        self._hold = hostfile.hold(self._path)
        if host is None or self._hold is None:
            self._complain("another_node", f"cannot change {self._path}: another node of this host does")
            return
        self._problem = ""
        found = hostfile.read(self._path)
        said = read_resolv_conf(take_out(found).decode(errors="replace"))
        if said.servers[:1] == (host,):
            hostfile.change(self._path, take_out)
            log.info("resolv_conf_right_already", path=str(self._path), server=host)
            return
        hostfile.change(self._path, lambda content: put_first(content, host))
        self._host = host
        log.info("resolv_conf_changed", path=str(self._path), server=host, was_left_by_a_crash=found != take_out(found))
        if "rotate" in said.options:
            log.warning("resolv_conf_rotates", path=str(self._path), hint="options rotate asks the others as often")

    def _take_out_of_a_crash(self) -> None:
        """Put back what a node left that was killed; what a living one holds stays."""
        try:
            if marked_host(hostfile.read(self._path)) is None:
                return
        except HostFileError:  # what cannot be read was not written by us
            return
        try:
            self._hold = hostfile.hold(self._path)
            if self._hold is not None and hostfile.change(self._path, take_out):
                log.warning("resolv_conf_put_back", path=str(self._path), left_by="a node that was killed")
        except HostFileError as error:
            log.error("resolv_conf_not_put_back", error=str(error), then="edgecore doctor --fix-resolv-conf")
        self._let_go()

    def _complain(self, reason: str, text: str) -> None:
        advice = _ADVICE.get(reason, _BY_HAND)
        self._problem = f"{text}; {advice}"
        log.warning("resolv_conf_not_changed", reason=reason, error=text, hint=advice)

    def _let_go(self) -> None:
        held, self._hold = self._hold, None
        if held is not None:
            held.close()
