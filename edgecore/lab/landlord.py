"""How commands start a lab, find it, look into it and end it, from outside."""

import fcntl
import os
import platform
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from edgecore.config.host import state_directory
from edgecore.control.client import ControlClient
from edgecore.control.unix_socket import address_of
from edgecore.errors import ControlError, LabError, reason_of
from edgecore.lab import fitness
from edgecore.lab.machine import PATH, enter
from edgecore.lab.plan import LabPlan
from edgecore.ownprogram import environment
from edgecore.privatefiles import make_directory

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
_POLL_S = 0.05
_LOG_LINES = 15
_MARK = "lab"
"""An empty file by which a directory is known as that of a lab: what ``down`` removes.

It is locked (flock(2)) by who builds a lab there or removes one, and by the lab's first processes until all of it has
ended.
"""
_AS_CHILD = '"$@"; exit $?'
"""For ``sh``: it stays, and waits for the program and for orphans, as the first process of a PID namespace has to."""
Json = dict[str, Any]


def default_root() -> Path:
    """Return where a lab is if nobody says. Raises ``ConfigError``."""
    return state_directory(os.environ) / "lab"


class Lab:
    """The lab of a directory, running or not."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._socket = self.root / "lab.sock"
        self._client = ControlClient(self._socket, process="lab", start_command="edgecore lab up")
        self._starter: subprocess.Popen[bytes] | None = None

    def view(self) -> Json:
        """Return what the lab says of itself. Raises ``LabError``."""
        return self._asked("GET", "/v1/lab")

    def change(self, verb: str, node: str) -> Json:
        """Cut, heal or restart a node. Raises ``LabError``."""
        return self._asked("POST", f"/v1/{verb}", {"node": node})

    def node(self, name: str) -> Json:
        """Return what the lab says of one node. Raises ``LabError``."""
        nodes: list[Json] = self.view()["nodes"]
        for node in nodes:
            if node["name"] == name:
                return node
        raise LabError(f"cannot find the node {name}: this lab has {', '.join(node['name'] for node in nodes)}")

    @property
    def is_mine(self) -> bool:
        """Whether it was started by this very object, and not by another command before."""
        return self._starter is not None

    def is_running(self) -> bool:
        """Return whether there is one."""
        return self._keeper() is not None

    def command(self, holder: int, words: Sequence[str]) -> list[str]:
        """Return a command that runs ``words`` in a machine of the lab, in this directory. Raises ``LabError``."""
        keeper = self._keeper()
        if keeper is None:
            raise self._absent()
        into = ["nsenter", "--target", str(keeper), "--mount", "--pid"]
        try:
            if Path(f"/proc/{keeper}/ns/user").readlink() != Path("/proc/self/ns/user").readlink():
                into += ["--user", "--preserve-credentials"]
        except OSError as error:
            raise LabError(f"cannot enter the lab in {self.root}: {reason_of(error)}; it is another user's") from error
        return [*into, "--", *enter(holder, Path.cwd()), *words]

    def start(self, lab: LabPlan, *, tied: bool) -> Json:
        """Build it and return its view once it is ready. ``tied``: it ends with this process. Raises ``LabError``."""
        if self.is_running():
            raise LabError(f"cannot build a lab in {self.root}: one runs there; end it with `edgecore lab down`")
        try:
            with _interrupts_held():
                lock = self._make_root()
                try:
                    self._starter = self._started(lab, lock, tied=tied)
                finally:
                    os.close(lock)
            return self._ready()
        except BaseException:
            if self._starter is not None:
                self.end()
            raise

    def _started(self, lab: LabPlan, lock: int, *, tied: bool) -> subprocess.Popen[bytes]:
        outer = ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
        outer[1:1] = ["--user", "--map-root-user"] if os.geteuid() else []
        keeper = [sys.executable, "-m", "edgecore.lab.keeper", str(lab.root), str(len(lab.nodes)), lab.mode]
        (self.root / "lab.log").touch(mode=0o600)
        with (self.root / "lab.log").open("wb") as log:
            return subprocess.Popen(  # noqa: S603
                [*outer, "--", "sh", "-c", _AS_CHILD, "lab", *keeper, *(["tied"] if tied else [])],
                stdin=subprocess.PIPE if tied else subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(lock,),
                env={**environment(), "PATH": PATH},
            )

    def _ready(self) -> Json:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            view: Json = {"state": "starting"}
            with suppress(LabError):
                view = self.view()
            if view["state"] == "ready":
                return view
            if view["state"] != "starting":
                raise self._failed(view["state"], [view["cloud"], *view["nodes"]])
            if self._starter is not None and self._starter.poll() is not None:
                raise self._failed("it ended by itself", [])
            time.sleep(_POLL_S)
        raise self._failed(f"it is not ready after {START_TIMEOUT_S:.0f} s", [])

    def _failed(self, why: str, programs: Sequence[Json]) -> LabError:
        """Return an error with the end of the logs that tell why."""
        logs = [Path(each["log"]) for each in programs if each["pid"] is None or each["log"] in why] or [
            self.root / "lab.log"
        ]
        lines = [f"the end of {log}:\n{_end_of(log)}" for log in logs if log.exists()]
        return LabError("\n".join([f"cannot build a lab in {self.root}: {why}", *lines]))

    def _make_root(self) -> int:
        """Make the directory, with nothing in it but its mark; return that, open and locked."""
        try:
            make_directory(self.root)
            names = {path.name for path in self.root.iterdir()}
            if names and _MARK not in names:
                raise LabError(f"cannot build a lab in {self.root}: the directory has other files; name another one")
            lock = self._locked(os.O_CREAT)
        except OSError as error:
            raise LabError(f"cannot build a lab in {self.root}: {reason_of(error)}; name another --root") from error
        try:
            self._remove_files()
            self.root.chmod(0o700)
        except BaseException:
            os.close(lock)
            raise
        return lock

    def _locked(self, flags: int = 0) -> int:
        """Return the mark, open and locked. Raises ``LabError`` if somebody else has locked it, ``OSError``."""
        mark = self.root / _MARK
        lock = os.open(mark, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_there = os.path.samestat(os.fstat(lock), mark.stat())
        except (BlockingIOError, FileNotFoundError):
            is_there = False
        except BaseException:
            os.close(lock)
            raise
        if not is_there:  # or somebody has just removed it
            os.close(lock)
            raise LabError(f"cannot use {self.root}: a lab is being built there, or has not ended; try again soon")
        return lock

    def end(self) -> bool:
        """End the lab, wait until all of it is gone, and remove its files; return whether one ran.

        Raises ``LabError`` where it does not end, or where this is in one of its own shells, with nothing done.
        """
        keeper = self._keeper()
        if keeper is not None and _is_beside(keeper):
            text = "this shell is one of its own, and would end with it; leave the shell first"
            raise LabError(f"cannot end the lab in {self.root}: {text}")
        if keeper is None and self._starter is None:
            keeper = self._awaited()
        if keeper is not None:
            around = [keeper, *_parents(keeper)]
            with suppress(LabError):
                self._asked("POST", "/v1/down")
            self._wait_for_end(around)
        starter = self._starter
        if starter is not None:
            if keeper is None:
                starter.kill()
            starter.wait(STOP_TIMEOUT_S)
            if starter.stdin is not None:
                starter.stdin.close()
            self._starter = None
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while self._is_locked() and time.monotonic() < deadline:
                time.sleep(_POLL_S)
        self.clear()
        return keeper is not None

    def _awaited(self) -> int | None:
        """Return the keeper of a lab that another command has begun to build, once it is there; none if none is."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._is_locked() and time.monotonic() < deadline:
            keeper = self._keeper()
            if keeper is not None:
                return keeper
            time.sleep(_POLL_S)
        return None

    def _is_locked(self) -> bool:
        """Return whether a lab is built here, or alive."""
        try:
            os.close(self._locked())
        except LabError:
            return True
        except OSError:
            return False
        return False

    def _wait_for_end(self, pids: Sequence[int]) -> None:
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while any(map(_lives, pids)):
            if self._starter is not None:
                self._starter.poll()
            if time.monotonic() > deadline:
                raise LabError(f"cannot end the lab in {self.root}: process {pids[0]} still runs; see its lab.log")
            time.sleep(_POLL_S)

    def clear(self) -> None:
        """Remove what a lab has left, and its directory; nothing where that is no lab's. Raises ``LabError``."""
        try:
            lock = self._locked()
        except FileNotFoundError:
            return
        except OSError as error:
            raise LabError(f"cannot remove {self.root}: {reason_of(error)}") from error
        try:
            self._remove_files()
            (self.root / _MARK).unlink()
            self.root.rmdir()
        except OSError as error:
            raise LabError(f"cannot remove {self.root}: {reason_of(error)}") from error
        finally:
            os.close(lock)

    def _remove_files(self) -> None:
        """Remove what a lab has left in its directory, which is locked, but for the mark. Raises ``LabError``."""
        if any(place.is_relative_to(self.root) for place in _mounts()):
            raise LabError(f"cannot remove {self.root}: something is mounted there; leave the shells of the lab first")
        for path in self.root.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != _MARK:
                path.unlink(missing_ok=True)

    def _keeper(self) -> int | None:
        """Return the process that keeps the lab, as seen from here: the kernel tells who listens on its socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, suppress(OSError):
            with address_of(self._socket) as address:
                probe.connect(address)
            size = struct.calcsize("3i")
            pid: int = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[0]
            return pid
        return None

    def _asked(self, method: str, path: str, body: Json | None = None) -> Json:
        try:
            answer: Json = self._client.get(path) if method == "GET" else self._client.post(path, body)
        except ControlError as error:
            if not self.is_running():
                raise self._absent() from None
            raise LabError(str(error)) from error
        return answer

    def _absent(self) -> LabError:
        return LabError(f"cannot find a lab in {self.root}: none runs there; build one with `edgecore lab up`")


def check_machine(*, rules: bool) -> None:
    """Look whether a lab can be built here. Raises ``LabError`` with what to do."""
    found = frozenset(
        tool for tool in (*fitness.TOOLS, *fitness.RULE_TOOLS) if shutil.which(tool, path=PATH) is not None
    )
    sysctls = {name: _read(Path("/proc/sys", name)) for name in fitness.SYSCTLS}
    refusal = _refusal() if found.issuperset(fitness.TOOLS) else ""
    known = {name: text for name, text in sysctls.items() if text}
    facts = fitness.Facts(platform.system(), os.geteuid() == 0, found, known, refusal)
    if reason := fitness.why_not(facts, rules=rules):
        raise LabError(f"cannot build a lab: {reason}")


def _refusal() -> str:
    """Return what this machine says against namespaces; empty if nothing."""
    words = ["unshare", *(["--user", "--map-root-user"] if os.geteuid() else [])]
    words += ["--net", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "ip", "link", "set", "lo", "up"]
    tried = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "PATH": PATH})  # noqa: S603
    return (tried.stderr.strip() or f"exit code {tried.returncode}") if tried.returncode else ""


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _mounts() -> list[Path]:
    """Return the mount points of this process (proc(5): the fifth field of ``mountinfo``)."""
    return [Path(line.split()[4]) for line in _read(Path("/proc/self/mountinfo")).splitlines()]


def _parents(pid: int) -> list[int]:
    """Return the shell and the ``unshare`` around a keeper."""
    found = []
    for _ in range(2):
        fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
        pid = int(fields[1]) if fields else 0
        if pid <= 1 or pid == os.getpid():
            break
        found.append(pid)
    return found


def _is_beside(pid: int) -> bool:
    """Return whether a process is in the PID namespace of this one."""
    try:
        return Path(f"/proc/{pid}/ns/pid").readlink() == Path("/proc/self/ns/pid").readlink()
    except OSError:
        return False


def _lives(pid: int) -> bool:
    """Return whether a process runs; one that waits for its parent to look does not."""
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return bool(fields) and fields[0] not in ("Z", "X")


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Have a Ctrl-C wait: what is started meanwhile is known when it comes. Not in other threads, which get none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt


def _end_of(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    return "\n".join(f"    {line}" for line in lines)
