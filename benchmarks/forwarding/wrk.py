"""wrk: as many requests as a server answers, with the time that each took."""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from naming.cores import LOAD, on

CONNECTIONS = 32
DIFFERENT = Path(__file__).parent / "different.lua"
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_DONE = re.compile(r"(\d+) requests in")
_PART = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)$", re.MULTILINE)
_WRONG = re.compile(r"^\s*(Non-2xx.*|Socket errors.*)$", re.MULTILINE)
_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class Load(NamedTuple):
    """What came of it."""

    rate: float
    """Answers a second."""
    answers: int
    p50_ms: float
    p99_ms: float


def load(
    url: str,
    seconds: float,
    *,
    connections: int = CONNECTIONS,
    different: bool = False,
    close: bool = False,
    free: bool = False,
) -> Load:
    """Ask for ``url`` over and over.

    ``different``: each request has another head. ``close``: each has a connection of its own. ``free``: on any
    processor. Raises ``SystemExit`` if anything but answers 2xx came.
    """
    command = [*([] if free else on(LOAD)), "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
    command += ["--latency", *(["-s", str(DIFFERENT)] if different else [])]
    command += ["-H", "Connection: close"] if close else []
    done = subprocess.run([*command, url], capture_output=True, text=True, check=True)
    rate, answers, wrong = (found.search(done.stdout) for found in (_RATE, _DONE, _WRONG))
    times = {part: float(value) * _MS[unit] for part, value, unit in _PART.findall(done.stdout)}
    if rate is None or answers is None or len(times) < 2:
        raise SystemExit(f"cannot read what wrk says: {done.stdout[-500:]}")
    if wrong is not None:
        raise SystemExit(f"not every request of {url} was answered: {wrong[1]}")
    return Load(float(rate[1]), int(answers[1]), times["50"], times["99"])
