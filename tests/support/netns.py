"""Network namespaces that a test makes: joined by veth pairs, programs run in them, gone with the test.

Root makes them as they are; an ordinary user makes the first one with a user namespace in which he is root, and the
others below it. Each is held by a ``cat`` that ends with its standard input, so also when the test process is killed.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

_TOOLS = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ip": "iproute2",
    "nft": "nftables",
}
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_PATIENCE_S = 30.0


@cache
def why_not(*tools: str) -> str | None:
    """Return why no namespace can be made here, or which of ``tools`` is missing; nothing where all is well."""
    for tool in (*_TOOLS, *tools):
        if shutil.which(tool, path=_PATH) is None:
            return f"the {tool} command is not installed (Debian: apt-get install {_TOOLS.get(tool, tool)})"
    tried = subprocess.run([*_unshare(), "true"], capture_output=True, text=True, check=False)
    if tried.returncode == 0:
        return None
    return f"no namespaces here, as root or in a user namespace: {tried.stderr.strip()}"


def _unshare() -> list[str]:
    if os.geteuid() == 0:
        return ["unshare", "--net", "--mount"]
    return ["unshare", "--user", "--map-root-user", "--net", "--mount"]


class Net:
    """One network namespace, with a mount namespace of its own; loopback is up."""

    def __init__(self, name: str, made_by: Sequence[str], enter: Sequence[str]) -> None:
        self.name = name
        self._spawned: list[subprocess.Popen[Any]] = []
        environment = {**os.environ, "PATH": _PATH}
        # Every word before `cat` execs the next: the holder has the process id that we know.
        self._holder = subprocess.Popen(
            [*made_by, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment
        )
        self.enter = [word.replace("PID", str(self.pid)) for word in enter]
        """What to put before a command so that it runs in here."""
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        self._holder.stdin.write(b"!")
        assert self._holder.stdout.read(1) == b"!", f"no namespace {name}"
        self.run(["ip", "link", "set", "lo", "up"])

    @property
    def pid(self) -> int:
        """A process that is in here, for ``ip link ... netns PID`` and ``/proc/PID/ns``."""
        return self._holder.pid

    def run(self, argv: Sequence[str | Path], *, check: bool = True, **popen: Any) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, its output as text; an exit code other than 0 raises unless ``check=False``."""
        options = {"timeout": _PATIENCE_S, "env": os.environ, **popen}
        options["env"] = {**options["env"], "PATH": _PATH}
        done = subprocess.run([*self.enter, *map(str, argv)], capture_output=True, text=True, check=False, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{self.name}: {argv} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def spawn(self, argv: Sequence[str | Path], **popen: Any) -> subprocess.Popen[Any]:
        """Start a program; it is killed at the end of the test, and when the thread that started it dies."""
        options = {"env": os.environ, **popen}
        options["env"] = {**options["env"], "PATH": _PATH}
        started = subprocess.Popen([*self.enter, "setpriv", "--pdeathsig", "KILL", *map(str, argv)], **options)
        self._spawned.append(started)
        return started

    def python(self, code: str, *arguments: str, **popen: Any) -> str:
        """Run Python code in here to its end and return what it printed."""
        return self.run([sys.executable, "-c", code, *arguments], **popen).stdout

    def sysctl(self, name: str, value: object) -> None:
        """Set a setting of this namespace, as in ``net.ipv4.ip_forward``; a new one has the kernel's default."""
        self.run(["sh", "-c", f"echo {value} > /proc/sys/{name.replace('.', '/')}"])

    def bridge(self, name: str, address: str) -> None:
        """Make a bridge without ports with an address such as ``172.17.0.1/16``, up."""
        for command in (f"link add {name} type bridge", f"addr add {address} dev {name}", f"link set {name} up"):
            self.run(["ip", *command.split()])

    def end(self) -> None:
        """Kill what was spawned here, and let go of the namespace."""
        for started in self._spawned:
            with suppress(ProcessLookupError):
                started.kill()
            started.wait()
            for pipe in (started.stdin, started.stdout, started.stderr):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
        for pipe in (self._holder.stdin, self._holder.stdout):
            if pipe is not None:
                pipe.close()
        self._holder.wait(_PATIENCE_S)


class Nets:
    """The namespaces of one test, from ``with`` to the end of its block."""

    def __init__(self) -> None:
        self._made: list[Net] = []
        self._links = 0

    def make(self, name: str = "") -> Net:
        """Make a namespace; the name is for messages."""
        by, enter = _unshare(), ["nsenter", "--target", "PID", "--net", "--mount"]
        if os.geteuid() != 0:
            into = ["nsenter", "--user", "--preserve-credentials"]
            enter = [*into, *enter[1:]]
            if self._made:
                by = [*into, "--target", str(self._made[0].pid), "unshare", "--net", "--mount"]
        self._made.append(Net(name or f"net{len(self._made)}", by, enter))
        return self._made[-1]

    def join(
        self, a: Net, b: Net, address_a: str = "", address_b: str = "", *, name_a: str = "", name_b: str = ""
    ) -> tuple[str, str]:
        """Join two namespaces by a veth pair, addresses as in ``10.1.0.1/24``; return the names of its ends.

        For a namespace behind a bridge, give the outer end no address and ``ip link set END master BRIDGE``.
        """
        self._links += 1
        ends = name_a or f"veth{self._links}a", name_b or f"veth{self._links}b"
        a.run(["ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1], "netns", str(b.pid)])
        for net, end, address in ((a, ends[0], address_a), (b, ends[1], address_b)):
            if address:
                net.run(["ip", "addr", "add", address, "dev", end])
            net.run(["ip", "link", "set", end, "up"])
        return ends

    def container(self, host: Net, bridge: str, address: str, via: str) -> Net:
        """Make a namespace that hangs on a bridge of ``host`` as a container does, with ``via`` as its gateway."""
        made = self.make(f"container {address}")
        outer, inner = self.join(host, made, "", address)
        host.run(["ip", "link", "set", outer, "master", bridge])
        made.run(["ip", "route", "add", "default", "via", via, "dev", inner])
        return made

    def end(self) -> None:
        """End all of them, the newest first."""
        for net in reversed(self._made):
            net.end()
        self._made.clear()

    def __enter__(self) -> "Nets":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def texts_of_host() -> Iterable[str]:
    """Yield what must be the same before and after: links, routes, rules of this process's own namespace."""
    for command in ("ip -o link", "ip route show table all", "nft list ruleset"):
        done = subprocess.run(
            command.split(), capture_output=True, text=True, check=False, env={**os.environ, "PATH": _PATH}
        )
        yield f"$ {command}\n{done.stdout}{done.stderr}"
    yield f"$ cat /etc/resolv.conf\n{Path('/etc/resolv.conf').read_text()}"
