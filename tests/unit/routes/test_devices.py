"""What commands can ask about devices."""

from typing import Any

import pytest

from edgecore.control.routes import ControlRefused, ControlRequest
from edgecore.routes.devices import device_routes


class Devices:
    def devices(self) -> list[dict[str, Any]]:
        return [{"id": "a"}]

    def device(self, device_id: str) -> dict[str, Any] | None:
        return {"id": "a", "twins": {}} if device_id == "a" else None


async def ask(devices: Devices | None, path: str, **query: str) -> Any:
    return await device_routes(devices)["GET", path](ControlRequest(query, None))


async def test_all_devices_or_one_can_be_asked_for() -> None:
    assert await ask(Devices(), "/v1/devices") == [{"id": "a"}]
    assert await ask(Devices(), "/v1/device", id="a") == {"id": "a", "twins": {}}


async def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ControlRefused, match="cannot show device b: the node has none of that id") as refused:
        await ask(Devices(), "/v1/device", id="b")
    assert refused.value.status == 404


@pytest.mark.parametrize("path", ["/v1/devices", "/v1/device"])
async def test_a_node_without_devicetwin_says_so(path: str) -> None:
    with pytest.raises(ControlRefused, match="enable is false in this node") as refused:
        await ask(None, path)
    assert refused.value.status == 409
