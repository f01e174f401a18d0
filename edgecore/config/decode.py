"""A YAML tree decoded over the defaults: the configuration, what is wrong, and what is worth a word.

Rules of Go's decoder: absent keys and null keep the default; keys match in any case; where a key is repeated the last
one counts, and spellings that differ in case count in the order of their bytes. An unknown key is not an error.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import TypeVar

from msgspec.structs import replace

from edgecore.config.document import Entry, MappingNode, Node
from edgecore.config.keys import Section, Setting, settings
from edgecore.config.problem import Problem, shown
from edgecore.config.scalars import NotOfType, describe, is_null, read_value
from edgecore.config.schema import EdgeCoreConfig

S = TypeVar("S", bound=Section)

MAX_HINTS = 50
"""So many unknown keys are compared with the known ones: a file that is something else is not searched to its end."""
_SECTION = "a mapping (keys, each with its value, indented below it)"


class Decoder:
    """Decodes one tree. ``lines`` tells where each setting of the file stands."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.lines: dict[str, int] = {}

    def decode(self, root: Node, defaults: EdgeCoreConfig) -> EdgeCoreConfig:
        """Return ``defaults`` changed by the file; a wrong value is in ``problems`` and keeps its default."""
        return self._section(root, defaults, "")

    def _section(self, node: Node, current: S, path: str) -> S:
        if is_null(node):
            return current
        if not isinstance(node, MappingNode):
            self.problems.append(Problem(path, f"found {describe(node)}, allowed: {_SECTION}", node.line))
            return current
        known = {setting.name.lower(): setting for setting in settings(type(current))}
        for entry in node.repeated:
            self._warn_repeated(_join(path, entry.name), entry)
        for entry in sorted(node.entries, key=lambda entry: entry.name):
            setting = known.get(entry.name.lower())
            if setting is None:
                self._warn_unknown(entry, path, type(current))
            else:
                current = self._entry(entry, setting, current, _join(path, setting.name))
        return current

    def _entry(self, entry: Entry, setting: Setting, current: S, path: str) -> S:
        if path in self.lines:
            self._warn_repeated(path, entry)
        self.lines[path] = entry.line
        old = getattr(current, setting.attribute)
        if isinstance(old, Section):
            return replace(current, **{setting.attribute: self._section(entry.value, old, path)})
        if is_null(entry.value):
            return current
        try:
            return replace(current, **{setting.attribute: read_value(entry.value, setting.kind)})
        except NotOfType:
            found = "something else (not shown: a secret)" if setting.key.secret else describe(entry.value)
            self.problems.append(Problem(path, f"found {found}, allowed: {setting.allowed}", entry.line))
            return current

    def _warn_repeated(self, path: str, entry: Entry) -> None:
        self.warnings.append(Problem(path, "is given more than once; only one of them counts", entry.line))

    def _warn_unknown(self, entry: Entry, path: str, section: type[Section]) -> None:
        meant = nearest_key(entry.name, path, section) if len(self.warnings) < MAX_HINTS else None
        hint = f"; did you mean {meant}?" if meant else ""
        self.warnings.append(Problem(_join(path, entry.name), f"is not a known key{hint}", entry.line))


def _join(path: str, name: str) -> str:
    if len(name) > 80 or not name.isprintable():
        name = shown(name)
    return f"{path}.{name}" if path else name


def nearest_key(name: str, path: str, section: type[Section]) -> str | None:
    """Return the path of the known key that ``name``, found at ``path``, is most like: here, or else elsewhere."""
    here = {setting.name.lower(): _join(path, setting.name) for setting in settings(section)}
    elsewhere: dict[str, str] = {}
    for _, _, place in sorted((-_shared(place, path), not used, place) for place, used in _places(EdgeCoreConfig, "")):
        elsewhere.setdefault(place.rpartition(".")[2].lower(), place)
    wanted = name[:100].lower()
    for choices, cutoff in ((here, 0.8), (elsewhere, 1.0), (here, 0.6), (elsewhere, 0.8)):
        match = get_close_matches(wanted, choices, n=1, cutoff=cutoff)
        if match:
            return choices[match[0]]
    return None


def _shared(first: str, second: str) -> int:
    """Count the leading parts that two paths have in common."""
    pairs = list(zip(first.split("."), second.split("."), strict=False))
    return next((index for index, (one, other) in enumerate(pairs) if one != other), len(pairs))


def _places(section: type[Section], path: str) -> Iterator[tuple[str, bool]]:
    """Yield the path of every setting and section, and whether something reads it."""
    for setting in settings(section):
        place = _join(path, setting.name)
        yield place, setting.key.used
        if setting.section is not None:
            for below, used in _places(setting.section, place):
                yield below, used and setting.key.used
