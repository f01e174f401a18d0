"""The recorded devices: what was said to the Go edgecore, by whom, and what it said on MQTT and to its cloud."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

DATA = Path(__file__).parents[1] / "data"
FIRST_T = 1795169924747190284
LAST_T = 1795169979000000000
_TIMES = re.compile(
    r"""("timestamp":|"last_online":|"event_id":)(?:\d{13}|"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"|"[0-9a-f-]{36}")"""
)
"""The same in a text, as Go writes it."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Step(NamedTuple):
    """Something that was said to the Go edgecore."""

    t: int
    topic: str
    """Empty for a frame of the cloud."""
    content: str


class Recorded(NamedTuple):
    """One message as a subscriber of ``#`` got it."""

    t: int
    topic: str
    payload: str
    qos: int
    retain: bool


def steps() -> Iterator[Step]:
    """Yield what devices published (a topic) and the cloud sent (a frame, without topic)."""
    for line in (DATA / "d_devices_twins.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry.get("note", "").startswith("mqtt publish "):
            yield Step(entry["t_ns"], entry["note"].removeprefix("mqtt publish "), entry["payload"])
        elif entry.get("dir") == "cloud->edge" and '"devicecontroller"' in entry["text"]:
            yield Step(entry["t_ns"], "", entry["text"])


def exchange() -> list[Recorded]:
    """Return all that was recorded on MQTT, whoever published it."""
    entries = [json.loads(line) for line in (DATA / "mqtt.jsonl").read_text().splitlines()]
    return [Recorded(one["t"], one["topic"], one["payload"], one["qos"], bool(one["retain"])) for one in entries]


def publications() -> list[tuple[str, Any]]:
    """Return what the Go edgecore published of devices: not the news of the link (V3), nor what others published."""
    return [
        (one.topic, json.loads(one.payload))
        for one in exchange()
        if FIRST_T < one.t < LAST_T and one.qos == 1 and one.topic != "node/connection"
    ]


def reports() -> list[tuple[str, Any]]:
    """Return what the Go edgecore told its cloud of devices: resource and content."""
    entries = [json.loads(line) for line in (DATA / "d_devices_twins.jsonl").read_text().splitlines()]
    frames = [json.loads(entry["text"]) for entry in entries if entry.get("dir") == "edge->cloud"]
    return [(one["route"]["resource"], one["content"]) for one in frames if one["route"]["source"] == "twin"]


def timeless(value: Any) -> Any:
    """Return a value with every time of the node and every id that was drawn replaced by its kind."""
    if isinstance(value, dict):
        return {key: _of_no_time(key, field) for key, field in value.items()}
    return [timeless(one) for one in value] if isinstance(value, list) else value


def _of_no_time(key: str, value: Any) -> Any:
    if key == "timestamp" and isinstance(value, int):
        return "ms"
    if key == "last_online" and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", value):
        return "local time"
    if key == "event_id" and _UUID.fullmatch(value):
        return "uuid"
    return timeless(value)


def with_time_of_first_value(value: Any) -> Any:
    """W6: Go forgets when the first value of a side came, as soon as the twin is added or read again."""
    if isinstance(value, dict):
        return {
            key: {**field, "metadata": {"timestamp": "ms"}}
            if key == "actual" and isinstance(field, dict) and field.keys() == {"value"}
            else with_time_of_first_value(field)
            for key, field in value.items()
        }
    return value


def is_unchanged(topic: str, payload: Any) -> bool:
    """W8: Go makes a document of ``u2b``, which says what was so already."""
    return topic.endswith("/document") and payload.get("event_id") == "u2b"


def is_report_of_unchanged(report: tuple[str, Any]) -> bool:
    """W8: whether a report tells of ``u2b``, which changed nothing but the version."""
    content = report[1]
    if isinstance(content, str):
        return False
    twin = content["twin"].get("power-status", {})
    return bool(twin.get("actual_version") == {"cloud": 0, "edge": 3})


def difference(recorded: str, ours: str) -> str | None:
    """Return why two payloads are not the same: the id of a line of the ledger, ``differs``, or ``None``.

    Times and drawn ids aside, payloads are compared to the byte.
    """
    theirs, own = (_TIMES.sub(r'\1"?"', text) for text in (recorded, ours))
    if theirs == own:
        return None
    try:
        parsed = with_time_of_first_value(timeless(json.loads(recorded)))
        return "DT1" if json.dumps(parsed) == json.dumps(timeless(json.loads(ours))) else "differs"
    except ValueError:
        return "differs"


def counted(differences: Iterator[str | None]) -> Counter[str]:
    """Return how often each difference is there."""
    return Counter(one for one in differences if one is not None)
