"""Which processor a process runs on: the server has one for itself where there are two, the load the other."""

import os
from pathlib import Path

SERVER, LOAD = 0, 1
PINNED = (os.cpu_count() or 1) > 1


def pin(pid: int, core: int) -> None:
    """Keep ``pid``, with all its threads, on ``core``."""
    if PINNED:
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {core})


def on(core: int) -> list[str]:
    """Return what comes before a command that is to run on ``core``."""
    return ["taskset", "-c", str(core)] if PINNED else []
