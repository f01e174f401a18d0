"""Who is connected now: the live links by node, one each, and waiting for a node to come."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
        self._watchers: dict[str, list[Callable[[bool], None]]] = {}
        cloud.delivery.on_work = self._wake

    def connect(self, upgrade: Upgrade, socket: Socket) -> Link:
        """Begin a link. Raises ``NoSuchNode`` when as many nodes are connected as may be, ``QueueFull`` when as many
        have messages waiting for them."""
        self._cloud.delivery.queue(upgrade.node)
        node, session = self._cloud.nodes.connect(upgrade)
        old = self._links.pop(upgrade.node, None)
        if old is not None:
            old.end(REPLACED)
        link = Link(self._cloud, node, session, socket, self._forget)
        self._links[upgrade.node] = link
        link.start()
        waiting = self._cloud.delivery.depth(node.name)
        log.info("node_connected", node=node.name, epoch=session.epoch, project=node.project[:80], waiting=waiting)
        self._arrival.set()
        self._arrival = asyncio.Event()
        self._tell(node.name, is_connected=True)
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

    @contextmanager
    def watch(self, name: str, watcher: Callable[[bool], None]) -> Iterator[None]:
        """Call ``watcher`` whenever the node ``name`` connects (true) or is gone (false)."""
        self._watchers.setdefault(name, []).append(watcher)
        try:
            yield
        finally:
            watchers = self._watchers[name]
            watchers.remove(watcher)
            if not watchers:
                del self._watchers[name]

    def _tell(self, name: str, *, is_connected: bool) -> None:
        self._cloud.plane.connection_changed(name, is_connected=is_connected)
        for watcher in list(self._watchers.get(name, ())):
            watcher(is_connected)

    def _wake(self, name: str) -> None:
        link = self._links.get(name)
        if link is not None:
            link.wake()

    def _forget(self, link: Link) -> None:
        """``link`` has ended, whoever ended it; unless it was replaced, its node is not connected any more."""
        if self._cloud.nodes.disconnect(link.session):
            del self._links[link.node.name]
            self._tell(link.node.name, is_connected=False)
