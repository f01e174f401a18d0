"""What is other in a configuration than in the one that a node runs with (pure)."""

from collections.abc import Collection
from typing import Any, NamedTuple, TypeVar

from msgspec.structs import replace

from edgecore.config.keys import Section, settings
from edgecore.config.problem import shown
from edgecore.config.schema import EdgeCoreConfig

S = TypeVar("S", bound=Section)


class Changed(NamedTuple):
    """One setting that has another value."""

    key: str
    """Dotted, as in ``modules.edgeHub.heartbeat``."""
    before: str
    """As in JSON; ``***`` for a secret."""
    now: str
    by_reload: bool
    """Whether a running node can go by it."""


def changes(before: EdgeCoreConfig, now: EdgeCoreConfig) -> tuple[Changed, ...]:
    """Return what is other, in the order of the schema. What nothing reads is left out."""
    return tuple(_changes(before, now, ""))


def _changes(before: Section, now: Section, path: str) -> list[Changed]:
    found = []
    for setting in settings(type(before)):
        key = f"{path}.{setting.name}" if path else setting.name
        was, is_now = getattr(before, setting.attribute), getattr(now, setting.attribute)
        if was == is_now or not setting.key.used:
            continue
        if isinstance(was, Section):
            found += _changes(was, is_now, key)
        else:
            texts = ("***", "***") if setting.key.secret else (shown(was), shown(is_now))
            found.append(Changed(key, *texts, setting.key.reload))
    return found


def taking_over(before: EdgeCoreConfig, now: EdgeCoreConfig, keys: Collection[str]) -> EdgeCoreConfig:
    """Return ``before`` with the values that ``keys`` have in ``now``."""
    return _taking_over(before, now, frozenset(keys), "")


def _taking_over(before: S, now: S, keys: frozenset[str], path: str) -> S:
    taken: dict[str, Any] = {}
    for setting in settings(type(before)):
        key = f"{path}.{setting.name}" if path else setting.name
        was, is_now = getattr(before, setting.attribute), getattr(now, setting.attribute)
        if isinstance(was, Section):
            taken[setting.attribute] = _taking_over(was, is_now, keys, key)
        elif key in keys:
            taken[setting.attribute] = is_now
    return replace(before, **taken)
