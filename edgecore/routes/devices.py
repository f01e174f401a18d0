"""What commands can ask a running node about its devices: ``edgecore devices``."""

from typing import Any, Protocol

from edgecore.control.routes import ControlRefused, ControlRequest, Routes


class Devices(Protocol):
    """The part of ``DeviceTwin`` that tells of devices."""

    def devices(self) -> list[dict[str, Any]]:
        """Return every device in short."""

    def device(self, device_id: str) -> dict[str, Any] | None:
        """Return everything of one; ``None``: there is none."""


def device_routes(devices: Devices | None) -> Routes:
    """Return the routes of the control socket; ``None``: there is no DeviceTwin.

    | route | answer |
    | --- | --- |
    | ``GET /v1/devices`` | every device in short |
    | ``GET /v1/device?id=`` | one device: its twins with their versions, deleted ones too, and its attributes |
    """

    async def show_devices(_request: ControlRequest) -> list[dict[str, Any]]:
        return _seen(devices).devices()

    async def show_device(request: ControlRequest) -> dict[str, Any]:
        device_id = request.query.get("id", "")
        device = _seen(devices).device(device_id)
        if device is None:
            raise ControlRefused(
                404, f"cannot show device {device_id}: the node has none of that id; see `edgecore devices`"
            )
        return device

    return {("GET", "/v1/devices"): show_devices, ("GET", "/v1/device"): show_device}


def _seen(devices: Devices | None) -> Devices:
    if devices is None:
        raise ControlRefused(409, "cannot show devices: modules.deviceTwin.enable is false in this node")
    return devices
