"""A process that is as little of a cloud as edges take for one: it sends each the frames of a file, one at a time.

It is given a directory with a file ``NODE.jsonl`` for each node and prints its port. Told ``nodes`` by a line on its
standard input, it prints those that have posted a status; told ``send``, it does so when the last of them has
acknowledged everything.
"""

import asyncio
import json
import re
import sys
from contextlib import suppress
from pathlib import Path

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

_ID = re.compile(r'"msg_id":"([^"]*)"')
_PARENT = re.compile(r'"parent_msg_id":"([^"]+)"')
_STATUS = re.compile(r'"operation":"(?:insert|update)","resource":"[^"/]*/nodestatus/([^"]*)"')


class Node:
    """One edge that is connected."""

    def __init__(self, name: str, connection: ServerConnection, directory: Path) -> None:
        self._file = directory / f"{name}.jsonl"
        self._connection = connection
        self._acknowledged = asyncio.Event()
        self._awaited = ""
        self.has_posted = False

    async def take(self, frame: str) -> None:
        """Take what the edge says: an acknowledgement, or its status, which is answered."""
        head = frame[:400]
        if (parent := _PARENT.search(head)) is not None:
            if parent[1] == self._awaited:
                self._acknowledged.set()
        elif (status := _STATUS.search(head)) is not None and (asked := _ID.search(head)) is not None:
            self.has_posted = self.has_posted or '"update"' in status[0]
            header = f'"msg_id":"a-{asked[1]}","parent_msg_id":"{asked[1]}","timestamp":1'
            route = '"source":"edgecontroller","group":"resource","operation":"response"'
            resource = f'"resource":"default/node/{status[1]}"'
            answer = f'{{"header":{{{header}}},"route":{{{route},{resource}}},"content":"OK"}}\n'
            await self._connection.send(answer)

    async def send_all(self) -> None:
        """Send the frames, each when the one before is acknowledged."""
        for line in self._file.read_text("utf-8").splitlines(keepends=True):
            found = _ID.search(line, 0, 200)
            assert found is not None
            self._awaited = found[1]
            self._acknowledged.clear()
            await self._connection.send(line)
            await self._acknowledged.wait()


async def main(directory: Path) -> None:
    """Serve until the standard input ends."""
    nodes: dict[str, Node] = {}

    async def attend(connection: ServerConnection) -> None:
        assert connection.request is not None
        name = connection.request.path.split("/")[-2]
        node = nodes[name] = Node(name, connection, directory)
        with suppress(ConnectionClosed):
            async for data in connection:
                await node.take(data if isinstance(data, str) else data.decode())

    async with serve(attend, "127.0.0.1", 0, compression=None, ping_interval=None, close_timeout=1) as server:
        print(json.dumps(server.sockets[0].getsockname()[1]), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            if json.loads(line) == ["send"]:
                await asyncio.gather(*(node.send_all() for node in nodes.values()))
            print(json.dumps([name for name, node in nodes.items() if node.has_posted]), flush=True)


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1])))
