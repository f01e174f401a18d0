"""Who is connected now: the live links by node, one each, and waiting for a node to come."""

import asyncio

import structlog

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.errors import NoSuchNode
from cloudhub_stub.link import Link, Socket
from cloudhub_stub.upgrade import Upgrade
from edgecore.clock import before

log = structlog.get_logger("cloudhub")

REPLACED = "replaced"
"""Why a session ends whose node has connected anew."""

STOPPING = "stopping"
"""Why sessions end when the stub does."""


class Hub:
    """The live links: one that ends is forgotten at once. A node that connects again replaces its old link.

    Go keeps both, and they take each other's messages (bug H3); here the old link is ended before the new one begins.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._links: dict[str, Link] = {}
        self._arrival = asyncio.Event()

    def connect(self, upgrade: Upgrade, socket: Socket) -> Link:
        """Begin a link. Raises ``NoSuchNode`` when as many nodes are connected as may be."""
        node, session = self._cloud.nodes.connect(upgrade)
        old = self._links.pop(upgrade.node, None)
        if old is not None:
            old.end(REPLACED)
        link = Link(self._cloud, node, session, socket, self._forget)
        self._links[upgrade.node] = link
        link.start()
        log.info("node_connected", node=node.name, epoch=session.epoch, project=node.project[:80])
        self._arrival.set()
        self._arrival = asyncio.Event()
        return link

    def end_all(self, reason: str) -> None:
        """End every link."""
        for link in list(self._links.values()):
            link.end(reason)

    def find(self, name: str | None) -> Link | None:
        """Return the link of the node ``name``, or of the only connected node.

        Raises ``NoSuchNode`` when no name is given and several nodes are connected.
        """
        if name is not None:
            return self._links.get(name)
        if len(self._links) > 1:
            names = ", ".join(sorted(self._links)[:10])
            raise NoSuchNode(
                f"cannot choose a node: {len(self._links)} are connected ({names}): say which (--node NAME)"
            )
        return next(iter(self._links.values()), None)

    async def wait_for(self, name: str | None, wait_s: float) -> Link:
        """Return what ``find`` does as soon as it is there. Raises ``NoSuchNode`` also after ``wait_s`` seconds."""
        link = self.find(name)
        if link is not None:
            return link
        try:
            return await before(self._cloud.clock, self._cloud.clock.monotonic() + wait_s, self._next(name))
        except TimeoutError as error:
            who = "no node" if name is None else f"node {name} has not"
            others = f"; connected: {', '.join(sorted(self._links)[:10])}" if self._links else ""
            raise NoSuchNode(f"{who} connected within {wait_s:g} s{others}") from error

    async def _next(self, name: str | None) -> Link:
        while (link := self.find(name)) is None:
            await self._arrival.wait()
        return link

    def _forget(self, link: Link) -> None:
        """``link`` has ended, whoever ended it; unless it was replaced, its node is not connected any more."""
        if self._cloud.nodes.disconnect(link.session):
            del self._links[link.node.name]
