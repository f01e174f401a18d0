"""Which Python runs the embedded broker in tests marked ``needs_amqtt``: the named one, that of `make broker`, this."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

MADE = Path(__file__).parents[2] / ".venv-broker" / "bin" / "python"


def broker_python() -> str | None:
    """Return its path, or ``None`` where there is none."""
    if named := os.environ.get("EDGECORE_BROKER_PYTHON"):
        return named
    if MADE.exists():
        return str(MADE)
    return sys.executable if find_spec("amqtt") else None
