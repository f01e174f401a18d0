"""A process of a node that a session is played to: the node as ``app.py`` makes it, but for the link and edged.

In their place stand a link that hands over what the recorded cloud sent, and an edged that says what the recorded one
said. What the cloud hears goes to a file, line by line, which outlives the process: it is the cloud's memory, and from
it the next process knows what is to be sent again.
"""

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from crash.death import Moment, Point, Reaper
from crash.session import Item
from edgecore.app import Node
from edgecore.beehive import resource as r
from edgecore.beehive.message import Header, Message, Route, with_header
from edgecore.config.host import Environment
from edgecore.config.load import LoadedConfig, parse
from edgecore.store import outbox


class Orders(NamedTuple):
    """What a process is to do: play the steps of the session that are not done yet to the node in ``directory``."""

    directory: str
    window: int = 1
    """So many messages of the cloud are on their way at one time."""
    point: Point | None = None
    """Where it kills itself."""
    killed_after_s: float | None = None
    """When it is killed by another."""


class Heard:
    """What the cloud and edged heard, in a file of lines: ``done <step>``, ``gone <resource>``, and notes."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, *words: object) -> None:
        """Add a line. It is there even if the process is killed right after."""
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())

    def close(self) -> None:
        os.close(self._file)


def heard(path: Path, word: str) -> list[str]:
    """Return what follows ``word`` in the lines that begin with it."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.removeprefix(f"{word} ") for line in lines if line.startswith(f"{word} ")]


def pool_of(pid: int) -> str:
    """Return the pool of fake IPs for the nodes of a process, which has them one after the other.

    It is neither the default nor what other tests use: each node of this process must find it free.
    """
    return f"127.{16 + pid % 80}.0.0/16"


def configuration(directory: Path, pool: str) -> LoadedConfig:
    """Return the configuration of a node without link and edged, all of whose files lie in ``directory``."""
    modules = {
        "deviceTwin": {"enable": False},
        "eventBus": {"enable": False},
        "edgeHub": {"enable": False},
        "edged": {"enable": False, "hostnameOverride": "edge-node1"},
        "edgeMesh": {"rootlessSubNet": pool, "dns": {"upstreams": ["127.0.0.1:9"]}},
    }
    values = {"database": {"dataSource": str(directory / "edgecore.db")}, "modules": modules}
    return parse(json.dumps(values), "the test", env=Environment("edge-node1", "127.0.0.1"))


class Player:
    """The link and edged of one node, which play the session to it."""

    def __init__(self, node: Node, items: Sequence[Item], memory: Heard, reaper: Reaper, window: int) -> None:
        self._node = node
        self._items = items
        self._memory = memory
        self._reaper = reaper
        self._hub = node.bus.register(r.EDGEHUB, r.GROUP_HUB)
        self._edged = node.bus.register(r.EDGED, r.GROUP_EDGED)
        self._window = window
        self._under_way: dict[str, int | None] = {}
        """By the id of what the cloud sent, the step that is done once it is acknowledged."""
        self._moved = asyncio.Event()
        self._answers: dict[str, Message] = {}

    async def play(self, done: set[int]) -> None:
        """Play what is not done, in order; return once it is, and nothing is left to do."""
        tasks = [asyncio.create_task(self._link()), asyncio.create_task(self._take_for_edged())]
        try:
            await self._say_what_was_kept()
            await self._announce_link()
            for step, item in enumerate(self._items):
                if step not in done:
                    await self._play(step, item)
            await self._all_settled()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _play(self, step: int, item: Item) -> None:
        if item.is_of_the_cloud:
            await self._until(lambda: len(self._under_way) < self._window)
            self._under_way[item.message.header.id] = step
            await self._hub.send_to_group(r.GROUP_META, item.message)
            return
        await self._nothing_under_way()  # what edged says is its answer to what it was told
        await self._say(step, item)
        self._memory.note("done", step)

    async def _say(self, step: int, item: Item) -> None:
        """Do as edged: after a restart it goes by the rows, and what it says again is another message."""
        route = item.message.route
        if route.operation == r.DELETE and not self._has_row(route.resource):
            return
        if item.answer is not None:
            self._answers[route.resource] = item.answer
        message = Message(Header(f"{os.getpid()}-{step}", timestamp_ms=1), route, item.message.content)
        reply = await self._edged.send_sync(r.METAMANAGER, message, 30.0)
        assert reply.route.operation == r.RESPONSE, reply
        await self._nothing_under_way()

    def _has_row(self, key: str) -> bool:
        assert self._node.store is not None
        return bool(self._node.store.rows("SELECT 1 FROM meta WHERE key = ?", (key,)))

    # The link.

    async def _link(self) -> None:
        async for message in self._hub:
            route = message.route
            if route.operation == r.RESPONSE:
                self._acknowledged(message.header.parent_id)
            elif route.operation == r.QUERY:
                answer = self._answers[route.resource]
                self._under_way[answer.header.id] = None
                self._hub.respond(with_header(answer, answer.header.id, message.header.id, 1))
            elif outbox.is_durable(message):
                await self._tell_gone(message)

    def _acknowledged(self, message_id: str) -> None:
        step = self._under_way.pop(message_id)
        self._reaper.acks += 1
        self._reaper.pass_by(Moment.BEFORE_ACK, self._reaper.acks)
        if step is not None:
            self._memory.note("done", step)
        self._reaper.pass_by(Moment.AFTER_ACK, self._reaper.acks)
        self._moved.set()

    async def _say_what_was_kept(self) -> None:
        assert self._node.store is not None
        for message in outbox.kept(self._node.store):
            assert isinstance(message, Message)
            await self._tell_gone(message)

    async def _tell_gone(self, message: Message) -> None:
        """Do as EdgeHub: what the cloud is known to have is forgotten here."""
        assert self._node.store is not None
        self._memory.note("gone", message.route.resource)
        await self._node.store.write(*outbox.forget([message.header.id]))

    async def _announce_link(self) -> None:
        news = self._hub.build(Route("edgehub", r.GROUP_META, r.PUBLISH, r.NODE_CONNECTION), r.CLOUD_CONNECTED)
        await self._hub.send_to_group(r.GROUP_META, news)

    async def _take_for_edged(self) -> None:
        async for _ in self._edged:
            pass

    # Rest.

    async def _nothing_under_way(self) -> None:
        await self._until(lambda: not self._under_way)

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._moved.clear()
            await self._moved.wait()

    async def _all_settled(self) -> None:
        await self._nothing_under_way()
        while not self._is_settled():
            await asyncio.sleep(0.001)

    def _is_settled(self) -> bool:
        node = self._node
        assert node.store is not None
        mesh = node.runner.statuses()[r.EDGEMESH]
        if any(port.depth for port in node.bus.statistics().values()) or not mesh["recovered"]:
            return False
        return not mesh["writes_unfinished"] and not node.store.statistics().waiting


async def live(orders: Orders, items: Sequence[Item], reaper: Reaper) -> None:
    """Start the node in the directory, play, and stop it; or be killed on the way."""
    directory = Path(orders.directory)
    memory_path = directory / "cloud.txt"
    done = set(map(int, heard(memory_path, "done")))
    memory = Heard(memory_path)
    node = Node(configuration(directory, pool_of(os.getppid())))
    player = Player(node, items, memory, reaper, orders.window)
    await node.start()
    await player.play(done)
    assert node.store is not None
    memory.note("end", reaper.commits, reaper.acks, node.store.statistics().commits)
    await node.stop()
    memory.close()
