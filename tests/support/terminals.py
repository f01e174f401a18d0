"""Terminals of a newcomer: command lines of a document in a directory as a clone, on ports that are free."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from shells import environment, install, table, without

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0
STOP_S = 10.0
LISTEN, HTTPS = "127.0.0.1:10000", "127.0.0.1:10002"
"""Where a cloud listens in the documents; each becomes an address that is free."""
CHANGING = ("AGE", "IP", "ENDPOINTS")
"""The columns of which only the form is compared."""


class Step(NamedTuple):
    """A line of a document, and what stands below it."""

    line: str
    printed: str


def blocks_of(document: str, heading: str) -> list[list[Step]]:
    """Return the console blocks of a section, each as its lines, without prompts and comments."""
    section = (ROOT / document).read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [[*_steps(block.split("```")[0])] for block in section.split("```console\n")[1:]]


def _steps(block: str) -> Iterator[Step]:
    for part in block.replace("\\\n", " ").removeprefix("$ ").split("\n$ "):
        line, _, printed = part.partition("\n")
        yield Step(re.sub(r"\s+#.*", "", line), printed.strip())


class Terminals:
    """A directory as a clone with ``.venv``, and shells in it."""

    def __init__(self, place: Path, own_names: dict[str, str]) -> None:
        self.place = place
        self._own_names = own_names
        install(place / ".venv/bin")
        (place / "examples").symlink_to(ROOT / "examples")
        self._env = environment(HOME=str(place), XDG_STATE_HOME=str(place / "state"))
        self._started: list[subprocess.Popen[bytes]] = []

    def sh(self, *lines: str) -> "subprocess.CompletedProcess[str]":
        """Run lines in one shell, to their end."""
        command = ["/bin/sh", "-c", "\n".join(map(self._own, lines))]
        return subprocess.run(
            command, cwd=self.place, env=self._env, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )

    def start(self, line: str) -> None:
        """Run a line that does not end."""
        with (self.place / f"{len(self._started)}.log").open("wb") as log:
            command = ["/bin/sh", "-c", f"exec {self._own(line)}"]
            how = {"cwd": self.place, "env": self._env, "stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            self._started.append(subprocess.Popen(command, **how))  # type: ignore[call-overload]

    def prints(self, step: Step) -> None:
        """Run a line until it prints what is told, but for names and ages."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            done = self.sh(step.line)
            if done.returncode == 0 and form(done.stdout) == form(step.printed):
                return
            ended = [process.args for process in self._started if process.poll() is not None]
            logs = "\n".join(path.read_text()[-1500:] for path in self.place.glob("*.log"))
            assert not ended, f"{ended} ended\n{logs}"
            assert time.monotonic() < deadline, f"{step.line}\n{done.stdout}{done.stderr}\n{logs}"
            time.sleep(0.1)

    def wait_for(self, *lines: str) -> str:
        """Run lines until they end well, and return what they print."""
        deadline = time.monotonic() + PATIENCE_S
        while (done := self.sh(*lines)).returncode != 0 or "cannot reach" in done.stdout:
            assert time.monotonic() < deadline, f"{lines}\n{done.stdout}{done.stderr}"
            time.sleep(0.1)
        return done.stdout

    def stop(self) -> list[int]:
        """End what runs, as Ctrl-C does; return the exit codes."""
        for process in reversed(self._started):
            process.send_signal(signal.SIGINT)
        try:
            return [process.wait(STOP_S) for process in self._started]
        finally:
            for process in self._started:
                process.kill()
                process.wait()

    def _own(self, line: str) -> str:
        for told, own in self._own_names.items():
            line = line.replace(told, own)
        if "cloudhub-stub run" in line:
            line += f" --listen {self._own_names[LISTEN]} --https {self._own_names[HTTPS]} --observe off"
        if "edgecore join" in line:
            line += f" --https https://{self._own_names[HTTPS]}"
        return line


def form(printed: str) -> object:
    """Return what of an output is the same in every run."""
    if not printed.startswith("NAME"):
        return printed.strip()
    tables = [table(part) for part in printed.strip().split("\n\n")]
    for row in (row for rows in tables for row in rows):
        row["NAME"] = re.sub(r"-[a-z0-9]{10}-[a-z0-9]{5}$", "", row["NAME"])
        row.update({name: re.sub(r"\d+\.\d+\.\d+\.\d+", "IP", row[name]) for name in CHANGING[1:] if name in row})
    return [[sorted(map(tuple, map(dict.items, without(rows, CHANGING[0]))))] for rows in tables]
