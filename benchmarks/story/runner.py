"""Runs areas one after the other, each a process of its own, and keeps what each has told, whatever becomes of it."""

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from rows.figures import RESULTS
from rows.results import results_of

from story.areas import Area
from story.document import Report, State

PATIENCE = 3.0
"""An area that takes so many times as long as it should is ended."""
LEAST_S = 30.0
"""But not before."""
GRACE_S = 20.0
"""For the programs that it started."""
LOOK_EVERY_S = 0.5


class Runner:
    """Runs them. ``places``: where the scripts are; ``budget_s``: what all may take together."""

    def __init__(self, places: Path, *, rounds: int | None, quick: bool, budget_s: float, out: IO[str], err: IO[str]):
        self._places = places
        self._rounds = rounds
        self._quick = quick
        self._until = time.monotonic() + budget_s
        self._out, self._err = out, err

    def run_all(self, areas: tuple[Area, ...], keep: Callable[[list[Report]], None]) -> list[Report]:
        """Return what became of each; ``keep`` is given that after each of them. Ctrl-C ends it, and raises nothing."""
        reports = [Report(name=area.name, title=area.title, command=self._told(area)) for area in areas]
        for number, (area, report) in enumerate(zip(areas, reports, strict=True), 1):
            left_s = self._until - time.monotonic()
            if left_s < self._expected_s(area) / 2:
                report.reason = f"no time was left; python benchmarks --areas {area.name}"
                continue
            self._say(f"== {area.title} ({number} of {len(areas)}): {report.command}")
            self._run(area, report, left_s, f"{number} of {len(areas)}")
            keep(reports)
            if report.state == "interrupted":
                break
        return reports

    def _run(self, area: Area, report: Report, left_s: float, where: str) -> None:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="edgecore-bench-") as place:
            results, errors = Path(place, "results"), Path(place, "errors")
            results.touch()
            ends_at = began + min(left_s, max(LEAST_S, PATIENCE * self._expected_s(area)))
            environment = os.environ | {RESULTS: str(results), "PYTHONPATH": str(self._places.parent)}
            with errors.open("wb") as said:
                process = subprocess.Popen(
                    self._command(area),
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    text=True,
                    errors="replace",
                    start_new_session=True,  # Ctrl-C reaches it by us, once
                )
            report.state = self._watched(process, ends_at, f"{where}: {area.name}, {{}} of about {{}} s", area)
            report.results = results_of(results.read_bytes())
            report.took_s = round(time.monotonic() - began, 1)
            if report.state != "measured":
                report.reason = _last_line(errors) if report.state == "failed" else f"after {report.took_s:.0f} s"
                self._err.write(f"{area.name}: {report.state}: {report.reason}\n")

    def _watched(self, process: subprocess.Popen[str], ends_at: float, waiting: str, area: Area) -> State:
        """Pass on what it says until it ends, or is ended."""
        state: State = "measured"
        began = time.monotonic()
        assert process.stdout is not None
        try:
            with selectors.DefaultSelector() as selector:
                os.set_blocking(process.stdout.fileno(), False)
                selector.register(process.stdout, selectors.EVENT_READ)
                while process.poll() is None:
                    if selector.select(LOOK_EVERY_S):
                        self._say(process.stdout.read() or "", end="")
                        time.sleep(LOOK_EVERY_S / 10)  # its end of file comes a little before its end
                    self._wait(waiting.format(round(time.monotonic() - began), round(self._expected_s(area))))
                    if time.monotonic() > ends_at:
                        state = "too long"
                        break
        except KeyboardInterrupt:
            state = "interrupted"
        finally:
            self._wait("")
            _end(process)
            self._say(process.stdout.read() or "", end="")
            process.stdout.close()
        return "failed" if state == "measured" and process.returncode else state

    def _expected_s(self, area: Area) -> float:
        return area.quick_s if self._quick else area.usual_s

    def _arguments(self, area: Area) -> list[str]:
        if self._quick:
            return ["--quick"]
        return [*area.usual, *(["--rounds", str(self._rounds)] if self._rounds else [])]  # the last one counts

    def _command(self, area: Area) -> list[str]:
        return [sys.executable, str(self._places / f"{area.name}.py"), *self._arguments(area)]

    def _told(self, area: Area) -> str:
        return " ".join(["python", f"benchmarks/{area.name}.py", *self._arguments(area)])

    def _say(self, text: str, end: str = "\n") -> None:
        if text:
            self._wait("")
            self._out.write(text + end)
            self._out.flush()

    def _wait(self, text: str) -> None:
        """Say on a terminal what is going on; the next text takes its place."""
        if self._err.isatty():
            self._err.write(f"\r\033[K{text}")
            self._err.flush()


def _end(process: subprocess.Popen[str]) -> None:
    """End it with what it has started, as Ctrl-C in a terminal does; nothing, if it has ended."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, sign)
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            continue


def _last_line(file: Path) -> str:
    lines = file.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing of why"
