"""dnsperf: so many questions as a server answers, or at a pace, with the time that each took."""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from naming.cores import LOAD, on

CLIENTS, OUTSTANDING = 8, 100
_RATE = re.compile(r"Queries per second:\s+([\d.]+)")
_LOST = re.compile(r"Queries lost:\s+(\d+)")
_DONE = re.compile(r"Queries completed:\s+(\d+)")
_CODES = re.compile(r"Response codes:\s+(.*)")
_LATENCY = re.compile(r"^> .* (\d+\.\d+)$", re.MULTILINE)


class Load(NamedTuple):
    """What came of it."""

    rate: float
    """Answers a second."""
    answers: int
    p99_ms: float
    """0 if the times were not asked for."""


def load(port: int, questions: Path, seconds: float, *, edns: bool = False, pace: int = 0, free: bool = False) -> Load:
    """Ask what is in ``questions`` at ``port``; at ``pace`` a second, if given, and then with the times.

    ``free``: on any processor.
    """
    command = [
        *([] if free else on(LOAD)),
        "dnsperf",
        "-s",
        "127.0.0.1",
        "-p",
        str(port),
        "-d",
        str(questions),
        "-l",
        str(seconds),
    ]
    command += ["-c", str(CLIENTS), "-q", str(OUTSTANDING), *(["-e"] if edns else [])]
    command += ["-Q", str(pace), "-v"] if pace else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rate, lost, codes, answers = (found.search(done.stdout) for found in (_RATE, _LOST, _CODES, _DONE))
    if rate is None or lost is None or codes is None or answers is None:
        raise SystemExit(f"cannot read what dnsperf says: {done.stdout[-500:]}")
    if not codes[1].startswith("NOERROR") or "," in codes[1]:
        raise SystemExit(f"not every question was answered: {codes[1]}, {lost[1]} lost")
    times = sorted(map(float, _LATENCY.findall(done.stdout)))
    return Load(float(rate[1]), int(answers[1]), times[int(len(times) * 0.99)] * 1000 if times else 0.0)
