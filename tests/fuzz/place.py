"""Where runs of the fuzzer keep things, and how one that found something is run again."""

from pathlib import Path

ROOT = Path(__file__).parents[2] / ".fuzz"
"""Ignored by git; it can be removed at any time."""
FOUND = ROOT / "found"


def how_to_run_again(target: str, file: Path) -> str:
    """Return the command that gives a target the bytes of a file."""
    return f"python -m tests.fuzz {target} --input {file}"
