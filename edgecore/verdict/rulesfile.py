"""Rules and known differences from YAML files: those of this package, and those of the user."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
import yaml

from edgecore.errors import ConfigError
from edgecore.verdict.checks import CHECKS, EVERY, Check, text_check
from edgecore.verdict.rules import KINDS, ROW, Known, Paced, Rules, Side, Uncompared, Volatile

OWN_FILES = ("rules.yaml", "go-1.3.1.yaml")
"""Those that lie beside this file; they always count."""
MAX_BYTES = 1024 * 1024
"""The longest file of rules."""

_LOADER: type[yaml.CSafeLoader] | type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Words: TypeAlias = str | list[str]


class _Volatile(msgspec.Struct, forbid_unknown_fields=True):
    kind: _Words
    field: _Words
    check: str
    why: str


class _Known(msgspec.Struct, forbid_unknown_fields=True):
    ledger: str
    kind: _Words
    field: _Words
    recorded: str = ""
    ours: str = ""
    side: Literal["ours", "recorded"] | None = None
    recording: str = EVERY
    resource: str = EVERY
    when: Literal["unchanged"] | None = None
    why: str = ""


class _Paced(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    why: str
    optional: bool = False


class _Uncompared(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    why: str
    resource: str = EVERY


class _File(msgspec.Struct, forbid_unknown_fields=True):
    recorded_by: Literal["any", "others"] = "any"
    checks: dict[str, str] = {}
    volatile: list[_Volatile] = []
    known: list[_Known] = []
    paced: list[_Paced] = []
    not_compared: list[_Uncompared] = []


def read_rules(extra: Sequence[Path] = ()) -> Rules:
    """Return the rules of this package and those of ``extra`` files, which count before them.

    Raises ``ConfigError``, which names the file, the place in it and what is allowed there.
    """
    texts = [(str(path), _text(path)) for path in extra]
    texts += [(name, files("edgecore.verdict").joinpath(name).read_text("utf-8")) for name in OWN_FILES]
    read = [_rules(name, text) for name, text in texts]
    return Rules(
        volatile=tuple(one for rules in read for one in rules.volatile),
        known=tuple(one for rules in read for one in rules.known),
        paced=tuple(one for rules in read for one in rules.paced),
        uncompared=tuple(one for rules in read for one in rules.uncompared),
    )


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise _wrong(str(path), f"it is longer than {MAX_BYTES} bytes")
        return data.decode()
    except OSError as error:
        raise _wrong(str(path), error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise _wrong(str(path), "it is not UTF-8") from error


def _wrong(name: str, reason: str) -> ConfigError:
    return ConfigError(f"cannot read rules {name}: {reason}; `edgecore recording rules --help` shows what a file says")


def _rules(name: str, text: str) -> Rules:
    try:
        read = msgspec.convert(_loaded(text), _File)
    except yaml.YAMLError as error:
        raise _wrong(name, " ".join(str(error).split())) from error
    except (msgspec.ValidationError, RecursionError) as error:
        raise _wrong(name, str(error)) from error
    checks = dict(CHECKS)
    for check, pattern in read.checks.items():
        if check in checks:
            raise _wrong(name, f"checks.{check}: there is a check of that name")
        try:
            checks[check] = text_check(check, pattern)
        except re.error as error:
            raise _wrong(name, f"checks.{check}: {error} in {pattern!r}") from error
    try:
        return Rules(
            volatile=[_volatile(f"volatile[{n}]", one, checks) for n, one in enumerate(read.volatile)],
            known=[
                _known(f"known[{n}]", one, checks, ours_too=read.recorded_by == "any")
                for n, one in enumerate(read.known)
            ],
            paced=[
                Paced(_kind(f"paced[{n}].kind", one.kind), one.why, one.optional) for n, one in enumerate(read.paced)
            ],
            uncompared=[
                Uncompared(_kind(f"not_compared[{n}].kind", one.kind), one.resource, one.why)
                for n, one in enumerate(read.not_compared)
            ],
        )
    except ValueError as error:
        raise _wrong(name, str(error)) from error


def _loaded(text: str) -> Any:
    return yaml.load(text, _LOADER) or {}  # noqa: S506 - a safe loader, by libyaml where it is there


def _volatile(place: str, one: _Volatile, checks: dict[str, Check]) -> Volatile:
    check = _chosen(f"{place}.check", one.check, checks)
    return Volatile(_kinds(f"{place}.kind", one.kind), _words(f"{place}.field", one.field), checks[check], one.why)


def _known(place: str, one: _Known, checks: dict[str, Check], *, ours_too: bool) -> Known:
    fields = _words(f"{place}.field", one.field)
    if fields == ("message",):
        if one.side is None:
            raise ValueError(f"{place}: a message needs the key side: which side alone sends it, ours or recorded")
    elif "message" in fields or ("order" in fields and len(fields) > 1):
        raise ValueError(f"{place}.field: message and order stand alone")
    elif fields != ("order",) and not (one.recorded and one.ours):
        raise ValueError(f"{place}: a field needs the keys recorded and ours, each with the name of a check")
    if one.when is not None and one.side != "recorded":
        raise ValueError(f"{place}.when: only of what is recorded (side: recorded) can be said that it is unchanged")
    return Known(
        ledger=one.ledger,
        kinds=_kinds(f"{place}.kind", one.kind),
        fields=fields,
        recorded=checks[_chosen(f"{place}.recorded", one.recorded, checks)] if one.recorded else None,
        ours=checks[_chosen(f"{place}.ours", one.ours, checks)] if one.ours else None,
        side=Side(one.side) if one.side else None,
        recording=one.recording,
        resource=one.resource,
        is_unchanged=one.when == "unchanged",
        why=one.why,
        ours_too=ours_too,
    )


def _words(place: str, given: _Words) -> tuple[str, ...]:
    words = (given,) if isinstance(given, str) else tuple(given)
    if not words or not all(words):
        raise ValueError(f"{place}: it is empty")
    return words


def _kinds(place: str, given: _Words) -> tuple[str, ...]:
    return tuple(_kind(place, kind) for kind in _words(place, given))


def _kind(place: str, kind: str) -> str:
    return kind if kind == EVERY or kind.startswith(ROW) else _chosen(place, kind, KINDS)


def _chosen(place: str, word: str, allowed: Iterable[str]) -> str:
    if word in allowed:
        return word
    near = get_close_matches(word, sorted(allowed), n=1)
    more = f" (is {near[0]!r} meant?)" if near else ""
    raise ValueError(f"{place}: {word!r} is none of {', '.join(sorted(allowed))}{more}")
