"""Where the figures come from: the machine, and the versions of all that was measured."""

import os
import platform
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import edgecore

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "haproxy": ("haproxy", "-v"),
    "nginx": ("nginx", "-v"),
    "wrk": ("wrk", "-v"),
    "dnsmasq": ("dnsmasq", "--version"),
    "dnsperf": ("dnsperf", "-h"),
    "mosquitto": ("mosquitto", "-h"),
    "jq": ("jq", "--version"),
    "nft": ("nft", "--version"),
}
PACKAGES = ("aiohttp", "httptools", "msgspec", "paho-mqtt", "peewee", "uvloop", "websockets")
_VERSION = re.compile(r"\d+(?:\.\d+)+")


def machine() -> dict[str, str]:
    """Return what it is, by names for people."""
    found = {
        "processor": f"{os.cpu_count()} x {_field('/proc/cpuinfo', 'model name')}",
        "memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0] or 0) / 2**20:.1f} GiB",
        "system": _field("/etc/os-release", "PRETTY_NAME", "=").strip('"'),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "load before": f"{os.getloadavg()[0]:.2f}",
    }
    return {name: value for name, value in found.items() if value.strip()}


def versions() -> dict[str, str]:
    """Return the version of ours and of every peer; of what is not there, that it is not."""
    found = {"edgecore": f"{edgecore.__version__}{_commit()}"}
    found |= {name: _of_program(command) for name, command in PROGRAMS.items()}
    found["sqlite3"] = _said_by(sys.executable, "import sqlite3; print(sqlite3.sqlite_version)")
    broker = os.environ.get("EDGECORE_BROKER_PYTHON") or str(ROOT / ".venv-broker" / "bin" / "python")
    found["amqtt"] = _said_by(broker, "from importlib.metadata import version; print(version('amqtt'))")
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _said_by(python: str, text: str) -> str:
    with suppress(OSError):
        done = subprocess.run([python, "-c", text], capture_output=True, text=True, check=False)
        return done.stdout.strip() or "not installed"
    return "not installed"


def _of_program(command: tuple[str, ...]) -> str:
    path = shutil.which(command[0], path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if path is None:
        return "not installed"
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run([path, *command[1:]], capture_output=True, text=True, check=False, timeout=10)
        if said := _VERSION.search(done.stdout + done.stderr):
            return said[0]
    return "unknown"


def _commit() -> str:
    """Return the commit in brackets, with a mark where files differ from it; nothing outside a checkout."""
    with suppress(OSError):
        git = ["git", "-C", str(ROOT)]
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=False)
        if commit.stdout:
            return f" ({commit.stdout.strip()}{', changed' if changed.stdout else ''})"
    return ""


def _field(path: str, name: str, between: str = ":") -> str:
    with suppress(OSError):
        for line in Path(path).read_text().splitlines():
            key, _, value = line.partition(between)
            if key.strip() == name:
                return value.strip()
    return "0"
