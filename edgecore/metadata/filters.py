"""Which rows are meant: by type, namespace and name, or by key, each with ``*``, ``?`` and ``[...]``; and by age."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from edgecore.metadata.row import MetaRow

_FULL_NAMES = {
    "po": "pod",
    "svc": "service",
    "ep": "endpoints",
    "endpoint": "endpoints",
    "cm": "configmap",
    "no": "node",
    "pv": "persistentvolume",
    "pvc": "persistentvolumeclaim",
}
_SPECIAL = re.compile(r"[*?\[]")
_FIELDS = ("type", "namespace", "name", "key")
_SINGULAR_IN_S = ("endpoints", "podstatus", "nodestatus")


class Filters(NamedTuple):
    """Patterns; a row is meant if it matches one of each kind that is given."""

    types: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    since_ms: int | None = None
    """Unix time; rows that have been as they are since before, or since nobody knows when, are not meant."""

    def match_key(self, key: str, row_type: str) -> bool:
        """Return whether a row of this key and type is meant, whatever its age."""
        place = MetaRow(key, row_type, None, 0).place
        return (
            _matches(self.types, row_type)
            and _matches(self.namespaces, place.namespace)
            and _matches(self.names, place.name)
            and _matches(self.keys, key)
        )

    def match(self, row: MetaRow) -> bool:
        """Return whether ``row`` is meant."""
        if self.since_ms is not None and (row.origin is None or row.origin.at_ms < self.since_ms):
            return False
        return self.match_key(row.key, row.type)

    def query(self) -> dict[str, str]:
        """Return the filters as the query of a URL; of several patterns each is a line."""
        fields = zip(_FIELDS, (self.types, self.namespaces, self.names, self.keys), strict=True)
        found = {name: "\n".join(patterns) for name, patterns in fields if patterns}
        return found if self.since_ms is None else {**found, "since_ms": str(self.since_ms)}


def filters_of_query(query: Mapping[str, str]) -> Filters:
    """Return the filters of ``Filters.query``. Raises ``ValueError`` where ``since_ms`` is no number."""
    patterns = {name: tuple(filter(None, query.get(name, "").split("\n"))) for name in _FIELDS}
    since_ms = query.get("since_ms")
    return Filters(
        patterns["type"],
        patterns["namespace"],
        patterns["name"],
        patterns["key"],
        None if since_ms is None else int(since_ms),
    )


def full_type(word: str) -> str:
    """Return the type of rows that a word of a command line means: ``pods``, ``po`` and ``Pod`` mean ``pod``."""
    word = word.lower()
    word = _FULL_NAMES.get(word, word)
    if word in _SINGULAR_IN_S or not word.endswith("s"):
        return word
    return word.removesuffix("es") if word.endswith("statuses") else word.removesuffix("s")


def exactly(text: str) -> str:
    """Return the pattern that matches ``text`` alone."""
    return _SPECIAL.sub(r"[\g<0>]", text)


def _matches(patterns: tuple[str, ...], text: str) -> bool:
    return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)
