"""A process that is many nodes, told by lines on its standard input what to do: ``["join", "stub", "ws:..", 200]``."""

import asyncio
import json
import re
import sys
import time
from itertools import count
from typing import Any

import uvloop
from websockets.asyncio.client import ClientConnection, connect

from fleet.recorded import recorded

KEEPALIVE_S, STATUS_S = 15.0, 10.0
CONNECTING = 20
"""Nodes that connect at the same time."""

_ID = re.compile(rb'"msg_id":"([^"]*)"')
_PARENT = re.compile(rb'"parent_msg_id":"[^"]')
_RESOURCE = re.compile(rb'"resource":"([^"]*)"')


class LightEdge:
    """As little of an edge node as a cloud would not notice."""

    def __init__(self, name: str, connection: ClientConnection, status: bytes) -> None:
        self._name = name
        self._connection = connection
        self._numbers = count()
        self._status = status.replace(b"edge-node1", name.encode())
        self._keepalive = self._frame("websocket", "resource", "keepalive", "node", '"ping"')
        self._answered = asyncio.Event()
        self.pushed = asyncio.Event()
        self.acknowledged = 0
        self._tasks = [asyncio.create_task(work) for work in (self._read(), self._keep_alive())]

    @classmethod
    async def join(cls, url: str, name: str, status: bytes) -> "LightEdge":
        """Connect and register."""
        headers = [("Node_id", name), ("Project_id", "bench"), ("Connectionuse", "msg")]
        options: dict[str, Any] = {"compression": None, "ping_interval": None, "close_timeout": 1, "proxy": None}
        url = f"{url}/bench/{name}/events"
        connection = await connect(url, additional_headers=headers, user_agent_header="edgecore", **options)
        edge = cls(name, connection, status)
        await edge.ask(edge._frame("edged", "meta", "insert", f"default/nodestatus/{name}", "{}"))
        return edge

    def report(self, after_s: float) -> None:
        """Post the status every ten seconds from then on."""
        self._tasks.append(asyncio.create_task(self._post_status(after_s)))

    async def ask(self, payload: bytes) -> None:
        """Send a request and wait for its answer."""
        self._answered.clear()
        await self._connection.send(_ID.sub(b'"msg_id":"%b"' % self._new_id(), payload, count=1), text=True)
        await self._answered.wait()

    async def post_until(self, deadline: float) -> int:
        """Post one status after the other; return how many were answered in time."""
        posted = 0
        while time.perf_counter() < deadline:
            await self.ask(self._status)
            posted += 1
        return posted

    async def have_pushed(self, messages: int) -> None:
        """Have the peer send so many messages."""
        self.pushed.clear()
        await self._connection.send(f"push {messages}")
        await self.pushed.wait()

    async def leave(self) -> None:
        """Close the connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._connection.close()

    async def _read(self) -> None:
        while True:
            data = await self._connection.recv(decode=False)
            if _PARENT.search(data, 0, 200):
                self._answered.set()
            elif data == b"pushed":
                self.pushed.set()
            else:
                await self._acknowledge(data)

    async def _acknowledge(self, data: bytes) -> None:
        self.acknowledged += 1
        message_id, resource = _ID.search(data), _RESOURCE.search(data)
        assert message_id is not None
        assert resource is not None
        header = b'{"header":{"msg_id":"%b","parent_msg_id":"%b","timestamp":1},' % (self._new_id(), message_id[1])
        route = b'"route":{"source":"edgecontroller","group":"resource","operation":"response","resource":"%b"}'
        await self._connection.send(header + route % resource[1] + b',"content":"OK"}\n', text=True)

    async def _keep_alive(self) -> None:
        while True:
            await self._connection.send(self._keepalive, text=True)
            await asyncio.sleep(KEEPALIVE_S)

    async def _post_status(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        while True:
            await self.ask(self._status)
            await asyncio.sleep(STATUS_S)

    def _frame(self, source: str, group: str, operation: str, resource: str, content: str) -> bytes:
        route = f'"source":"{source}","group":"{group}","operation":"{operation}","resource":"{resource}"'
        return f'{{"header":{{"msg_id":"","timestamp":1}},"route":{{{route}}},"content":{content}}}\n'.encode()

    def _new_id(self) -> bytes:
        return b"%b-%d-%d" % (self._name.encode(), id(self), next(self._numbers))


class Edges:
    """All nodes, and what they can be told to do."""

    def __init__(self) -> None:
        self._edges: dict[str, list[LightEdge]] = {}
        self._status = recorded("update", "default/nodestatus/").encode()

    async def join(self, server: str, url: str, nodes: int) -> None:
        """Connect so many nodes to a server."""
        some = asyncio.Semaphore(CONNECTING)

        async def one(number: int) -> LightEdge:
            async with some:
                return await LightEdge.join(url, f"node-{number:04}", self._status)

        self._edges[server] = list(await asyncio.gather(*(one(number) for number in range(nodes))))

    async def report(self, server: str) -> None:
        """Have them post their status, evenly over the ten seconds."""
        edges = self._edges[server]
        for number, edge in enumerate(edges):
            edge.report(STATUS_S * number / len(edges))

    async def post(self, server: str, seconds: float) -> float:
        """Have them post as fast as they are answered; return statuses a second."""
        began = time.perf_counter()
        posted = await asyncio.gather(*(edge.post_until(began + seconds) for edge in self._edges[server]))
        return sum(posted) / (time.perf_counter() - began)

    async def pushed(self, server: str, messages: int) -> None:
        """Have the peer send to all of them."""
        await asyncio.gather(*(edge.have_pushed(messages) for edge in self._edges[server]))

    async def acknowledged(self, server: str) -> int:
        """Return how many messages they have acknowledged."""
        return sum(edge.acknowledged for edge in self._edges[server])

    async def leave(self, server: str) -> None:
        """Disconnect them."""
        await asyncio.gather(*(edge.leave() for edge in self._edges.pop(server, [])))


async def main() -> None:
    """Do what the lines on standard input say, one after the other; print what comes out."""
    edges = Edges()
    while line := await asyncio.to_thread(sys.stdin.readline):
        what, *rest = json.loads(line)
        print(json.dumps(await getattr(edges, what)(*rest)), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
