"""An edge that plays a part: it sends a cloud the exact frames of a recorded edge, and keeps what it is answered."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

from websockets.asyncio.client import ClientConnection, connect

from edgecore.recording.frames import Frame, read_frame

NODE = "edge-node1"
PROJECT = "e632aba927ea4ac2b575ec1603d56f10"
PATIENCE_S = 10.0
_LAST = "the-last-status"


class PartEdge:
    """One connection of the recorded node. What brings an object is acknowledged, as MetaManager does."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: ClientConnection | None = None
        self._number = 0

    async def answers(self, frames: Sequence[Frame], count: int) -> list[Frame]:
        """Send ``frames``, and return each message that has the id of another one as its parent.

        Returns after ``count`` of them, and after the answer to one more status: what is answered in order has been
        answered by then. Returns without them where they do not come.
        """
        for frame in frames:
            await self._send(frame.text)
        route = {"source": "edged", "group": "meta", "operation": "update", "resource": f"default/nodestatus/{NODE}"}
        header = {"msg_id": _LAST, "timestamp": 1}
        await self._send(json.dumps({"header": header, "route": route, "content": {"Status": {}}}))
        got: dict[str, list[Frame]] = {}
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while _LAST not in got or sum(map(len, got.values())) <= count:
                    frame = await self.take()
                    if frame.parent:
                        got.setdefault(frame.parent, []).append(frame)
        return [frame for parent, found in got.items() if parent != _LAST for frame in found]

    async def take(self) -> Frame:
        """Take one message, and acknowledge it if it brings something."""
        assert self._connection is not None
        data = await self._connection.recv()
        self._number += 1
        frame = read_frame(data if isinstance(data, str) else data.decode(), self._number)
        if not isinstance(frame.document["content"], str):
            header = {"msg_id": f"part-{self._number}", "parent_msg_id": frame.id, "timestamp": 1}
            route = {**frame.document["route"], "operation": "response"}
            await self._send(json.dumps({"header": header, "route": route, "content": "OK"}))
        return frame

    async def _send(self, text: str) -> None:
        assert self._connection is not None
        await self._connection.send(text)

    async def __aenter__(self) -> "PartEdge":
        self._connection = await connect(
            f"{self._url}/{PROJECT}/{NODE}/events",
            additional_headers={"Node_id": NODE, "Project_id": PROJECT, "Connectionuse": "msg"},
            compression=None,
            ping_interval=None,
            close_timeout=1,
            max_size=None,
            proxy=None,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._connection is not None
        await self._connection.close()
