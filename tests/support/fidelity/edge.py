"""An edge that plays a part: it sends a cloud the exact frames of a recorded edge, and keeps what it is answered."""

import json
from collections.abc import Sequence
from types import TracebackType

from websockets.asyncio.client import ClientConnection, connect

from fidelity.frames import Frame, read_frame

NODE = "edge-node1"
PROJECT = "e632aba927ea4ac2b575ec1603d56f10"
_PING = "the-end-of-the-recording"


class PartEdge:
    """One connection of the recorded node."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: ClientConnection | None = None

    async def answers(self, frames: Sequence[Frame]) -> list[Frame]:
        """Send ``frames``, and return each message that has the id of another one as its parent.

        A transport ping at the end is answered in order, so that everything before it has been by then.
        """
        for frame in frames:
            await self._send(frame.text)
        route = {"source": "websocket", "group": "resource", "operation": "ping", "resource": "node"}
        await self._send(json.dumps({"header": {"msg_id": _PING, "timestamp": 1}, "route": route, "content": None}))
        got: list[Frame] = []
        while (frame := await self._receive(len(got) + 1)).parent != _PING:
            got.append(frame)
        return [frame for frame in got if frame.parent]

    async def acknowledge(self, count: int) -> None:
        """Take ``count`` messages, and acknowledge each as the recorded edge did."""
        for number in range(count):
            frame = await self._receive(number + 1)
            header = {"msg_id": f"part-{number}", "parent_msg_id": frame.id, "timestamp": 1}
            route = {**frame.document["route"], "operation": "response"}
            await self._send(json.dumps({"header": header, "route": route, "content": "OK"}))

    async def _send(self, text: str) -> None:
        assert self._connection is not None
        await self._connection.send(text)

    async def _receive(self, line: int) -> Frame:
        assert self._connection is not None
        data = await self._connection.recv()
        return read_frame(data if isinstance(data, str) else data.decode(), line)

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
