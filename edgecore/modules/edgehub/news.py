"""The news that the link came up or went down: each module hears of each change once, in order."""

import asyncio

import structlog

from edgecore.beehive import resource as r
from edgecore.beehive.message import Route
from edgecore.beehive.port import Port
from edgecore.errors import BusError, MailboxFull

log = structlog.get_logger("edgehub")

CONNECTION_GROUPS = (r.GROUP_META, r.GROUP_EDGED, r.GROUP_TWIN, r.GROUP_BUS, r.GROUP_MESH)
"""Who is told, in this order; each once (Go tells ``meta`` twice, and neither edged nor edgemesh).

MetaManager is told before the others, which ask it at once.
"""


class ConnectionNews:
    """Tells the modules. Nobody is told again what it heard last; nobody hears of an end without its beginning.

    Nobody is waited for: a module without room gets the news when it has some, and of several changes until then, how
    the link is.
    """

    def __init__(self, port: Port) -> None:
        self._port = port
        self._news = r.CLOUD_DISCONNECTED
        self._heard: dict[str, str] = {}
        self._late: dict[str, asyncio.Task[None]] = {}

    def tell(self, news: str) -> None:
        """Tell those who do not know yet that the link came up, or went down."""
        self._news = news
        for group in CONNECTION_GROUPS:
            for name in self._port.members(group):
                self._tell(name, group)

    def welcome(self, name: str, group: str) -> None:
        """Tell a module that has just joined the bus how the link is, if it is up: it has heard nothing so far."""
        if group in CONNECTION_GROUPS:
            self._tell(name, group)

    def _tell(self, name: str, group: str) -> None:
        news = self._news
        if self._knows(name, news) or name in self._late:
            return
        if self._port.offer(name, self._port.build(connection_route(group), news)):
            self._heard[name] = news
        else:
            task = self._late[name] = asyncio.create_task(self._catch_up(name, group), name=f"edgehub news for {name}")
            task.add_done_callback(lambda _task: self._late.pop(name, None))

    async def _catch_up(self, name: str, group: str) -> None:
        """Return when the module has heard how the link is; when it, or the bus, is gone."""
        while not self._knows(name, news := self._news) and name in self._port.members(group):
            try:
                await self._port.send(name, self._port.build(connection_route(group), news))
            except MailboxFull as error:
                log.error("news_not_delivered", module=name, news=news, error=str(error), then="it is tried again")
            except BusError:  # the module was withdrawn, or the node stops
                continue
            else:
                self._heard[name] = news

    def _knows(self, name: str, news: str) -> bool:
        return self._heard.get(name, r.CLOUD_DISCONNECTED) == news


def connection_route(group: str) -> Route:
    """Return the route of the news for one group of modules."""
    return Route(r.LINK, group, r.PUBLISH, r.NODE_CONNECTION)
