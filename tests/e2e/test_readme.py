"""A service on two edges, as the README tells: each of its lines, in its order, with what it prints."""

import re
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from shells import ROOT, environment, install, table, without

PATIENCE_S = 30.0
STOP_S = 10.0
PORTS = ("127.0.0.1:10000", "127.0.0.1:10002", "8080")
"""Those of the README's lines, each of which becomes a free one."""
CHANGING = ("AGE", "IP", "ENDPOINTS")
"""The columns of which only the form is compared."""


class Step(NamedTuple):
    """A line of the README, and what stands below it."""

    line: str
    printed: str


def steps() -> list[list[Step]]:
    """Return the blocks of the section: first what runs on, then what ends."""
    section = (ROOT / "README.md").read_text().split("\n## A service on two edges\n")[1].split("\n## ")[0]
    return [[*_steps(block.split("```")[0])] for block in section.split("```console\n")[1:]]


def _steps(block: str) -> Iterator[Step]:
    for part in block.removeprefix("$ ").split("\n$ "):
        line, _, printed = part.partition("\n")
        yield Step(re.sub(r"\s+#.*", "", line), printed.strip())


STARTS, REST = steps()


class Terminals:
    """A directory as a clone with ``.venv``, and shells in it."""

    def __init__(self, place: Path, ports: dict[str, str]) -> None:
        self._place = place
        self._ports = ports
        install(place / ".venv/bin")
        (place / "examples").symlink_to(ROOT / "examples")
        self._env = environment(HOME=str(place), XDG_STATE_HOME=str(place / "state"))
        self._started: list[subprocess.Popen[bytes]] = []

    def sh(self, *lines: str) -> "subprocess.CompletedProcess[str]":
        """Run lines in one shell, to their end."""
        command = ["/bin/sh", "-c", "\n".join(map(self._own, lines))]
        return subprocess.run(
            command, cwd=self._place, env=self._env, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )

    def start(self, line: str) -> None:
        """Run a line that does not end."""
        with (self._place / f"{len(self._started)}.log").open("wb") as log:
            command = ["/bin/sh", "-c", f"exec {self._own(line)}"]
            how = {"cwd": self._place, "env": self._env, "stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            self._started.append(subprocess.Popen(command, **how))  # type: ignore[call-overload]

    def prints(self, step: Step) -> None:
        """Run a line until it prints what is told, but for names and ages."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            done = self.sh(step.line)
            if done.returncode == 0 and form(done.stdout) == form(step.printed):
                return
            ended = [process.args for process in self._started if process.poll() is not None]
            logs = "\n".join(path.read_text()[-1500:] for path in self._place.glob("*.log"))
            assert not ended, f"{ended} ended\n{logs}"
            assert time.monotonic() < deadline, f"{step.line}\n{done.stdout}{done.stderr}\n{logs}"
            time.sleep(0.1)

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
        for told, own in self._ports.items():
            line = line.replace(told, own)
        if "cloudhub-stub run" in line:
            line += f" --listen {self._ports[PORTS[0]]} --https {self._ports[PORTS[1]]} --observe off"
        if "edgecore join" in line:
            line += f" --https https://{self._ports[PORTS[1]]}"
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


@pytest.fixture
def terminals(free_port: Callable[[], int]) -> Iterator[Terminals]:
    """Not below ``tmp_path``: the path of a control socket may not be long."""
    listen, https, web = (str(free_port()) for _ in PORTS)
    with tempfile.TemporaryDirectory(prefix="readme-") as place:
        ports = dict(zip(PORTS, (f"127.0.0.1:{listen}", f"127.0.0.1:{https}", web), strict=True))
        terminals = Terminals(Path(place), ports)
        try:
            yield terminals
        finally:
            codes = terminals.stop()
        assert set(codes[:-1]) == {0}, codes


def test_the_readme_tells_what_this_test_does() -> None:
    assert [program(step) for step in STARTS] == ["cloudhub-stub", *["cloudhub-stub", "edgecore"] * 2, "python3"]
    assert [step.line for step in REST if "cloudhub-stub" not in step.line] == [
        'eval "$(.venv/bin/edgecore env --config ~/edge-b/edgecore.yaml)"',
        "curl http://nginx-svc.default.svc.cluster.local:12345/README.md",
        "unset http_proxy",
    ]


def program(step: Step) -> str:
    return Path(shlex.split(step.line)[0]).name


@pytest.mark.needs_curl
@pytest.mark.timeout(120)
def test_a_newcomer_comes_from_nothing_to_a_service_on_two_edges(terminals: Terminals) -> None:
    for step in STARTS:
        if "join" in step.line:
            wait_for(terminals, ".venv/bin/cloudhub-stub token")
            joined = terminals.sh(step.line)
            assert joined.returncode == 0, joined.stderr
        else:
            terminals.start(step.line)

    lines = [step.line for step in REST]
    shell = lines.index("unset http_proxy") - 2
    for step in REST[: shell - 1]:
        terminals.prints(step)
    told = terminals.sh(lines[shell - 1])
    assert re.search(r"acknowledged +update +default/pod/nginx-deployment-\S+", told.stdout), told.stdout
    page = wait_for(terminals, *lines[shell : shell + 2])
    assert page == (ROOT / "examples/manifests/README.md").read_text()
    terminals.prints(REST[-1])
    assert len(REST) == shell + 4


def wait_for(terminals: Terminals, *lines: str) -> str:
    """Run lines until they end well, and return what they print."""
    deadline = time.monotonic() + PATIENCE_S
    while (done := terminals.sh(*lines)).returncode != 0 or "cannot reach" in done.stdout:
        assert time.monotonic() < deadline, f"{lines}\n{done.stdout}{done.stderr}"
        time.sleep(0.1)
    return done.stdout
