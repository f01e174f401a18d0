"""What the schema is made of: sections of settings, and what is known of each setting besides its type."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import msgspec

from edgecore.config.rules import Rule


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one setting, or of one section (then only ``help``, ``ours`` and ``used`` are meant).

    ``help``     one line for people.
    ``rule``     what it may be, beyond its type; not asked while its module is disabled.
    ``always``   the rule is asked even then, because other modules use the setting.
    ``ours``     KubeEdge has no such key.
    ``used``     False: accepted so that files of KubeEdge load, but nothing reads it yet.
    ``reload``   a running node goes by another value as soon as it reads the file again; else it needs a restart.
    ``minimal``  printed by ``edgecore config --min`` (``kubeedge NewMinEdgeCoreConfig@v1.3.1``).
    ``sparse``   printed only when it differs from its default (Go: ``omitempty``).
    ``secret``   never shown in errors, logs or ``repr``.
    ``shown``    the default in words, where it depends on the machine.
    ``state``    a file of edgecore itself: its place below the directory that ``--root`` or ``--user`` names.
    """

    help: str
    rule: Rule | None = None
    always: bool = False
    ours: bool = False
    used: bool = True
    reload: bool = False
    minimal: bool = False
    sparse: bool = False
    secret: bool = False
    shown: str = ""
    state: str = ""


Enable = Annotated[bool, Key(help="Whether the module runs.")]


class Section(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One mapping of ``edgecore.yaml``. Every attribute is ``Annotated`` with its ``Key`` and has a default."""

    def __repr__(self) -> str:
        shown = (
            f"{s.attribute}={'***' if s.key.secret else repr(getattr(self, s.attribute))}" for s in settings(type(self))
        )
        return f"{type(self).__name__}({', '.join(shown)})"


class Setting(NamedTuple):
    """One attribute of a section as the schema declares it."""

    name: str
    """As written in the file (camelCase)."""
    attribute: str
    kind: Any
    """``bool``, ``int``, ``float``, ``str``, ``tuple[str, ...]``, a ``Literal``, or a ``Section`` class."""
    key: Key
    default: Any

    @property
    def section(self) -> type[Section] | None:
        """The class of the section, or None if this is a value."""
        return self.kind if isinstance(self.kind, type) and issubclass(self.kind, Section) else None

    @property
    def allowed(self) -> str:
        """What may be written here, in words."""
        if self.key.rule is not None:
            return self.key.rule.allowed
        if get_origin(self.kind) is Literal:
            choices = [str(choice) for choice in get_args(self.kind)]
            return f"one of {', '.join(choices)}" if len(choices) > 1 else f"only {choices[0]}"
        return _KINDS[self.kind]


_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text in one line",
    tuple[str, ...]: "a list of texts",
}


@cache
def settings(section: type[Section]) -> tuple[Setting, ...]:
    """Return what ``section`` declares, in its order. Fails at once on an attribute without ``Key`` or default."""
    found = []
    for field in msgspec.structs.fields(section):
        if get_origin(field.type) is not Annotated or field.required:
            raise TypeError(f"{section.__name__}.{field.name} needs Annotated[..., Key(...)] and a default")
        kind, key = get_args(field.type)
        found.append(Setting(field.encode_name, field.name, kind, key, field.default))
    return tuple(found)


def leaves(section: type[Section], path: str = "") -> Iterator[tuple[str, Setting]]:
    """Yield every value setting below ``section`` with its dotted path; ``ours`` and ``used`` hold for all below."""
    for setting in settings(section):
        below = f"{path}.{setting.name}" if path else setting.name
        if setting.section is None:
            yield below, setting
            continue
        for leaf_path, leaf in leaves(setting.section, below):
            key = msgspec.structs.replace(
                leaf.key, ours=leaf.key.ours or setting.key.ours, used=leaf.key.used and setting.key.used
            )
            yield leaf_path, leaf._replace(key=key)
