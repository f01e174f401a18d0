"""A line on a terminal that says where a run is; elsewhere nothing."""

import sys


def show(text: str) -> None:
    """Write ``text`` over what was shown before; nothing where nobody looks."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text[:110]}")
        sys.stderr.flush()


def clear() -> None:
    """Take the line away."""
    show("")
