"""What the Go edgecore made of each change of twins in the recordings, made again by the engine, byte for byte."""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from edgecore.beehive.gojson import marshal
from edgecore.modules.devicetwin.devices import Device
from edgecore.modules.devicetwin.payloads import Twins
from edgecore.modules.devicetwin.twins import Deal, Dealt, Refused, deal, shown

DATA = Path(__file__).parents[2] / "data"
PREFIX = "$hw/events/device/"


class Change(NamedTuple):
    """One change: by whom, of which device, and what was told of it, by the end of topic or resource."""

    id: str
    kind: Deal
    device: str
    wanted: Twins
    told: dict[str, dict[str, Any]]


def _lines(name: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in (DATA / name).read_bytes().splitlines()]


def _requests() -> list[tuple[int, Change]]:
    found = []
    for line in _lines("mqtt.jsonl"):
        device, _, rest = line["topic"].removeprefix(PREFIX).partition("/")
        content = line.get("json")
        if line["topic"].startswith(PREFIX) and rest in ("twin/update", "twin/cloud_updated") and content:
            kind = Deal.LOCAL if rest == "twin/update" else Deal.CLOUD
            twins = msgspec.convert(content["twin"], Twins)
            found.append((line["t"], Change(content["event_id"], kind, device, twins, {})))
    for line in _lines("d_devices_twins.jsonl"):
        message = msgspec.json.decode(line["text"]) if line.get("dir") == "cloud->edge" else None
        if message is None or message["route"]["group"] != "twin":
            continue
        content, resource = message["content"], message["route"]["resource"]
        for device in content.get("added_devices") or ():
            twins = msgspec.convert(device["twin"], Twins)
            found.append((line["t_ns"], Change(f"added {device['id']}", Deal.CLOUD, device["id"], twins, {})))
        if resource.endswith("/cloud_updated"):
            twins = msgspec.convert(content["twin"], Twins)
            found.append((line["t_ns"], Change("cloud", Deal.CLOUD, resource.split("/")[1], twins, {})))
    return sorted(found, key=lambda each: each[0])


def _answers() -> list[tuple[int, str, str, dict[str, Any]]]:
    """Return the time, device, kind and content of what the edge told."""
    found = []
    for line in _lines("mqtt.jsonl"):
        device, _, rest = line["topic"].removeprefix(PREFIX).partition("/")
        if line["topic"].startswith(PREFIX) and rest.startswith("twin/update/"):
            found.append((line["t"], device, rest.removeprefix("twin/update/"), line["json"]))
    for line in _lines("d_devices_twins.jsonl"):
        if line.get("dir") == "edge->cloud" and "/twin/edge_updated" in line["text"]:
            message = msgspec.json.decode(line["text"])
            device = message["route"]["resource"].split("/")[1]
            found.append((line["t_ns"], device, "sync", message["content"]))
    return found


def recorded() -> list[Change]:
    """Return the changes in their order, each with what was told before the next of the same device."""
    requests = _requests()
    for at, device, told, content in _answers():
        cause = [change for when, change in requests if when <= at and device in (change.device, "")][-1]
        cause.told.setdefault(told, content)  # what is repeated after a minute is the same again (W4)
    return [change for _, change in requests]


CHANGES = recorded()


def _now_of(told: dict[str, dict[str, Any]]) -> int:
    return min((content["timestamp"] for name, content in told.items() if name != "sync"), default=1)


def _text(value: Any) -> str:
    return marshal(value).decode()


def _dealt(device: Device, change: Change, now_ms: int) -> Dealt | Refused:
    try:
        return deal(device, change.wanted, change.kind, now_ms)
    except Refused as error:
        return error


def _told(dealt: Dealt | Refused, kind: Deal) -> dict[str, str]:
    """Return what we tell, as the parts of the payloads behind event and time."""
    if isinstance(dealt, Refused):
        return {"result": _text({"code": dealt.code, "reason": dealt.reason})}
    told = {"result": _text({"twin": dealt.result})} if kind is Deal.LOCAL else {}
    if dealt.documents:
        told["document"] = _text({"twin": dealt.documents})
    if dealt.delta:
        told["delta"] = _text({"twin": dealt.delta[0], "delta": dealt.delta[1]})
    if dealt.sync:
        told["sync"] = _text({"twin": dealt.sync})
    return told


def _as_go(told: dict[str, str], now_ms: int) -> dict[str, str]:
    """Return what we tell of a new twin without its time, which Go forgets (W6)."""
    time = f'"actual":{{"value":"20","metadata":{{"timestamp":{now_ms}}}}}'
    return {name: text.replace(time, '"actual":{"value":"20"}') for name, text in told.items()}


def test_there_are_changes_of_each_kind() -> None:
    assert [change.id for change in CHANGES] == [
        *("added led-1", "u1", "cloud", "u2", "u2b", "u3", "u4", "u5", "u9", "c1", "added led-2"),
    ]


def test_each_change_tells_what_the_go_program_told() -> None:
    devices = {"led-1": Device("led-1", "led-1", "LEDLight"), "led-2": Device("led-2", "led-2", "LEDLight")}
    new_twin_at = 0
    for change in CHANGES:
        before = devices.get(change.device)
        if before is None:
            continue  # u9: no engine is asked
        now_ms = _now_of(change.told)
        dealt = _dealt(before, change, now_ms)
        if isinstance(dealt, Dealt):
            devices[change.device] = dealt.device
        if change.id == "u2b":
            _is_an_echo(dealt, before)
            continue
        new_twin_at = now_ms if change.id == "u3" else new_twin_at
        go = {
            name: _text({key: value for key, value in content.items() if key not in ("event_id", "timestamp")})
            for name, content in change.told.items()
        }
        assert _as_go(_told(dealt, change.kind), new_twin_at) == go, change.id


def _is_an_echo(dealt: Dealt | Refused, before: Device) -> None:
    """An unchanged value is told as it is here, and is no change (W8)."""
    assert isinstance(dealt, Dealt)
    assert dealt.device is before
    assert set(_told(dealt, Deal.LOCAL)) == {"result"}
    echoed = dealt.result["power-status"]
    assert echoed is not None
    assert echoed.actual == shown(before.twins, versions=False)["power-status"].actual  # type: ignore[union-attr]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.id)
def test_no_change_is_done_twice(change: Change) -> None:
    """The broker may give a message twice (QoS 1), and the cloud send it again."""
    before = Device(change.device)
    first = _dealt(before, change, 1)
    if isinstance(first, Dealt):
        again = _dealt(first.device, change, 2)
        assert isinstance(again, Dealt)
        assert (again.device, again.changed, again.documents, again.delta) == (first.device, (), {}, None)
