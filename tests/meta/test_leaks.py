"""What tests/conftest.py does for every test, tried on a suite of its own: leaks fail, needs skip, logs are undone."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = """
import asyncio, socket, subprocess, sys, threading

import pytest, structlog
from edgecore.observe.logs import configure_logging

KEPT = []
END = threading.Event()

def test_leaves_a_thread():
    threading.Thread(target=END.wait, args=(20,), name="left-thread", daemon=True).start()

def test_leaves_a_socket():
    KEPT.append(socket.create_server(("127.0.0.1", 0)))

def test_leaves_a_child():
    KEPT.append(subprocess.Popen([sys.executable, "-c", "input('left-child')"], stdin=subprocess.PIPE))

async def test_leaves_a_task():
    KEPT.append(asyncio.create_task(asyncio.sleep(20), name="left-task"))

async def test_cleans_up(vclock, ids, metrics, scale):
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    await reader.read()
    writer.close()
    server.close()
    await asyncio.to_thread(len, "ran in a thread")
    asyncio.create_task(asyncio.sleep(20)).cancel()

@pytest.fixture(scope="module")
def shared():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server

def test_uses_what_others_use_too(shared): ...

def test_configures_logging():
    configure_logging("error", "json")

def test_finds_logging_as_it_was():
    assert not structlog.is_configured()

@pytest.mark.needs_dig
def test_asks_with_dig(): ...

@pytest.mark.needs_root
def test_needs_more(): ...
"""
_LINE = re.compile(r"^(PASSED|ERROR|SKIPPED|FAILED) (.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def report(root: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest prints about the suite, on a machine without any command."""
    place = tmp_path_factory.mktemp("suite")
    (place / "tests/support").mkdir(parents=True)
    for name in ("conftest.py", "support/outside.py"):
        shutil.copy(root / "tests" / name, place / "tests" / name)
    shutil.copy(root / "pyproject.toml", place)
    (place / "tests/test_suite.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", "-rA", "tests"]
    environment = {"PYTHONPATH": str(root), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("test", "named"),
    [
        ("test_leaves_a_thread", "thread left-thread"),
        ("test_leaves_a_socket", r"socket AF_INET \('127.0.0.1', \d+\)"),
        ("test_leaves_a_child", r"child process \d+: .*left-child"),
        ("test_leaves_a_task", "left-task"),
    ],
)
def test_a_leak_fails_its_test_by_name(report: str, test: str, named: str) -> None:
    assert re.search(rf"^ERROR tests/test_suite.py::{test} - ", report, re.MULTILINE)
    assert re.search(named, report.split(f"ERROR at teardown of {test} ")[1])


@pytest.mark.parametrize(
    "test",
    ["test_cleans_up", "test_uses_what_others_use_too", "test_configures_logging", "test_finds_logging_as_it_was"],
)
def test_a_test_that_leaves_nothing_behind_has_no_error(report: str, test: str) -> None:
    assert [word for word, rest in _LINE.findall(report) if f"::{test}" in rest] == ["PASSED"]


def test_a_missing_command_skips_and_says_how_to_get_it(report: str) -> None:
    assert "the dig command is not installed (Debian: apt-get install bind9-dnsutils)" in report


def test_the_head_of_the_report_says_how_to_repeat_it(report: str) -> None:
    assert "hypothesis profile short (60 examples a property), scale 1" in report


def test_the_head_of_the_report_says_what_of_the_machine_is_compared_before_and_after(report: str) -> None:
    assert re.search(r"^from outside: \d+ things of this machine are compared before and after$", report, re.MULTILINE)
