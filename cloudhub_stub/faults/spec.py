"""What a fault is, as a command or a scenario file asks for it: pure values, checked and put into words."""

import re
import shlex
from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple, get_args

import msgspec

CUT = "cut"
HALF_OPEN = "half-open"
DELAY = "delay"
DROP = "drop"
DUPLICATE = "duplicate"
REFUSE_CERTIFICATE = "refuse-certificate"
EXPIRE_TOKEN = "expire-token"  # noqa: S105 - the name of a fault
RESTART = "restart"

Kind = Literal["cut", "half-open", "delay", "drop", "duplicate", "refuse-certificate", "expire-token", "restart"]
KINDS: tuple[str, ...] = get_args(Kind)

UP = "up"
DOWN = "down"

MAX_SECONDS = 86_400.0
MAX_COUNT = 1_000_000_000

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
Count = Annotated[int, msgspec.Meta(ge=1, le=MAX_COUNT)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=MAX_SECONDS)]

MATCHING = ("direction", "operation", "resource", "resource-regex", "source", "group")
SELECTING = ("nth", "every", "times")
"""By which of the messages that match a fault fires."""

_ALLOWED = {
    CUT: {"node", *MATCHING, *SELECTING},
    HALF_OPEN: {"node", "for", *MATCHING, *SELECTING},
    DELAY: {"node", "seconds", *MATCHING, *SELECTING},
    DROP: {"node", *MATCHING, *SELECTING},
    DUPLICATE: {"node", *MATCHING, *SELECTING},
    REFUSE_CERTIFICATE: {"times"},
    EXPIRE_TOKEN: set[str](),
    RESTART: {"down"},
}


class Watch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Which messages are meant: those that fit everything that is given, and of those the chosen ones.

    Without ``nth``, ``every`` and ``times`` all of them; with ``times`` alone the next so many.
    """

    node: Text | None = None
    direction: Literal["up", "down"] | None = None
    """``up`` from the edge, ``down`` to it; ``None`` for both."""
    operation: Text | None = None
    resource: Text | None = None
    """A pattern of the shell for the whole resource; ``*`` goes beyond a slash."""
    resource_regex: Text | None = msgspec.field(default=None, name="resource-regex")
    """A regular expression that is found somewhere in the resource."""
    source: Text | None = None
    group: Text | None = None
    nth: Count | None = None
    """Only the so-manieth that matches, counted from 1."""
    every: Count | None = None
    """The so-manieth that matches, twice that, and so on."""
    times: Count | None = None
    """At most so often."""


class FaultSpec(Watch, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One fault. ``check`` says whether it makes sense."""

    fault: Kind
    delay_s: Seconds | None = msgspec.field(default=None, name="seconds")
    for_s: Seconds | None = msgspec.field(default=None, name="for")
    """How long a connection is half open; ``None`` until its node connects anew."""
    down_s: Seconds | None = msgspec.field(default=None, name="down")
    """How long the stub is away; ``None`` for as short as can be."""


class Fault(NamedTuple):
    """One thing that is wrong with a ``FaultSpec`` or a ``Watch``."""

    field: str
    text: str


def waits_for_messages(spec: FaultSpec) -> bool:
    """Whether the fault is a rule that messages make fire; otherwise it happens at once."""
    if spec.fault in {DELAY, DROP, DUPLICATE}:
        return True
    return spec.fault in {CUT, HALF_OPEN} and any(name != "node" for name in given(spec) - {"for"})


def given(watch: Watch) -> set[str]:
    """Return the names of the fields that are set, as they are spelled in files and on the command line."""
    return set(msgspec.to_builtins(watch)) - {"fault"}


def check(spec: FaultSpec) -> Iterator[Fault]:
    """Yield what is wrong with ``spec``."""
    for name in sorted(given(spec) - _ALLOWED[spec.fault]):
        allowed = ", ".join(sorted(_ALLOWED[spec.fault])) or "nothing"
        yield Fault(name, f"{spec.fault} does not know it; it takes {allowed}")
    if spec.fault == DELAY and spec.delay_s is None:
        yield Fault("seconds", "a delay needs its length in seconds")
    yield from check_watch(spec)


def check_watch(watch: Watch) -> Iterator[Fault]:
    """Yield what is wrong with the choice of messages."""
    if watch.nth is not None and watch.every is not None:
        yield Fault("every", "nth is given as well: it is either the n-th message or every k-th")
    if watch.nth is not None and watch.times is not None:
        yield Fault("times", "nth is given as well: the n-th message comes once")
    if watch.resource_regex is not None:
        try:
            re.compile(watch.resource_regex)
        except (re.error, RecursionError, OverflowError) as error:
            yield Fault("resource-regex", f"{watch.resource_regex!r} is not a regular expression: {error}")


def arguments(spec: FaultSpec) -> str:
    """Return what `cloudhub-stub fault` is to be given for the fault, such as ``delay 2 --times 5``."""
    words: list[str] = [spec.fault]
    for name, value in msgspec.to_builtins(spec).items():
        text = f"{value:g}" if isinstance(value, float) else str(value)
        if name == "seconds":
            words.insert(1, text)
        elif name != "fault":
            words += [f"--{name}", text]
    return shlex.join(words)


def describe(spec: FaultSpec) -> str:
    """Return the fault in words, such as ``drop: every 10th message, up, operation update``."""
    conditions = _conditions(spec)
    if waits_for_messages(spec):
        return f"{_head(spec)}: {', '.join([_chosen(spec), *conditions])}"
    if spec.fault == REFUSE_CERTIFICATE:
        return f"{spec.fault}: {spec.times or 1} times"
    return ", ".join([_head(spec), *conditions])


def describe_watch(watch: Watch) -> str:
    """Return which messages are meant, in words."""
    return ", ".join([_chosen(watch), *_conditions(watch)])


def _head(spec: FaultSpec) -> str:
    match spec.fault:
        case "delay":
            return f"delay {spec.delay_s or 0:g} s"
        case "half-open":
            return "half-open" if spec.for_s is None else f"half-open for {spec.for_s:g} s"
        case "restart":
            return f"restart, away {spec.down_s or 0:g} s"
    return spec.fault


def _chosen(watch: Watch) -> str:
    if watch.nth is not None:
        return f"message {watch.nth}"
    if watch.every is not None:
        often = f"every {watch.every} messages" if watch.every > 1 else "every message"
        return often if watch.times is None else f"{often}, {watch.times} times"
    if watch.times is not None:
        return f"the next {watch.times} messages" if watch.times > 1 else "the next message"
    return "every message"


def _conditions(watch: Watch) -> list[str]:
    names = {
        "node": watch.node,
        "operation": watch.operation,
        "resource": watch.resource,
        "resource like": watch.resource_regex,
        "source": watch.source,
        "group": watch.group,
    }
    direction = [watch.direction] if watch.direction else []
    return [*direction, *(f"{name} {value}" for name, value in names.items() if value is not None)]
