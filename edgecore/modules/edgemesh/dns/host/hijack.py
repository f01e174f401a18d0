"""The DNS server as the host's resolver with no file of the host changed: rules lead questions to it (mode intercept).

The server also listens at the intercepted interface, where containers reach it. While it does, and the interface has
its address, questions to the name servers of resolv.conf are led there; the file is looked at again and again. The
rules go before the server stops.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, Protocol

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric

from edgecore.clock import Clock, before
from edgecore.errors import HostFileError
from edgecore.modules.edgemesh.dns.host import hostfile
from edgecore.modules.edgemesh.dns.host.leading import Leading, lead_names
from edgecore.modules.edgemesh.dns.listening.listeners import Bind
from edgecore.modules.edgemesh.dns.resolver.exchange import Server
from edgecore.modules.edgemesh.dns.resolver.resolvconf import DNS_PORT, nameservers
from edgecore.modules.edgemesh.intercept.rules.interception import NameHijack
from edgecore.observe.metrics import Metrics

log = structlog.get_logger("edgemesh.dns")

LOOK_EVERY_S = 2.0
"""How often resolv.conf and the interface's address are looked at."""
WITHDRAWN_S = 2.0
"""The longest wait for the rules to be gone before the server stops."""
FIRST_PORT = 10053
"""Where port 53 is taken, the first that is free from here on."""

_NOTHING_WRONG = frozenset(("", "ourselves", "no_server", "ipv6_only", "ipv6_first"))
"""What the node cannot help, or need not."""


Refused = tuple[Literal["", "off", "manage_resolv_conf", "no_mark"], str]
"""Why nothing is to be led, a word and a text; nothing: it is to be."""


class Served(Protocol):
    """The server, or what is around it."""

    async def start(self) -> None:
        """Listen. Raises ``ListenError``."""

    async def stop(self) -> None:
        """Listen no more."""

    def status(self) -> dict[str, Any]:
        """Return what it did and does, as a JSON object."""


class OpenServer(Protocol):
    """The part of ``DnsServer`` that listens."""

    @property
    def addresses(self) -> tuple[Server, ...]:
        """Where it listens."""

    def leave_unmarked(self) -> None:
        """Have our own questions carry no mark; before it is started."""

    async def listen(self, *binds: Bind) -> None:
        """Listen at these addresses too."""


class NameRules(Protocol):
    """The part of ``Ruleset`` that leads questions."""

    def names(self, hijack: NameHijack | None) -> None:
        """Lead these questions, and no others."""

    async def settled(self) -> None:
        """Return when it is done."""


class Hijack:
    """Starts and stops ``dns``, and has questions led to it as long as ``server``, which is within it, listens.

    ``address`` returns that of the interface once there is one. ``listens``: the server is to listen there too, at port
    53 if that is free. With ``refused`` it does no more than that; ``off`` and ``manage_resolv_conf`` say that nobody
    wants anything else.
    """

    def __init__(
        self,
        dns: Served,
        server: OpenServer,
        rules: NameRules,
        resolv_conf: Path,
        *,
        clock: Clock,
        metrics: Metrics,
        address: Callable[[], str],
        listens: bool,
        refused: Refused = ("", ""),
    ) -> None:
        self._dns = dns
        self._server = server
        self._rules = rules
        self._path = resolv_conf
        self._clock = clock
        self._address = address
        self._listens = listens
        self._refused = refused
        self._leading = Leading(None, (), *refused)
        self._watch: asyncio.Task[None] | None = None
        metrics.pull(self._collect)

    async def start(self) -> None:
        """Listen, then lead questions here. Raises ``ListenError``."""
        address = self._address()
        if not address or self._refused[0]:  # there will be no rule that has to tell our questions from others
            self._server.leave_unmarked()
        await self._dns.start()
        if not address:  # another mode is in force
            self._leading = Leading(None, (), "off", "mode intercept is not in force")
            return
        if self._listens:
            await self._server.listen(Bind(address, FIRST_PORT, next_free=True, rather=DNS_PORT))
        reason, text = self._refused
        if reason == "no_mark":
            log.warning("names_not_led", reason=reason, error=text)
        if not reason:
            self._look()
            self._watch = asyncio.create_task(self._keep_looking(), name="edgemesh name servers")

    async def stop(self) -> None:
        """Lead no questions here, then listen no more; may be called again."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            await self._withdraw()
        await self._dns.stop()

    def status(self) -> dict[str, Any]:
        """Return what the server says, and under ``led`` what ``told`` does."""
        return {**self._dns.status(), "led": self.told()}

    def told(self) -> dict[str, Any]:
        """Return which name servers' questions are led here, and why others are not, as JSON values."""
        leading = self._leading
        hijack = leading.hijack
        return {
            "wanted": leading.reason != "off" and self._refused[0] not in ("off", "manage_resolv_conf"),
            "servers": list(hijack.servers) if hijack is not None else [],
            "listener": str(hijack.listener) if hijack is not None else None,
            "left": [one._asdict() for one in leading.left],
            "reason": leading.reason,
            "text": leading.text,
            "problem": "" if leading.reason in (*_NOTHING_WRONG, "off", "manage_resolv_conf") else leading.text,
        }

    def _look(self) -> None:
        leading = self._found()
        if leading == self._leading:
            return
        self._leading = leading
        self._rules.names(leading.hijack)
        if leading.hijack is not None:
            servers, listener = list(leading.hijack.servers), str(leading.hijack.listener)
            log.info("names_led", servers=servers, listener=listener, note=leading.text or None)
        elif leading.reason in _NOTHING_WRONG:
            log.info("names_not_led", reason=leading.reason, path=str(self._path))
        else:
            log.warning("names_not_led", reason=leading.reason, error=leading.text)

    def _found(self) -> Leading:
        address = self._address()
        if not _is_here(address):
            text = f"cannot lead questions here: no interface has the address {address}; edgecore intercept status"
            return Leading(None, (), "no_address", text)
        try:
            text = hostfile.read(self._path).decode(errors="replace")
        except HostFileError as error:
            return Leading(None, (), "unreadable", f"cannot lead questions here: {error}; see dns.resolvConf")
        return lead_names([host for host, _ in nameservers(text)], self._server.addresses, address)

    async def _keep_looking(self) -> None:
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            self._look()

    async def _withdraw(self) -> None:
        self._leading = Leading(None)
        self._rules.names(None)
        try:
            await before(self._clock, self._clock.monotonic() + WITHDRAWN_S, self._rules.settled())
        except TimeoutError:
            log.info("names_not_withdrawn", then="the rules go with the node")

    def _collect(self) -> Iterable[Metric]:
        hijack = self._leading.hijack
        yield GaugeMetricFamily(
            "edgecore_dns_servers_led",
            "Name servers of the host whose questions are led here by rules.",
            value=len(hijack.servers) if hijack is not None else 0,
        )


def _is_here(address: str) -> bool:
    """Say whether an interface has ``address``: else what is led there would go out to nobody."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((address, 0))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL  # without a socket to try it with nobody knows
    return True
