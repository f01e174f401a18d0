"""Processes that a test did not start itself, and that are to end."""

import time
from pathlib import Path


def has_ended(pid: int) -> bool:
    """Say whether a process is gone, or a zombie: its sockets are closed then (and not when its memory is)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_for_end(pid: int) -> None:
    """Return when a process is gone; fail if it goes on for 20 seconds."""
    deadline = time.monotonic() + 20
    while not has_ended(pid):
        assert time.monotonic() < deadline, f"process {pid} goes on"
        time.sleep(0.02)
