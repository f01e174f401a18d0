"""A look at this machine from outside the tests: rules, routes, links, addresses, mounts and resolv.conf, as texts.

Taken before the first test and after the last one (``tests/conftest.py``); what counts down or up by itself is left
out.
"""

import difflib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

COMMANDS = (
    *("nft list ruleset", "iptables-save", "ip6tables-save"),
    *("ip -o link", "ip -o address", "ip route show table all", "ip rule"),
)
FILES = ("/proc/self/mounts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/hosts")
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_MOVES_BY_ITSELF = re.compile(
    r"^#.*\n|counter packets \d+ bytes \d+|\[\d+:\d+\]|\b(valid_lft|preferred_lft|expires) \d+sec|\bcache\b.*",
    re.MULTILINE,
)


_SETTLES_S = 1.0
"""So long what the last test took away may take to be gone."""


class Look(NamedTuple):
    """What was seen, by what it was asked with, and what was not, with the reason."""

    seen: Mapping[str, str]
    unseen: Mapping[str, str]


def look() -> Look:
    """Look once. What this machine lacks, or this user may not see, is not seen."""
    seen: dict[str, str] = {}
    unseen: dict[str, str] = {}
    for command in COMMANDS:
        if shutil.which(command.split()[0], path=_PATH) is None:
            unseen[command] = "not installed"
            continue
        done = subprocess.run(
            command.split(), capture_output=True, text=True, check=False, env={**os.environ, "PATH": _PATH}
        )
        if done.returncode == 0:
            seen[command] = _MOVES_BY_ITSELF.sub("", done.stdout)
        else:
            unseen[command] = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0]
    for name in FILES:
        try:
            seen[name] = Path(name).read_bytes().decode(errors="surrogateescape")
        except OSError as error:
            unseen[name] = error.strerror or str(error)
    return Look(seen, unseen)


def difference(before: Look, after: Look) -> str:
    """Return what is not as it was, as a diff; empty if nothing is. What could not be seen before is not compared."""
    lines: list[str] = []
    for name, text in before.seen.items():
        other = after.seen.get(name, f"cannot be seen any more: {after.unseen.get(name)}\n")
        if other != text:
            names = (f"{name} (before)", f"{name} (after)")
            lines += difflib.unified_diff(text.splitlines(), other.splitlines(), *names, n=1, lineterm="")
            if text.splitlines() == other.splitlines():
                lines.append(f"{name}: its line ends differ: {text[-40:]!r}, {other[-40:]!r}")
    return "\n".join(lines)


class Outside:
    """A plugin of pytest: fails the run if the machine is not as it was before. For the one process that controls."""

    def __init__(self) -> None:
        self._before = look()
        self._found = ""

    def pytest_report_header(self) -> list[str]:
        told = [f"from outside: {len(self._before.seen)} things of this machine are compared before and after"]
        return [*told, *(f"from outside: {name} is not compared: {why}" for name, why in self._before.unseen.items())]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        deadline = time.monotonic() + _SETTLES_S
        while (found := difference(self._before, look())) and time.monotonic() < deadline:
            time.sleep(0.1)
        self._found = found
        if found and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._found:
            terminalreporter.section("this machine is not as it was before the tests", red=True)
            terminalreporter.write_line(self._found)
