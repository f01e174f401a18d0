"""DeviceTwin's store as far as the cloud sees it: which devices the node has, and what is desired of them (pure).

As ``kubeedge edge/pkg/devicetwin/dtmanager/{membership,twin}.go@v1.3.1``: a device that is added once more keeps the
properties that it had; a desired value is taken unless the node knows a higher version of it.
"""

from typing import Any

Json = dict[str, Any]
Devices = dict[str, dict[str, tuple[int, str]]]
"""Device to property to version and desired value."""


def take(devices: Devices, resource: str, content: Json) -> None:
    """Take in a message of the group ``twin``."""
    if resource == "membership":
        for each in content.get("added_devices") or ():
            _update(devices.setdefault(each["id"], {}), each.get("twin") or {})
        for each in content.get("removed_devices") or ():
            devices.pop(each["id"], None)
        return
    match resource.split("/"):
        case ["device", name, "twin", "cloud_updated"] if name in devices:
            _update(devices[name], content["twin"])


def _update(held: dict[str, tuple[int, str]], twin: Json) -> None:
    for name, wanted in twin.items():
        version = wanted["expected_version"]["cloud"]
        if name in held and version < held[name][0]:
            continue
        if wanted["metadata"]["type"] == "deleted":
            held.pop(name, None)
        else:
            held[name] = (version, wanted["expected"]["value"])
