"""A part cloud for a node with devices: it registers the node, and keeps what the node says of its devices."""

import json
from typing import Any

from edgecore.recording import frames as f
from edgecore.recording.frames import Frame, kind_of, read_frame
from fidelity.cloud import PartCloud

T = 1589000000000


class DeviceCloud(PartCloud):
    """It answers what a node needs to be there; reports are not confirmed, as a cloud of 1.3.1 does not."""

    def __init__(self) -> None:
        super().__init__(self._take)
        self.reachable = True
        self.said: list[Frame] = []
        """What DeviceTwin and EventBus sent, in order."""
        self._number = 0

    @property
    def url(self) -> str:
        """Where the node dials."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def reports(self) -> list[Frame]:
        """What was said of twins and states; what was asked is not in it."""
        return [one for one in self.said if one.route[0] == "twin" and one.route[2] == "update"]

    async def tell(
        self, resource: str, content: Any, *, group: str = "twin", operation: str = "update", parent: str = ""
    ) -> None:
        """Send what the device controller sends, or, with another group, a message of that one."""
        self._number += 1
        header = {"msg_id": f"from-the-test-{self._number}", "parent_msg_id": parent, "timestamp": T}
        source = "devicecontroller" if group == "twin" else "the test"
        route = {"source": source, "group": group, "operation": operation, "resource": resource}
        await self.send(json.dumps({"header": header, "route": route, "content": content}))

    async def _take(self, text: str) -> None:
        frame = read_frame(text, len(self.said) + 1)
        kind = kind_of(frame)
        if kind in (f.REGISTRATION, f.TRANSPORT_PING):
            self._number += 1
            header = {"msg_id": f"answer-{self._number}", "parent_msg_id": frame.id, "timestamp": T}
            route = {**frame.document["route"], "operation": "response"}
            if kind == f.REGISTRATION:
                route |= {"source": "edgecontroller", "group": "resource"}
            content = "OK" if kind == f.REGISTRATION else "ack"
            await self.send(json.dumps({"header": header, "route": route, "content": content}))
        elif kind in (f.TWIN, f.BUS):
            self.said.append(frame)
