"""All targets, by name: each calls one parser that faces a peer, with any bytes, and raises only on a finding."""

import sys
from importlib import import_module
from pathlib import Path

from tests.fuzz.target import Target, targets_of

_SUPPORT = str(Path(__file__).parents[2] / "support")
"""Pytest looks there too, by its setting ``pythonpath``."""


def all_targets() -> dict[str, Target]:
    """Return every target of the files here, in the order of their names."""
    if _SUPPORT not in sys.path:
        sys.path.append(_SUPPORT)
    files = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    found = [target for name in files for target in targets_of(import_module(f"tests.fuzz.targets.{name}"))]
    return {target.name: target for target in sorted(found, key=lambda one: one.name)}
