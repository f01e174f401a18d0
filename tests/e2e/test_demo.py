"""``edgecore demo`` as a user runs it."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from brokerpython import broker_python
from edgecore.demo.broker import find_broker
from edgecore.demo.story import BACKENDS
from edgecore.recording.entries import (
    BusMessage,
    CloudFrame,
    Commit,
    ConnectionEvent,
    DnsExchange,
    ProxiedRequest,
    Snapshot,
)
from edgecore.recording.reader import read_entries
from netns import texts_of_host

ROOT = Path(__file__).parents[2]
HINTS = "Ctrl-C ends everything."
HAS_BROKER = find_broker("auto") is not None
COUNT = 10 if HAS_BROKER else 8
DEVICE_KINDS = ("device", "mqtt", "twin") if HAS_BROKER else ()
STEP = re.compile(rf"^\[(\d+)/{COUNT}\] ", re.MULTILINE)


class Demo:
    """A demonstration in a process; what it leaves behind it would leave below ``place``."""

    def __init__(self, place: Path, *options: str) -> None:
        self.place = place
        self._out = place.with_name(f"{place.name}.txt")
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        inherited = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        self.env = {**inherited, "TMPDIR": str(place), "PATH": path}
        with self._out.open("wb") as out:
            command = [sys.executable, "-m", "edgecore", "demo", *options]
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=self.env, cwd=ROOT
            )

    @property
    def out(self) -> str:
        return self._out.read_text()

    def wait_for(self, text: str) -> None:
        """Wait until the text is printed; the test's timeout is what ends it otherwise."""
        while text not in self.out:
            assert self.process.poll() is None, self.out
            time.sleep(0.02)

    @property
    def hints(self) -> list[str]:
        """The lines to try."""
        return [line.strip() for line in self.out.split("from another terminal:")[1].splitlines() if line[:2] == "  "]

    def hint(self, program: str) -> list[str]:
        return [line for line in self.hints if program in shlex.split(line)[0]]

    def shell(self, line: str) -> "subprocess.CompletedProcess[str]":
        """Run a line in a shell."""
        command = ["/bin/sh", "-c", line]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=20, check=False, cwd=ROOT)

    def ended(self) -> int:
        """Return the exit code; within the ten seconds that a user has patience for."""
        return self.process.wait(10)

    @property
    def left(self) -> list[str]:
        """Files and processes that are left."""
        files = [str(path) for path in self.place.iterdir()]
        return files + [line for line in _command_lines() if str(self.place) in line]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(15)
            finally:
                self.process.kill()
                self.process.wait()


def _command_lines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_text(errors="replace").replace("\0", " ")
        except OSError:
            continue  # it has ended


@pytest.fixture
def demo() -> Iterator[Callable[..., Demo]]:
    """Start a demonstration, once the two addresses of its backends are free."""
    root = Path(tempfile.mkdtemp(prefix="e2e-"))  # short: a Unix socket will be some directories below
    demos: list[Demo] = []

    def start(*options: str) -> Demo:
        while True:
            for address in BACKENDS:
                _wait_until_free(address)
            place = root / str(len(demos))
            place.mkdir()
            demos.append(run := Demo(place, *options))
            while not run.out:
                time.sleep(0.01)
            if "cannot listen on" not in run.out:  # else another demo of this machine was quicker
                return run
            run.ended()

    yield start
    for one in demos:
        one.end()
    shutil.rmtree(root)


def _wait_until_free(address: tuple[str, int]) -> None:
    for _ in range(50):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
                probe.listen()
            except OSError:
                time.sleep(0.1)
            else:
                return
    pytest.skip(f"something else listens at {address[0]}:{address[1]}, which the demo needs (another demo?)")


def test_every_step_of_the_demo_is_checked_and_holds_and_its_recording_replays_equal(
    demo: Callable[..., Demo], tmp_path: Path
) -> None:
    recording = tmp_path / "demo.jsonl.zst"
    run = demo("--record", str(recording))

    assert run.process.wait(50) == 0, run.out
    steps = STEP.split(run.out)
    assert steps[1::2] == [str(number) for number in range(1, COUNT + 1)]
    assert all("      ok: " in text for text in steps[2::2]), run.out
    assert re.search(r"^Every step held, in [0-9.]+ s\.$", run.out, re.MULTILINE)
    assert run.left == []
    kinds = {type(entry) for entry in read_entries(recording)}
    assert kinds >= {CloudFrame, ConnectionEvent, BusMessage, Commit, DnsExchange, ProxiedRequest, Snapshot}
    judged = run.shell(f"{shlex.quote(sys.executable)} -m edgecore replay {shlex.quote(str(recording))} --json")
    assert judged.returncode == 0, judged.stdout + judged.stderr
    (verdict,) = json.loads(judged.stdout)["verdicts"]
    assert verdict["equal"].keys() >= {"acknowledgement", "dns", "row service", "service", *DEVICE_KINDS}


def test_a_demo_does_not_record_over_a_file(programs: Any, tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    kept.write_text("precious")
    done = programs.run("edgecore", "demo", "--record", kept)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"edgecore: cannot record into {kept}: it is there already")
    assert kept.read_text() == "precious"


def test_a_demo_that_is_kept_prints_commands_that_work_until_ctrl_c(demo: Callable[..., Demo]) -> None:
    if shutil.which("edgecore", path=str(Path(sys.executable).parent)) is None:
        pytest.skip("the commands are not installed beside this Python (pip install -e .)")
    run = demo("--keep")
    with _watching(run) as seen:
        run.wait_for(HINTS)
        _try_all(run, seen)


def _try_all(run: Demo, seen: "subprocess.Popen[str] | None") -> None:
    status, replay = run.hint("edgecore")[0], run.hint("cloudhub-stub")[-1]
    assert "node edge-node1: " in run.shell(status).stdout  # port 80 of a recorded service: not for everybody to bind
    assert "edge-node1" in run.shell(run.hint("cloudhub-stub")[0]).stdout
    (export,) = run.hint("eval")
    assert "http://127.0.0.1:" in run.shell(f'{export} && echo "$http_proxy"').stdout
    if seen is not None:
        _arrived(seen)
        (line,) = run.hint("mosquitto_sub")
        while "/state/services/default/nginx-svc {" not in run.shell(f"{line} --retained-only -W 1").stdout:
            pass  # the test's timeout ends it otherwise
    assert run.shell(replay).returncode == 0
    assert "nginx-svc" not in run.shell(status).stdout
    if seen is not None:
        _until(seen, "state/services/default/nginx-svc (null)\n")
    run.process.send_signal(signal.SIGINT)
    assert run.ended() == 0
    assert run.left == []
    if seen is not None:
        said = _until(seen, "state/online false\n")
        assert not [line for line in said if line.startswith(f"{BELOW}mirror/missed") and '"missed":0,' not in line]


BELOW = "edgecore/edge-node1/"


@contextmanager
def _watching(run: Demo) -> "Iterator[subprocess.Popen[str] | None]":
    """Run the line that the demonstration shows in its first step, if this machine can."""
    if find_broker("auto") is None or shutil.which("mosquitto_sub") is None:
        yield None
        return
    run.wait_for(f"[2/{COUNT}]")
    (line,) = (line.strip("$ ") for line in run.out.splitlines() if "$ mosquitto_sub -h" in line)
    with subprocess.Popen(["stdbuf", "-oL", *shlex.split(line)], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def _until(seen: "subprocess.Popen[str]", end: str) -> list[str]:
    """Return what came until a line of the node's ends so; the test's timeout ends this otherwise."""
    assert seen.stdout is not None
    said: list[str] = []
    for line in seen.stdout:
        if line == BELOW + end:
            return said
        said.append(line)
    raise AssertionError(said)


def _arrived(seen: "subprocess.Popen[str]") -> None:
    """See the service go over the bus and become a state; the test's timeout ends this otherwise."""
    assert seen.stdout is not None
    wanted = {
        f"{BELOW}bus/edgemesh/metaManager/insert/default/service/nginx-svc": '"name":"nginx-svc"',
        f"{BELOW}state/services/default/nginx-svc": '"fake_ip":"127.',
        f"{BELOW}state/link": '"connected"',
        f"{BELOW}state/online": "true",
    }
    for line in seen.stdout:
        topic, _, payload = line.partition(" ")
        if topic in wanted and wanted[topic] in payload:
            del wanted[topic]
        if not wanted:
            break
    assert not wanted


@pytest.mark.needs_curl
@pytest.mark.needs_dig
def test_dig_and_curl_get_answers_from_a_demo_that_is_kept(demo: Callable[..., Demo]) -> None:
    run = demo("--keep")
    run.wait_for(HINTS)

    (dig,), curls = run.hint("dig"), run.hint("curl")
    address = re.search(r"http://(127\.[0-9.]+):12345/", curls[0])
    assert address is not None
    assert re.search(rf"\sA\s+{re.escape(address[1])}$", run.shell(dig).stdout, re.MULTILINE)
    assert len(curls) == 2
    answers = [run.shell(curl).stdout for curl in curls for _ in range(2)]
    assert sorted(answers) == sorted(f"backend {host}:{port} answers GET /\n" for host, port in 2 * BACKENDS)
    run.process.send_signal(signal.SIGTERM)
    assert run.ended() == 0
    assert run.left == []


@pytest.mark.needs_mosquitto
def test_the_device_of_the_demo_is_at_mosquitto_where_there_is_one(demo: Callable[..., Demo]) -> None:
    run = demo()

    assert run.process.wait(50) == 0, run.out
    assert "      the MQTT broker is mosquitto, 127.0.0.1:" in run.out
    assert "      ok: the cloud has the reported value: 19" in run.out
    assert run.left == []


@pytest.mark.needs_amqtt
def test_the_device_of_the_demo_is_at_the_embedded_broker_else(
    demo: Callable[..., Demo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGECORE_BROKER_PYTHON", broker_python() or "")
    run = demo("--broker", "embedded")

    assert run.process.wait(50) == 0, run.out
    assert "      the MQTT broker is the node's embedded one, 127.0.0.1:" in run.out
    assert "      ok: the service that is seen on MQTT: nginx-svc" in run.out
    assert "      ok: the cloud has the reported value: 19" in run.out
    assert run.left == []


@pytest.mark.parametrize("step", [f"[1/{COUNT}]", f"[5/{COUNT}]"])
def test_ctrl_c_in_the_middle_ends_the_demo_and_all_that_it_started(demo: Callable[..., Demo], step: str) -> None:
    run = demo()
    run.wait_for(step)

    run.process.send_signal(signal.SIGINT)

    assert run.ended() == 130, run.out
    assert "Traceback" not in run.out
    assert run.left == []


@pytest.mark.parametrize("taken", BACKENDS)
def test_a_taken_backend_address_is_one_line_and_nothing_is_left(
    programs: Any, tmp_path: Path, taken: tuple[str, int]
) -> None:
    for address in BACKENDS:
        _wait_until_free(address)
    (tmp_path / "tmp").mkdir()
    with socket.create_server(taken):
        done = programs.run("edgecore", "demo", env=programs.env | {"TMPDIR": str(tmp_path / "tmp")})

    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"edgecore: cannot listen on {taken[0]}:{taken[1]}: ")
    assert "in use" in line
    assert "demo" in line
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_missing_directory_of_recordings_is_one_line_that_names_it(programs: Any, tmp_path: Path) -> None:
    done = programs.run("edgecore", "demo", "--recordings", tmp_path / "nothing")

    assert done.returncode == 1
    assert done.stderr.startswith(f"edgecore: cannot find the recordings in {tmp_path / 'nothing'}: ")
    assert "--recordings" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_demo_leaves_the_rules_and_routes_of_the_machine_alone_also_as_root(demo: Callable[..., Demo]) -> None:
    before = [*texts_of_host()]
    run = demo()
    run.wait_for(f"[5/{COUNT}]")
    assert [*texts_of_host()] == before
    assert run.process.wait() == 0
    assert [*texts_of_host()] == before
