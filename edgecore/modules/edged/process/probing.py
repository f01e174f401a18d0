"""Asks containers how they are: by HTTP, by a connection, by a command."""

import asyncio
import ssl
from contextlib import suppress

import aiohttp
from yarl import URL

from edgecore.clock import Clock, before
from edgecore.modules.edged.process.plan import ProcessPlan
from edgecore.modules.edged.process.probes import ExecTarget, HttpTarget, ProbePlan, TcpTarget
from edgecore.modules.edged.process.supervision import ProcessRefused, Program, Supervision

USER_AGENT = "kube-probe/1.17"
AT_ONCE = 64
"""Questions by HTTP that are under way at one time."""
KILL = 9


class Probing:
    """The questions of all probes."""

    def __init__(self, clock: Clock, supervision: Supervision) -> None:
        self._clock = clock
        self._supervision = supervision
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, probe: ProbePlan, process: ProcessPlan) -> bool:
        """Ask once; return whether the answer is success."""
        deadline = self._clock.monotonic() + probe.timeout_s
        match probe.target:
            case HttpTarget() as target:
                question = self._http(target)
            case TcpTarget(host, port):
                question = _connects(host, port)
            case ExecTarget(command):
                question = self._succeeds(Program(command, process.variables, process.directory))
            case None:
                return False
        try:
            return await before(self._clock, deadline, question)
        except (TimeoutError, OSError, ValueError, aiohttp.ClientError, ProcessRefused):
            return False

    async def close(self) -> None:
        """Ask nothing any more."""
        if self._session is not None:
            await self._session.close()

    async def _http(self, target: HttpTarget) -> bool:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=AT_ONCE, force_close=True, ssl=_unverified())
            # The node's clock says when it takes too long.
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        host = f"[{target.host}]" if ":" in target.host else target.host
        url = URL(f"{target.scheme}://{host}:{target.port}{target.path}", encoded=True)
        headers = {"User-Agent": USER_AGENT, **{each.name: each.value for each in target.headers}}
        async with self._session.get(url, headers=headers, allow_redirects=False) as answer:
            return 200 <= answer.status < 400

    async def _succeeds(self, program: Program) -> bool:
        running = await self._supervision.run(program)
        try:
            return await asyncio.shield(running.ended) == 0
        finally:
            self._supervision.signal(running, KILL)


async def _connects(host: str, port: int) -> bool:
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


def _unverified() -> ssl.SSLContext:
    """Return how HTTPS is spoken: as by the kubelet, which asks whether somebody answers, not who."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
