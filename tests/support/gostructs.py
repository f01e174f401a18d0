"""Go's ``json.Marshal`` of the structs that are compared as text: the order of fields, and which are left out if empty.

From ``k8s.io/api/core/v1/types.go@v0.17.1`` and KubeEdge ``edge/pkg/common/...PodStatusRequest@v1.3.1``. A field whose
name ends in ``?`` has ``omitempty``; of structs and times that does nothing, as in Go.
"""

import json
from typing import Any

Fields = dict[str, Any]
"""Name to what lies in it: ``None`` for anything plain, the fields of a struct, or a list of one of these."""

TIME = None
_WAITING: Fields = {"reason?": None, "message?": None}
_RUNNING: Fields = {"startedAt": TIME}
_TERMINATED: Fields = {
    "exitCode": None,
    "signal?": None,
    "reason?": None,
    "message?": None,
    "startedAt": TIME,
    "finishedAt": TIME,
    "containerID?": None,
}
_STATE: Fields = {"waiting?": _WAITING, "running?": _RUNNING, "terminated?": _TERMINATED}
_CONTAINER_STATUS: Fields = {
    "name": None,
    "state": _STATE,
    "lastState": _STATE,
    "ready": None,
    "restartCount": None,
    "image": None,
    "imageID": None,
    "containerID?": None,
    "started?": None,
}
_POD_CONDITION: Fields = {
    "type": None,
    "status": None,
    "lastProbeTime": TIME,
    "lastTransitionTime": TIME,
    "reason?": None,
    "message?": None,
}
_POD_STATUS: Fields = {
    "phase?": None,
    "conditions?": [_POD_CONDITION],
    "message?": None,
    "reason?": None,
    "nominatedNodeName?": None,
    "hostIP?": None,
    "podIP?": None,
    "podIPs?": [{"ip?": None}],
    "startTime?": TIME,
    "initContainerStatuses?": [_CONTAINER_STATUS],
    "containerStatuses?": [_CONTAINER_STATUS],
    "qosClass?": None,
    "ephemeralContainerStatuses?": [_CONTAINER_STATUS],
}
POD_STATUS_REQUEST: Fields = {"UID": None, "Name": None, "Status": _POD_STATUS}


def go_text(fields: Fields, text: str) -> str:
    """Return what a Go program writes of ``text``, having read it into the struct of ``fields``.

    Raises ``ValueError`` for a key that the struct does not have: Go would lose it.
    """
    return _struct(fields, json.loads(text))


def _struct(fields: Fields, value: dict[str, Any]) -> str:
    unknown = value.keys() - {name.removesuffix("?") for name in fields}
    if unknown:
        raise ValueError(f"no such field: {sorted(unknown)}")
    written: list[str] = []
    for name, inner in fields.items():
        key = name.removesuffix("?")
        held = value.get(key)
        if key != name and _is_empty(held, is_pointer=key == "started" or isinstance(inner, dict)):
            continue
        written.append(f"{_text(key)}:{_value(inner, held)}")
    return "{" + ",".join(written) + "}"


def _is_empty(value: Any, *, is_pointer: bool) -> bool:
    return value is None if is_pointer else not value


def _value(inner: Any, value: Any) -> str:
    if isinstance(inner, dict):
        return _struct(inner, value or {})
    if isinstance(inner, list):
        return "null" if value is None else "[" + ",".join(_struct(inner[0], each) for each in value) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


_NAMED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _text(text: str) -> str:
    """Return a text as ``encodeState.string`` of Go 1.14 writes it."""
    return '"' + "".join(map(_character, text)) + '"'


def _character(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    if character < " " or character in "<>&\u2028\u2029":
        return f"\\u{ord(character):04x}"
    return character
