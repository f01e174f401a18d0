"""The users of one node: they ask for names and send requests, lines and packets, and judge every answer.

What stays must be right each time, whatever is cut or started again meanwhile. What comes and goes is right when it is
as the node itself says that it is; where that changed while the question was on its way, either will do.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from soak.asking import Address, Lines, exchange, get, resolve
from soak.manifests import MOVING, Still
from soak.names import address_of_name

Json = dict[str, Any]
UDP_IDLE_S = 5
"""Clients of UDP services are forgotten so soon, for each packet comes from another one."""
DOMAIN = "default.svc.cluster.local"


class Sight(NamedTuple):
    """What a node says of itself."""

    dns: Address
    services: Mapping[str, Json]
    """As ``status`` has them, by name."""


class Users:
    """Of one node; ``look`` asks it what it has. Every round does a little of everything."""

    def __init__(self, still: Sequence[Still], look: Callable[[], Awaitable[Sight]]) -> None:
        self._still = still
        self._look = look
        self._staying: dict[str, Lines] = {}
        self.asked: Counter[str] = Counter()
        self.wrong: deque[str] = deque(maxlen=50)
        self.wrong_count = 0

    async def round(self, number: int) -> None:
        """Ask everything once that has its turn in round ``number``."""
        sight = await self._look()
        still = self._still[number % len(self._still)]
        await self._judged("dns still", self._still_name(sight, still, by_tcp=number % 5 == 0))
        await self._judged(f"{still.kind} still", self._still_service(sight, still, number))
        if still.kind != "udp":
            await self._judged(f"{still.kind} staying", self._staying_connection(sight, still, number))
        if number % 2 == 0:
            await self._judged("dns moving", self._moving_name(sight, f"moving-{number // 2 % MOVING}"))
        else:
            await self._judged("http moving", self._moving_service(sight, f"moving-{number // 2 % MOVING}", number))
        if number % 3 == 0:
            await self._judged("dns elsewhere", self._name_elsewhere(sight, number))

    async def close(self) -> None:
        """Hang up what stays open."""
        for lines in self._staying.values():
            await lines.close()
        self._staying.clear()

    async def _judged(self, kind: str, work: Awaitable[str]) -> None:
        self.asked[kind] += 1
        try:
            fault = await work
        except (OSError, EOFError, TimeoutError, AssertionError, ValueError) as error:
            fault = f"{type(error).__name__}: {error}"
        if fault:
            self.wrong_count += 1
            self.wrong.append(f"{kind}: {fault}")

    async def _still_name(self, sight: Sight, still: Still, *, by_tcp: bool) -> str:
        found = await resolve(sight.dns, f"{still.name}.{DOMAIN}", by_tcp=by_tcp)
        expected = [_fake_ip(sight, still.name)]
        return "" if found == expected else f"{still.name} is {found}, not {expected}"

    async def _still_service(self, sight: Sight, still: Still, number: int) -> str:
        place = _place(sight, still.name)
        match still.kind:
            case "http":
                status, body = await get(place, still.name, f"/{number}", "POST" if number % 4 == 0 else "GET")
                said = body if status == 200 else f"{status} {body}"
                wanted = {f"{port} {'POST' if number % 4 == 0 else 'GET'} /{number}" for port in still.backends}
            case "tcp":
                lines = await Lines.open(place)
                try:
                    said = await lines.ask(f"line {number}")
                finally:
                    await lines.close()
                wanted = {f"{port} line {number}" for port in still.backends}
            case _:
                said = (await exchange(place, b"packet %d" % number)).decode()
                wanted = {f"{port} packet {number}" for port in still.backends}
        return "" if said in wanted else f"{still.name} said {said[:200]!r}, not one of {sorted(wanted)}"

    async def _staying_connection(self, sight: Sight, still: Still, number: int) -> str:
        """Ask on a connection that stays open; after 40 rounds it is a new one."""
        if number % 40 < len(self._still) and (old := self._staying.pop(still.name, None)) is not None:
            await old.close()
        if still.name not in self._staying:
            self._staying[still.name] = await Lines.open(_place(sight, still.name))
        lines = self._staying[still.name]
        try:
            if still.kind == "tcp":
                said, words = await lines.ask(f"again {number}"), f"again {number}"
            else:
                said, words = await lines.request(still.name, f"/again/{number}"), f"GET /again/{number}"
        except BaseException:
            with suppress(KeyError):
                await self._staying.pop(still.name).close()
            raise
        return "" if said in {f"{port} {words}" for port in still.backends} else f"{still.name} said {said[:200]!r}"

    async def _moving_name(self, sight: Sight, name: str) -> str:
        found = await resolve(sight.dns, f"{name}.{DOMAIN}")
        after = await self._look()
        allowed = [[ip] if (ip := _fake_ip(each, name)) else [] for each in (sight, after)]
        return "" if found in allowed else f"{name} is {found}, not one of {allowed}"

    async def _moving_service(self, sight: Sight, name: str, number: int) -> str:
        service = sight.services.get(name)
        if service is None or not service["ports"] or service["ports"][0]["state"] != "listening":
            return ""
        status, body = 0, ""
        with suppress(OSError, EOFError):
            status, body = await get((service["fake_ip"], service["ports"][0]["port"]), name, f"/{number}")
        after = (await self._look()).services.get(name)
        if after != service:
            return ""  # it changed meanwhile
        ports = [int(one["endpoint"].rpartition(":")[2]) for one in service["backends"] if one["state"] == "in"]
        if not ports:
            return "" if status == 503 else f"{name} has no pod, and said {status} {body[:200]!r}"
        return "" if body in {f"{port} GET /{number}" for port in ports} else f"{name} said {status} {body[:200]!r}"

    async def _name_elsewhere(self, sight: Sight, number: int) -> str:
        name = f"host-{number % 150}.example.org"
        found = await resolve(sight.dns, name)
        return "" if found == [address_of_name(name)] else f"{name} is {found}"


def _fake_ip(sight: Sight, name: str) -> str:
    service = sight.services.get(name)
    return service["fake_ip"] or "" if service is not None else ""


def _place(sight: Sight, name: str) -> Address:
    service = sight.services.get(name)
    assert service is not None, f"the node has no service {name}"
    return service["fake_ip"], service["ports"][0]["port"]


async def settled(condition: Callable[[], Awaitable[bool]], turns: int, pause_s: float) -> bool:
    """Return whether ``condition`` became true within so many looks."""
    for _ in range(turns):
        if await condition():
            return True
        await asyncio.sleep(pause_s)
    return False
