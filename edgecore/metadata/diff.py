"""What differs between two sets of rows: keys that came, went and changed, and in the last ones the JSON paths.

A path reads ``spec.ports[0].port``. Elements of lists are told apart by their names where all of them have one
(``spec.containers[web].image``), else by their places.
"""

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from edgecore.metadata.row import Json, MetaRow, NoJson, hidden_text, parsed

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
SIGNS = {ADDED: "+", REMOVED: "-", CHANGED: "~"}

STATUS_TYPES = ("podstatus", "nodestatus")
STATUS_PATHS = ("status", "status.*", "Status", "Status.*", "metadata.resourceVersion", "metadata.managedFields*")
"""What changes while nobody wants anything else."""

_WHOLE = "(value)"
_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
_MAX_DEPTH = 100
"""Deeper down values are compared as a whole."""


class _Nothing:
    """There is nothing at a path."""


NOTHING = _Nothing()


class PathChange(NamedTuple):
    """A place in a value that differs; ``NOTHING`` stands for what is not there."""

    path: str
    before: Any
    after: Any


class Difference(NamedTuple):
    """One key that differs."""

    kind: str
    key: str
    type: str
    before: MetaRow | None
    after: MetaRow | None
    changes: tuple[PathChange, ...] = ()
    """Of a changed row; of a secret the path alone."""


class Ignored(NamedTuple):
    """What is not compared: rows by type, and paths by patterns."""

    types: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def covers(self, path: str) -> bool:
        """Return whether what is at ``path`` is not compared."""
        return any(fnmatchcase(path, pattern) for pattern in self.paths)


NOTHING_IGNORED = Ignored()


def differences(
    old: Iterable[MetaRow], new: Iterable[MetaRow], ignored: Ignored = NOTHING_IGNORED
) -> Iterator[Difference]:
    """Yield what differs, by key. Both sides are in the order of their keys, each key once."""
    olds, news = iter(old), iter(new)
    before, after = next(olds, None), next(news, None)
    while before is not None or after is not None:
        if after is None or (before is not None and before.key < after.key):
            found = compared(before, None, ignored)
            before = next(olds, None)
        elif before is None or after.key < before.key:
            found = compared(None, after, ignored)
            after = next(news, None)
        else:
            found = compared(before, after, ignored)
            before, after = next(olds, None), next(news, None)
        if found is not None:
            yield found


def compared(before: MetaRow | None, after: MetaRow | None, ignored: Ignored = NOTHING_IGNORED) -> Difference | None:
    """Return how two states of one row differ; ``None`` if they do not."""
    shown = after or before
    if shown is None or shown.type in ignored.types:
        return None
    if before is None or after is None:
        return Difference(ADDED if before is None else REMOVED, shown.key, shown.type, before, after)
    changes = [change for change in _changes(before, after) if not ignored.covers(change.path)]
    return Difference(CHANGED, shown.key, shown.type, before, after, tuple(changes)) if changes else None


def _changes(before: MetaRow, after: MetaRow) -> Iterator[PathChange]:
    if before.type != after.type:
        yield PathChange("(type)", before.type, after.type)
    if before.hidden or after.hidden:
        if before.size != after.size:
            yield PathChange(_WHOLE, hidden_text(before), hidden_text(after))
        return
    if before.value == after.value:
        return
    old, new = parsed(before), parsed(after)
    if isinstance(old, NoJson) or isinstance(new, NoJson):
        yield PathChange(_WHOLE, _as_text(before), _as_text(after))
        return
    yield from path_changes(old, new)


def path_changes(before: Any, after: Any) -> Iterator[PathChange]:
    """Yield the places where two JSON values differ."""
    return _walk("", before, after, 0)


def _walk(path: str, before: Any, after: Any, depth: int) -> Iterator[PathChange]:
    if depth < _MAX_DEPTH and isinstance(before, dict) and isinstance(after, dict):
        fields = {**before, **after}
        for name in fields:
            yield from _walk(_field(path, name), before.get(name, NOTHING), after.get(name, NOTHING), depth + 1)
    elif depth < _MAX_DEPTH and isinstance(before, list) and isinstance(after, list):
        yield from _walk_lists(path, before, after, depth)
    elif not _same(before, after):
        yield PathChange(path or _WHOLE, before, after)


def _walk_lists(path: str, before: list[Any], after: list[Any], depth: int) -> Iterator[PathChange]:
    olds, news = _named(before), _named(after)
    if olds is not None and news is not None and (olds or news):
        for name in {**olds, **news}:
            yield from _walk(f"{path}[{name}]", olds.get(name, NOTHING), news.get(name, NOTHING), depth + 1)
        if [name for name in olds if name in news] != [name for name in news if name in olds]:
            yield PathChange(f"{path}[order]", list(olds), list(news))
        return
    for index in range(max(len(before), len(after))):
        old = before[index] if index < len(before) else NOTHING
        new = after[index] if index < len(after) else NOTHING
        yield from _walk(f"{path}[{index}]", old, new, depth + 1)


def _named(elements: Sequence[Any]) -> dict[str, Any] | None:
    """Return the elements by name; ``None`` where one has none, or two have the same."""
    named: dict[str, Any] = {}
    for element in elements:
        name = _name(element)
        if name is None or name in named:
            return None
        named[name] = element
    return named


def _name(element: Any) -> str | None:
    if not isinstance(element, dict):
        return None
    metadata = element.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else element.get("name", element.get("type"))
    return name if isinstance(name, str) and name else None


def _field(path: str, name: str) -> str:
    if name and all(character in _PLAIN for character in name):
        return f"{path}.{name}" if path else name
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'{path}["{quoted}"]'


def _same(before: Any, after: Any) -> bool:
    """Return whether two values are the same JSON value: 1 is 1.0, and neither is true."""
    if isinstance(before, bool) or isinstance(after, bool):
        return before is after
    return bool(before == after)


def _as_text(row: MetaRow) -> str | None:
    return None if row.value is None else row.value.decode(errors="replace")


def concealed(difference: Difference) -> Difference:
    """Return ``difference``; of a secret, that it is one, and how large the values are."""
    row = difference.after or difference.before
    if row is None or not row.is_secret:
        return difference
    before, after = (None if one is None else _hidden(one) for one in (difference.before, difference.after))
    changes = tuple(PathChange(change.path, "<hidden>", "<hidden>") for change in difference.changes)
    return difference._replace(before=before, after=after, changes=changes)


def _hidden(row: MetaRow) -> MetaRow:
    return row._replace(value=None, hidden=True)


def difference_document(difference: Difference) -> Json:
    """Return ``difference`` as a JSON value."""
    document: Json = {"change": difference.kind, "key": difference.key, "type": difference.type}
    if difference.changes:
        document["paths"] = [_path_document(change) for change in difference.changes]
    return document


def _path_document(change: PathChange) -> Json:
    sides = {"before": change.before, "after": change.after}
    return {"path": change.path, **{side: value for side, value in sides.items() if value is not NOTHING}}
