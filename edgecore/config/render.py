"""A configuration as YAML text: complete or minimal, as KubeEdge prints it (``--defaultconfig``, ``--minconfig``)."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from msgspec.structs import replace

from edgecore.config.keys import Section, settings
from edgecore.config.schema import EdgeCoreConfig

S = TypeVar("S", bound=Section)

_FULL_COMMENT = """\
# Every setting that edgecore knows, each with its default on this machine.
# A file needs only the keys that it changes: what is absent keeps its default.
# What each of them means: edgecore config --reference
"""
_MINIMAL_COMMENT = """\
# The settings that a new node usually changes; everything else keeps its default.
# All settings with their defaults: edgecore config --default
# What each of them means: edgecore config --reference
"""
_NUMBER_LIKE = re.compile(r"[-+]?(0[xob][0-9a-fA-F_]*|[0-9_]*\.?[0-9_]*([eE][-+]?[0-9]+)?)")
_ODD_WORDS = frozenset(("y", "n"))


class _Dumper(yaml.SafeDumper):
    """Writes text so that both YAML 1.1 (Go, PyYAML) and 1.2 readers take it for text."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.Node:
    tag = "tag:yaml.org,2002:str"
    resolve: Callable[..., str] = dumper.resolve  # the stubs leave it untyped
    plain = resolve(yaml.ScalarNode, text, (True, False)) == tag
    odd = not text.isprintable() or text.lower() in _ODD_WORDS or _NUMBER_LIKE.fullmatch(text)
    return dumper.represent_scalar(tag, text, style=None if text and plain and not odd else '"')


_Dumper.add_representer(str, _represent_text)


def full_text(config: EdgeCoreConfig) -> str:
    """Print every setting."""
    return _text(_FULL_COMMENT, _tree(config, None))


def minimal_text(config: EdgeCoreConfig, defaults: EdgeCoreConfig) -> str:
    """Print what KubeEdge's minimal configuration has, and what differs from ``defaults``."""
    return _text(_MINIMAL_COMMENT, _tree(config, defaults))


def below(config: S, root: Path, *, minimal: bool = False) -> S:
    """Move the files of edgecore itself below ``root``; with ``minimal`` only those that ``minimal_text`` prints."""
    changes: dict[str, Any] = {}
    for setting in settings(type(config)):
        value = getattr(config, setting.attribute)
        if isinstance(value, Section):
            changes[setting.attribute] = below(value, root, minimal=minimal)
        elif setting.key.state and (setting.key.minimal or not minimal):
            changes[setting.attribute] = str(root / setting.key.state)
    return replace(config, **changes)


def _text(comment: str, tree: dict[str, Any]) -> str:
    body = yaml.dump(tree, Dumper=_Dumper, default_flow_style=False, sort_keys=True, width=1_000_000)
    return f"{comment}\n{body}"


def _tree(section: Section, defaults: Section | None) -> dict[str, Any]:
    """Return what is printed of ``section``: all of it, or, beside ``defaults``, what is minimal or differs."""
    tree: dict[str, Any] = {}
    for setting in settings(type(section)):
        value = getattr(section, setting.attribute)
        default = None if defaults is None else getattr(defaults, setting.attribute)
        if isinstance(value, Section):
            tree[setting.name] = _tree(value, default)
        elif (value != default or setting.key.minimal) and not (setting.key.sparse and value == setting.default):
            tree[setting.name] = _plain(value)
    return {name: value for name, value in tree.items() if value != {}}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value
