"""What the cloud sends: services of about 1 KB, pods, lists of many, and the recorded burst."""

import json
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from edgecore.beehive import wire
from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.resource import EDGECONTROLLER, INSERT, POD, SERVICE, SERVICELIST, UPDATE
from edgecore.recording.entries import CloudFrame, Direction
from edgecore.recording.reader import read_entries

BURST = Path(__file__).parents[2] / "tests" / "data" / "f_burst_1000_services_3000_pods.jsonl.gz"
NAMESPACE = "bulk"
_fresh = count()


def message(operation: str, resource: str, content: str | bytes, version: int = 1) -> Message:
    """Return a message of the cloud, as EdgeHub decodes it: its content is not looked at yet."""
    raw = msgspec.Raw(content.encode() if isinstance(content, str) else content)
    header = Header(f"0f8fad5b-d9cb-469f-a165-{next(_fresh):012x}", "", 1_589_000_000_123, str(version))
    return Message(header, Route(EDGECONTROLLER, "resource", operation, resource), raw)


def service(number: int, version: int, size: int = 1024) -> str:
    """Return the JSON of a service of ``size`` bytes."""
    name = f"app-{number:05}"
    metadata = {"name": name, "namespace": NAMESPACE, "resourceVersion": f"{version:08}", "annotations": {"note": ""}}
    ports = [{"name": "http-0", "protocol": "TCP", "port": 10_000 + number % 20_000, "targetPort": 80}]
    document: dict[str, Any] = {"metadata": metadata, "spec": {"ports": ports, "selector": {"app": name}}}
    text = json.dumps(document, separators=(",", ":"))
    return text.replace('"note":""', '"note":"' + "x" * max(0, size - len(text)) + '"')


def services(operation: str, total: int, version: int) -> list[Message]:
    """Return the messages that bring ``total`` services of 1 KB."""
    return [
        message(operation, f"{NAMESPACE}/{SERVICE}/app-{number:05}", service(number, version), version)
        for number in range(total)
    ]


def recorded_burst() -> Iterator[Message]:
    """Yield what the cloud sent of 1,000 services and 3,000 pods when that was recorded, answers left out."""
    for entry in read_entries(BURST):
        if isinstance(entry, CloudFrame) and entry.direction is Direction.TO_EDGE:
            decoded = wire.decode(entry.text)
            if decoded.route.operation in (INSERT, UPDATE):
                yield decoded


def pods_of(burst: Iterable[Message]) -> Iterator[Message]:
    """Yield an insert of each pod that the recorded lists name."""
    for each in burst:
        if "/podlist/" in each.route.resource:
            for element in msgspec.json.decode(each.content, type=list[msgspec.Raw] | None) or ():
                name = msgspec.json.decode(element)["metadata"]["name"]
                yield message(INSERT, f"{NAMESPACE}/{POD}/{name}", bytes(element))


def lists(total: int, version: int, size: int = 1_000_000) -> Iterator[Message]:
    """Yield ``total`` lists of services, of about ``size`` bytes each, no service twice."""
    each = len(service(0, version, 440)) + 1
    a_list = size // each
    for number in range(total):
        elements = (service(number * a_list + place, version, 440) for place in range(a_list))
        yield message(UPDATE, f"{NAMESPACE}/{SERVICELIST}/{SERVICE}", f"[{','.join(elements)}]", version)
