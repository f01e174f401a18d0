"""What nobody should say of devices, drawn (hypothesis), each with the error that is documented for it (spec 7.2)."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from hypothesis import strategies as st

DEVICE = "sensor"
BAD_BODY = "Unmarshal update request body failed, Please check the request"
NO_TWIN = "Update twin error, the update request body not have key:twin"
BAD_KEY = (
    "The key of twin must be only include upper or lowercase letter, number, english, and special letter"
    " - _ . , : / @ # and length of key under 128"
)
BAD_VALUE = BAD_KEY.replace("The key", "The value").replace("128", "512")
TYPES = ("", "string", "int", "float", "boolean", "deleted")
TWINS = {"temp": "int", "ratio": "float", "lamp": "boolean", "name": "string"}
"""The twins of ``sensor``."""
_LEGAL_KEY = re.compile(r"[a-zA-Z0-9\-_.,:/@#]{1,128}")
_LEGAL_VALUE = re.compile(r"[a-zA-Z0-9\-_.,:/@#]{0,512}")

Json = Any


class Refusal(NamedTuple):
    """How a request is answered; without a topic nobody is, and it is counted under ``reason``."""

    topic: str
    code: int
    reason: str
    """The text of the answer, or what that begins with; else the word that it is counted under."""
    event_id: str = ""


class Said(NamedTuple):
    """Something on MQTT, and what comes of it."""

    topic: str
    payload: bytes
    refusal: Refusal


class Told(NamedTuple):
    """Something of the cloud, and what it is counted under."""

    resource: str
    operation: str
    content: Json
    reason: str


_numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False).filter(lambda one: not one.is_integer())
_scalars = st.none() | st.booleans() | _numbers | st.text(max_size=20)
JSON = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
"""Any JSON value."""


def _is_json(payload: bytes) -> bool:
    try:
        json.loads(payload.decode(errors="replace"))
    except (ValueError, RecursionError):
        return False
    return True


NOT_JSON = (st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value)[:-1].encode())).filter(
    lambda payload: not _is_json(payload)
) | st.sampled_from([b"[" * 5000, b'{"a":' * 5000, b"NaN", b'{"twin": NaN}', b"\xff\xfe{}", b"{} {}", b"{'a': 1}"])


def _other_than(value: Json) -> st.SearchStrategy[Json]:
    """Return JSON of another type; ``null`` stands for what is not said, so it is none."""
    numbers = {int} if isinstance(value, int) and not isinstance(value, bool) else set()
    kinds = {type(value), *numbers, type(None)}
    wrong = JSON.filter(lambda one: type(one) not in kinds)
    return wrong | st.sampled_from([2**63, -(2**63) - 1, 1e300]) if numbers else wrong


def _paths(value: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from _paths(inner, (*path, key))


def _at(value: Json, path: tuple[str | int, ...]) -> Json:
    for key in path:
        value = value[key]
    return value


def _with(value: Json, path: tuple[str | int, ...], new: Json) -> Json:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _with(value[path[0]], path[1:], new)
    return copy


@st.composite
def spoilt(draw: Callable[..., Any], good: Json) -> Json:
    """Return ``good`` with a value of another type in one place."""
    path = draw(st.sampled_from(list(_paths(good))))
    return _with(good, path, draw(_other_than(_at(good, path))))


_SIDE = {"value": "21", "metadata": {"timestamp": 1}}
_VERSION = {"cloud": 500, "edge": 0}
_TWIN = {"expected": _SIDE, "actual": _SIDE, "optional": True, "metadata": {"type": "int"}}
_UPDATE = {"event_id": "e", "timestamp": 1, "twin": {"temp": {**_TWIN, "expected_version": _VERSION}}}
_NEW = {"id": "new", "name": "new", "description": "d", "state": "online", "twin": _UPDATE["twin"]}
_ATTRIBUTES = {"serial": {"value": "1", "optional": True, "metadata": {"type": "string"}}}
_MEMBERSHIP = {"event_id": "e", "timestamp": 1, "added_devices": [_NEW], "removed_devices": [{"id": DEVICE}]}
_DETAIL = {"event_id": "e", "timestamp": 1, "devices": [{**_NEW, "attributes": _ATTRIBUTES}]}
_STATE = {"event_id": "e", "timestamp": 1, "state": "online"}


def _topic(rest: str, device: str = DEVICE) -> str:
    return f"$hw/events/device/{device}/{rest}"


def _encoded(value: Json) -> bytes:
    return json.dumps(value).encode()


# On MQTT.

_REFUSED_UNREAD = Refusal(_topic("twin/update/result", ""), 400, BAD_BODY)
UNREADABLE_UPDATES = (NOT_JSON | spoilt(_UPDATE).map(_encoded)).map(
    lambda payload: Said(_topic("twin/update"), payload, _REFUSED_UNREAD)
)

_words = st.from_regex(r"[b-hj-mo-zB-HJ-MO-Z][a-zA-Z_:#@]{0,20}", fullmatch=True)  # none is inf, nan or a number
_actual = lambda value: {"actual": {"value": value}}  # noqa: E731 - one of many such in the lines below
_ENTRIES = (
    st.tuples(st.text(max_size=140).filter(lambda key: not _LEGAL_KEY.fullmatch(key)), st.just(_actual("1"))).map(
        lambda one: (*one, BAD_KEY)
    )
    | st.text(min_size=1, max_size=600)
    .filter(lambda value: not _LEGAL_VALUE.fullmatch(value))
    .map(lambda value: ("name", _actual(value), BAD_VALUE))
    | _words.map(lambda value: ("temp", _actual(value), "the value is not int"))
    | st.integers(min_value=2**63).map(lambda value: ("temp", _actual(str(value)), "the value is not int"))
    | _words.map(lambda value: ("ratio", _actual(value), "the value is not float"))
    | _words.filter(lambda value: value not in ("true", "false")).map(
        lambda value: ("lamp", _actual(value), "the bool value must be true or false")
    )
    | st.text(max_size=20)
    .filter(lambda kind: kind not in TYPES)
    .map(lambda kind: ("unheard", {**_actual("1"), "metadata": {"type": kind}}, "the value type is not allowed"))
    | st.sampled_from([("unheard", None), ("temp", {"actual": {}}), ("temp", {"expected": {"metadata": {}}})]).map(
        lambda one: (*one, "The request body is wrong")
    )
)


@st.composite
def refused_updates(draw: Callable[..., Any]) -> Said:
    """Return an update with one twin that cannot be, alone or beside one that can."""
    key, twin, reason = draw(_ENTRIES)
    twins = {key: twin, **(draw(st.sampled_from([{}, {"also": _actual("1")}])))}
    event_id = draw(st.text(max_size=20))
    payload = _encoded({"event_id": event_id, "timestamp": 1, "twin": twins})
    return Said(_topic("twin/update"), payload, Refusal(_topic("twin/update/result"), 400, reason, event_id))


WITHOUT_TWIN = st.dictionaries(st.text(max_size=8).map(lambda key: f"x{key}"), JSON, max_size=4).map(
    lambda value: Said(_topic("twin/update"), _encoded(value), Refusal(_topic("twin/update/result"), 400, NO_TWIN))
)
_ids = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True).filter(lambda one: one not in (DEVICE, "other", "fence"))
OF_NOBODY = _ids.map(
    lambda one: Said(
        _topic("twin/update", one),
        _encoded(_UPDATE),
        Refusal(_topic("twin/update/result", one), 404, "Update rejected due to the device is not existed", "e"),
    )
) | _ids.map(
    lambda one: Said(
        _topic("twin/get", one),
        b"{}",
        Refusal(_topic("twin/get/result", one), 404, f"Device {one} not found while getting twin"),
    )
)
UNREADABLE_QUESTIONS = NOT_JSON.map(
    lambda payload: Said(_topic("twin/get"), payload, Refusal(_topic("twin/get/result"), 400, "Unmarshal twin info "))
) | NOT_JSON.map(
    lambda payload: Said(
        "$hw/events/node/edge-node1/membership/get",
        payload,
        Refusal("$hw/events/node/edge-node1/membership/get/result", 400, "Unmarshal get membership info "),
    )
)
UNANSWERED = (
    (NOT_JSON | spoilt(_STATE).map(_encoded)).map(
        lambda payload: Said(_topic("state/update"), payload, Refusal("", 0, "malformed_state"))
    )
    | st.text(max_size=20)
    .filter(lambda state: state not in ("online", "offline", "unknown"))
    .map(lambda state: Said(_topic("state/update"), _encoded({"state": state}), Refusal("", 0, "unknown_state")))
    | (NOT_JSON | spoilt(_UPDATE).map(_encoded)).map(
        lambda payload: Said(_topic("twin/cloud_updated"), payload, Refusal("", 0, "malformed_twins"))
    )
    | st.from_regex(r"[a-z]{1,12}", fullmatch=True)
    .filter(lambda word: word not in ("update", "get"))
    .map(lambda word: Said(_topic(f"twin/{word}"), b"{}", Refusal("", 0, "unknown_topic")))
)
SAID = UNREADABLE_UPDATES | refused_updates() | WITHOUT_TWIN | OF_NOBODY | UNREADABLE_QUESTIONS | UNANSWERED
"""What programs on MQTT should not say."""

# Of the cloud.


def _told(resource: str, operation: str, content: st.SearchStrategy[Json], reason: str) -> st.SearchStrategy[Told]:
    return content.map(lambda value: Told(resource, operation, value, reason))


TOLD = (
    _told("membership", "update", spoilt(_MEMBERSHIP), "malformed_membership")
    | _told("membership/detail", "response", spoilt(_DETAIL), "malformed_membership")
    | _told("membership/detail", "update", JSON, "malformed_membership")
    | _told(f"device/{DEVICE}/twin/cloud_updated", "update", spoilt(_UPDATE), "malformed_twins")
    | _told(f"device/{DEVICE}/twin/cloud_updated", "update", JSON, "malformed_twins")
    | _told("device/nobody/twin/cloud_updated", "update", st.just(_UPDATE), "unknown_device")
    | _told(f"device/{DEVICE}", "updated", spoilt({"event_id": "e", "attributes": _ATTRIBUTES}), "malformed_attributes")
    | st.text(max_size=20)
    .filter(lambda text: "membership" not in text)
    .map(lambda text: Told(text, "update", {}, "unknown_resource"))
    | st.sampled_from(["", "a/b", "+", "#", "\n"]).map(
        lambda one: Told("membership", "update", {"added_devices": [{"id": one}]}, "bad_device_id")
    )
)
"""What a cloud should not say of devices."""

TOLD_EVENT_BUS = (
    st.tuples(st.sampled_from(["a/b", "x"]), st.just("publish"), JSON.filter(lambda one: not isinstance(one, str)))
    | st.tuples(st.sampled_from(["#", "+", "a/#", "", "a\0b", "x" * 70_000]), st.just("publish"), st.text(max_size=9))
    | st.tuples(st.text(max_size=9), st.just("message"), JSON)
    | st.tuples(st.sampled_from(["a/#/b", "a+", "", "#a", "x" * 70_000]), st.just("subscribe"), JSON)
).map(lambda one: Told(*one, "(any)"))
"""What a cloud should not have EventBus do."""
