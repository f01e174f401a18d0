"""An explanation as text for people: the verdict, then each step with its reasons and who says so."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgecore.control.columns import one_line
from edgecore.timespans import duration

Json = Mapping[str, Any]

_MARKS = {"ok": "", "warning": "!", "broken": "X"}
_MARK, _STEP = 3, 14
_WIDTH = 110


def report(told: Json) -> str:
    """Return the text: what was asked and what would happen, the steps, then those of each port."""
    steps: Sequence[Json] = told.get("steps") or ()
    verdicts: Sequence[Json] = told.get("verdicts") or ()
    shown: set[str] = set()
    several = len(verdicts) > 1
    lines = [*map(one_line, _conclusion(str(told.get("asked")), verdicts)), ""]
    lines += _steps([step for step in steps if not step.get("port")], shown)
    for port in dict.fromkeys(str(step["port"]) for step in steps if step.get("port")):
        lines += ["", one_line(f"port {port} {_verdict(verdicts, port)}")] if several else []
        lines += _steps([step for step in steps if step.get("port") == port], shown)
    lines += [one_line(f"{'':<{_MARK}}{'tried':<{_STEP}}{line}") for line in told.get("tried") or ()]
    lines += _legend(steps)
    return "".join(f"{line}\n" for line in lines)


def _conclusion(asked: str, verdicts: Sequence[Json]) -> Iterator[str]:
    if len(verdicts) == 1:
        yield f"{asked} {verdicts[0]['text']}"
        return
    working = sum(bool(verdict["works"]) for verdict in verdicts)
    yield f"{asked}: {working} of {len(verdicts)} ports would be served"


def _verdict(verdicts: Sequence[Json], port: str) -> str:
    return next((str(verdict["text"]) for verdict in verdicts if verdict.get("port") == port), "?")


def _steps(steps: Sequence[Json], shown: set[str]) -> Iterator[str]:
    """Yield the lines of ``steps``. Messages that are ``shown`` already are named in short."""
    indent = " " * (_MARK + _STEP + 2)
    for step in steps:
        mark, name = _MARKS.get(str(step.get("state")), "?"), str(step.get("step"))
        yield from _wrapped(f"{mark:<{_MARK}}{name:<{_STEP}}", str(step.get("fact")))
        for why in step.get("why") or ():
            yield from _wrapped(indent, str(why))
        for source in step.get("sources") or ():
            text = _source(source)
            again = f"{_what(source)}, as above" if text in shown and source.get("kind") == "message" else text
            shown.add(text)
            yield one_line(f"{indent}by {again}")


def _wrapped(head: str, text: str) -> list[str]:
    text = one_line(text)
    lines = textwrap.wrap(text, _WIDTH - len(head), break_long_words=False, break_on_hyphens=False) or [""]
    return [f"{head}{lines[0]}".rstrip(), *(" " * len(head) + line for line in lines[1:])]


def _source(source: Json) -> str:
    kind, name, value = source.get("kind"), source.get("name"), source.get("value", "")
    match kind:
        case "message":
            row = "" if source.get("resource") == name else f" (row {name})"
            age, stale = duration(source.get("age_s") or 0), source.get("stale_s")
            doubt = "" if stale is None else f", unconfirmed for {duration(stale)}"
            who = f"of {source.get('source')}{row}"
            return f"{_what(source)} {who}, {age} ago{doubt}, message {source.get('message_id') or '-'}"
        case "setting":
            default = ", as built in" if source.get("is_default") else ""
            return f"setting {name}: {value}{default}"
        case "annotation":
            return f"annotation {name}: {value}"
        case "field":
            return f"the service's {name}{f': {value}' if value else ''}"
    return f"this node: {name} {value}"


def _what(source: Json) -> str:
    return f"{source.get('operation')} {source.get('resource')}"


def _legend(steps: Sequence[Json]) -> list[str]:
    states = {step.get("state") for step in steps}
    words = (("warning", "worth a look"), ("broken", "does not work"))
    told = [f"{_MARKS[state]} {text}" for state, text in words if state in states]
    return ["", f"({', '.join(told)})"] if told else []
