"""What is to become of a simulated container: the annotation that says so, read (pure).

A script is ``step, step, ...``; a step is ``name=value``, or the name alone where it says so below.

==================  ============================================================================================
step                meaning
==================  ============================================================================================
``create=3s``       it takes so long to be made; the setting ``podStartDelay`` where it is not given
``pull-fails``      its image cannot be pulled; ``pull-fails=2``: the first two times
``runs=20s``        it runs for so long, then ends
``exit=1``          the code with which it then ends, at once unless ``runs`` is given; 0 where it is not given
``oom``             it then ends as one that took too much memory: code 137, ``OOMKilled``
``times=2``         it ends so twice, and after that runs on; every time where it is not given
``ready=5s``        it is ready only after it ran for so long; ``ready=never``
``stop=5s``         it takes so long to end when it is told to
==================  ============================================================================================

A time is seconds (``2``, ``0.5s``) or as in Go (``1m30s``, ``500ms``).
"""

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

ANNOTATION = "edgecore.kubeedge.io/simulate"
"""Of all containers but init containers; with ``.NAME`` behind it, of that container alone."""
LONGEST = 1000
"""Characters of a script."""
LONGEST_S = 365 * 86400.0
OUT_OF_MEMORY = 137

_TIME = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)(?:s|\Z))?(?:(\d+)ms)?", re.ASCII)


class Script(NamedTuple):
    """What is to become of one container. Times in seconds; ``None`` where nothing of the kind is to happen."""

    create_s: float | None = None
    pull_fails: float = 0
    """How often."""
    runs_s: float | None = None
    exit_code: int = 0
    reason: str = "Completed"
    times: float = math.inf
    ready_s: float = 0.0
    stop_s: float = 0.0


class ScriptError(ValueError):
    """A script cannot be read: the text says why, and what to do."""


class _Metadata(msgspec.Struct, frozen=True):
    annotations: dict[str, str] | None = None


class _Object(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()


def annotations_of(data: bytes) -> dict[str, str]:
    """Return the annotations of a pod that are scripts; none, where ``data`` is no pod."""
    try:
        found = msgspec.json.decode(data, type=_Object).metadata.annotations or {}
    except (ValueError, RecursionError):
        return {}
    return {name: text for name, text in found.items() if name.startswith(ANNOTATION)}


def script_of(annotations: Mapping[str, str], container: str, *, is_init: bool) -> Script:
    """Return the script of a container. Raises ``ScriptError``."""
    own = f"{ANNOTATION}.{container}"
    name = own if own in annotations or is_init else ANNOTATION
    try:
        return parse(annotations.get(name, ""))
    except ScriptError as error:
        raise ScriptError(f"cannot read annotation {name}: {error}") from None


def parse(text: str) -> Script:
    """Return what a script says. Raises ``ScriptError``."""
    if len(text) > LONGEST:
        raise ScriptError(f"it has {len(text)} characters; the limit is {LONGEST}")
    script, named = Script(), set[str]()
    for step in filter(None, map(str.strip, text.split(","))):
        name, given, value = (part.strip() for part in step.partition("="))
        if name in named:
            raise ScriptError(f"there are two steps {name!r}; leave one out")
        named.add(name)
        script = _with(script, name, value, given=bool(given))
    ends_at_once = script.runs_s is None and named & {"exit", "oom", "times"}
    return script._replace(runs_s=0.0) if ends_at_once else script


def _with(script: Script, name: str, value: str, *, given: bool) -> Script:
    match name:
        case "create":
            return script._replace(create_s=_seconds(name, value))
        case "pull-fails":
            return script._replace(pull_fails=_count(name, value) if given else math.inf)
        case "runs":
            return script._replace(runs_s=_seconds(name, value))
        case "exit":
            code = _count(name, value, 255)
            return script._replace(exit_code=code, reason="Error" if code else "Completed")
        case "oom" if not given:
            return script._replace(exit_code=OUT_OF_MEMORY, reason="OOMKilled")
        case "times":
            return script._replace(times=_count(name, value))
        case "ready":
            return script._replace(ready_s=math.inf if value == "never" else _seconds(name, value))
        case "stop":
            return script._replace(stop_s=_seconds(name, value))
    known = "create, pull-fails, runs, exit, oom, times, ready, stop"
    raise ScriptError(f"there is no step {name[:40]!r}; use one of {known}")


def _count(name: str, value: str, largest: int = 1_000_000) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 10 and int(value) <= largest):
        raise ScriptError(f"{name}={value[:40]!r} is no number from 0 to {largest}; write one")
    return int(value)


def _seconds(name: str, value: str) -> float:
    found = _TIME.fullmatch(value) if len(value) < 20 else None
    if found is None or not value:
        raise ScriptError(f"{name}={value[:40]!r} is no time; write one such as 20s or 1m30s")
    hours, minutes, seconds, thousandths = (float(part or 0) for part in found.groups())
    return min(3600 * hours + 60 * minutes + seconds + thousandths / 1000, LONGEST_S)
