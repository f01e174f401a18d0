"""Scenario files: YAML to the steps of a scenario, with every mistake named by file, document, step and field."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from cloudhub_stub.faults.spec import KINDS, Count, FaultSpec, Seconds, Text, Watch, check, check_watch
from cloudhub_stub.faults.steps import At, Connected, Messages, Step, When
from edgecore.errors import ConfigError, reason_of

T = TypeVar("T")

MAX_BYTES = 256 * 1024
MAX_STEPS = 500
MAX_DEPTH = 10
_SHOWN_PROBLEMS = 20
_PATH = re.compile(r" - at `(?:key in )?\$\.?(.*?)`$")


class _Moment(msgspec.Struct, kw_only=True):
    at: Seconds


class _AfterConnected(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    connected: Text
    nth: Count = 1
    wait: Seconds = 0.0


class _AfterMessages(Watch, frozen=True, forbid_unknown_fields=True, kw_only=True):
    messages: Count
    wait: Seconds = 0.0


class _Wrong(Exception):  # noqa: N818 - an answer between functions of this file
    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}" if field else text)


def load_scenario(path: Path) -> tuple[Step, ...]:
    """Return the steps in the file. Raises ``ConfigError``."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read the faults in {path}: {reason_of(error)}") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"cannot use the faults in {path}: over {MAX_BYTES} bytes; is it the right file?")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"cannot read the faults in {path}: not UTF-8 at byte {error.start}; save it as UTF-8"
        ) from error
    return read_scenario(text, str(path))


def read_scenario(text: str, origin: str) -> tuple[Step, ...]:
    """Return the steps in ``text``, those of all documents together. Raises ``ConfigError`` with all that is wrong."""
    steps: list[Step] = []
    problems: list[str] = []
    for place, node in _places(text, origin):
        try:
            steps.append(_step(place, _value(node)))
        except _Wrong as wrong:
            problems.append(f"{place} (line {node.start_mark.line + 1}): {wrong}")
    if problems:
        more = len(problems) - _SHOWN_PROBLEMS
        listed = [*problems[:_SHOWN_PROBLEMS], *([f"and {more} more"] if more > 0 else [])]
        raise ConfigError("\n  ".join([f"cannot use the faults in {origin}:", *listed]))
    return tuple(steps)


def _places(text: str, origin: str) -> Iterator[tuple[str, yaml.Node]]:
    """Yield each step as YAML, with its place. Raises ``ConfigError``."""
    try:
        _check_shape(text)
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except _Wrong as wrong:
        raise ConfigError(f"cannot use the faults in {origin}: {wrong}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark is not None else ""
        raise ConfigError(f"cannot read the faults in {origin} as YAML: {where}{error.problem}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"cannot read the faults in {origin} as YAML: {str(error).splitlines()[0]}") from None
    found = 0
    for number, document in enumerate(documents, 1):
        if not isinstance(document, yaml.SequenceNode):
            line = document.start_mark.line + 1
            raise ConfigError(
                f"cannot use the faults in {origin}: document {number} (line {line}) is no list of steps"
                " (- at: 5, and so on)"
            )
        found += len(document.value)
        if found > MAX_STEPS:
            raise ConfigError(f"cannot use the faults in {origin}: over {MAX_STEPS} steps; leave some out")
        for index, node in enumerate(document.value, 1):
            yield f"document {number}, step {index}", node
    if not found:
        raise ConfigError(f"cannot use the faults in {origin}: it has no steps; begin with: - at: 5")


def _check_shape(text: str) -> None:
    """Refuse what could cost more than it says: deep nesting, and aliases."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        line = event.start_mark.line + 1 if event.start_mark is not None else 0
        if isinstance(event, yaml.AliasEvent):
            raise _Wrong(f"line {line}", f"*{event.anchor} is an alias, which steps have not; write it out")
        if depth > MAX_DEPTH:
            raise _Wrong(f"line {line}", f"nested deeper than {MAX_DEPTH} levels")


def _value(node: yaml.Node) -> Any:
    """Return what a step says, as JSON values."""
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        problem = getattr(error, "problem", None) or str(error)
        raise _Wrong("", str(problem).splitlines()[0][:200]) from None
    finally:
        loader.dispose()


def _step(place: str, value: Any) -> Step:
    fields = _mapping("", value, {"at", "after", "do"})
    if "do" not in fields:
        raise _Wrong("do", "it is missing: what is to happen, such as {cut: {node: edge-1}}")
    if ("at" in fields) == ("after" in fields):
        raise _Wrong("", "it needs either at (seconds after the start) or after ({connected: NODE}, {messages: N})")
    when = At(_convert("", {"at": fields["at"]}, _Moment).at) if "at" in fields else _after(fields["after"])
    return Step(place, when, _fault(fields["do"]))


def _after(value: Any) -> When:
    names = {"connected", "messages"}
    fields = _mapping("after", value, None)
    if len(names & fields.keys()) != 1:
        raise _Wrong("after", "it needs either connected (a node) or messages (how many)")
    if "connected" in fields:
        connected = _convert("after", fields, _AfterConnected)
        return Connected(connected.connected, connected.nth, connected.wait)
    messages = _convert("after", fields, _AfterMessages)
    for name in ("nth", "every", "times"):
        if name in fields:
            raise _Wrong(f"after.{name}", "messages says already how many")
    for fault in check_watch(messages):
        raise _Wrong(f"after.{fault.field}", fault.text)
    matching = {name: value for name, value in fields.items() if name not in ("messages", "wait")}
    return Messages(msgspec.convert({**matching, "nth": messages.messages}, Watch), messages.wait)


def _fault(value: Any) -> FaultSpec:
    """``do: cut``, or ``do: {cut: {node: edge-1}}``."""
    named = {value: None} if isinstance(value, str) else value
    if not isinstance(named, dict) or len(named) != 1:
        raise _Wrong("do", f"it names one fault, of {', '.join(KINDS)}")
    ((kind, options),) = named.items()
    if kind not in KINDS:
        raise _Wrong("do", f"{str(kind)[:80]!r} is no fault{_meant(str(kind), KINDS)}; there are {', '.join(KINDS)}")
    fields = {} if options is None else _mapping(f"do.{kind}", options, None)
    if "fault" in fields:
        raise _Wrong(f"do.{kind}.fault", "it is no field")
    spec = _convert(f"do.{kind}", {**fields, "fault": kind}, FaultSpec)
    for fault in check(spec):
        raise _Wrong(f"do.{kind}.{fault.field}", fault.text)
    return spec


def _mapping(field: str, value: Any, known: set[str] | None) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise _Wrong(field, "it must be a mapping (keys, each with its value)")
    for name in sorted(value.keys() - known if known is not None else ()):
        raise _Wrong(".".join(part for part in (field, name[:80]) if part), f"not a known field{_meant(name, known)}")
    return value


def _convert(field: str, value: Any, kind: type[T]) -> T:
    """Return ``value`` as a ``kind``; msgspec's complaint is told with the field's full name."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        below = _PATH.search(text)
        unknown = re.match(r"Object contains unknown field `(.*?)`", text)
        names = [field, below.group(1) if below else "", unknown.group(1)[:80] if unknown else ""]
        said = "not a known field" + _meant(unknown.group(1), _names(kind)) if unknown else _PATH.sub("", text)
        raise _Wrong(".".join(name for name in names if name), said) from None


def _names(kind: Any) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind) if field.encode_name != "fault"]


def _meant(name: str, known: Any) -> str:
    near = get_close_matches(name[:80], list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
