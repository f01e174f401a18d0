"""The node's link to a real keeper: asked, left, killed, stopped; nothing here needs rules or root."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edgecore.clock import SystemClock
from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.keeper import child
from edgecore.modules.edgemesh.intercept.keeper.link import NFT_LIMIT_S, OUTSTANDING_LIMIT, KeeperLink
from edgecore.modules.edgemesh.intercept.keeper.protocol import (
    COMMAND_LIMIT_S,
    MESSAGE_LIMIT_BYTES,
    Ask,
    Command,
    Nft,
    Will,
    frame,
)
from endings import has_ended, wait_for_end


class Rig:
    """A link, and what it says of its keeper's end."""

    def __init__(self, clock=None):
        self.ends = []
        self.ended = asyncio.Event()
        self.link = KeeperLink(clock or SystemClock(), self._end)

    def _end(self, end):
        self.ends.append(end)
        self.ended.set()


@pytest.fixture
async def rig():
    made = Rig()
    await made.link.start()
    yield made
    await made.link.bye(linger=False)


def touch(path):
    return Command(("touch", str(path)))


def will_in(tmp_path, *, linger_s=0.0):
    return Will((touch(tmp_path / "at_once"),), (touch(tmp_path / "at_last"),), linger_s)


def names(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir())


async def test_answers_come_to_those_who_asked(rig):
    answers = await asyncio.gather(*(rig.link.ask(Command(("echo", str(n)))) for n in range(20)))
    assert answers == [f"{n}\n" for n in range(20)]


async def test_a_step_that_fails_is_an_error_with_its_word_and_the_keeper_goes_on(rig):
    with pytest.raises(InterceptError, match=r"^cannot intercept traffic: `false` failed: exit code 1$") as refused:
        await rig.link.ask(Command(("true",)), Command(("false",)), Command(("echo",)))
    with pytest.raises(InterceptError) as missing:
        await rig.link.ask(Command(("no-such-program-at-all",)))
    assert (refused.value.reason, missing.value.reason) == ("refused", "no_tool")
    assert await rig.link.ask(Command(("echo", "on"))) == "on\n"


async def test_the_keeper_has_a_session_of_its_own_and_nothing_of_the_nodes_files(rig):
    assert os.getsid(rig.link.pid) == rig.link.pid
    assert Path(f"/proc/{rig.link.pid}/cwd").readlink() == Path("/")
    files = {str(entry.readlink()) for entry in Path(f"/proc/{rig.link.pid}/fd").iterdir()}
    assert {name.partition(":")[0] for name in files} == {"/dev/null", "socket"}


def test_the_keeper_loads_nothing_that_takes_long():
    code = "import sys, edgecore.modules.edgemesh.intercept.keeper.keeper; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"asyncio", "structlog", "uvloop", "shutil", "logging"} & set(said.split())


async def test_goodbye_has_the_will_done_and_leaves_no_process(rig, tmp_path):
    rig.link.will(will_in(tmp_path, linger_s=100))
    await rig.link.bye(linger=False)
    assert names(tmp_path) == ["at_last", "at_once"]
    assert has_ended(rig.link.pid)
    assert not rig.ends
    await rig.link.bye(linger=False)


async def test_goodbye_with_linger_returns_when_the_first_part_is_done_and_a_signal_ends_the_linger(rig, tmp_path):
    rig.link.will(will_in(tmp_path, linger_s=100))
    await rig.link.bye(linger=True)
    assert names(tmp_path) == ["at_once"]
    os.kill(rig.link.pid, signal.SIGTERM)
    wait_for_end(rig.link.pid)
    assert names(tmp_path) == ["at_last", "at_once"]
    assert not rig.ends


async def test_a_linger_ends_by_itself_and_leaves_no_zombie_of_a_node_that_lives_on(rig, tmp_path):
    rig.link.will(will_in(tmp_path, linger_s=0.05))
    await rig.link.bye(linger=True)
    wait_for_end(rig.link.pid)
    for thread in threading.enumerate():
        if "keeper" in thread.name:
            thread.join(10)
    assert not Path(f"/proc/{rig.link.pid}").exists()
    assert names(tmp_path) == ["at_last", "at_once"]


async def test_goodbye_with_linger_to_a_will_without_one_leaves_no_process(rig, tmp_path):
    rig.link.will(will_in(tmp_path))
    await rig.link.bye(linger=True)
    assert names(tmp_path) == ["at_last", "at_once"]
    assert has_ended(rig.link.pid)


async def test_a_keeper_that_is_killed_is_reported_once_and_whoever_waits_is_told(rig):
    waiting = asyncio.create_task(rig.link.ask(Command(("sleep", "100"))))
    await asyncio.sleep(0)
    os.kill(rig.link.pid, signal.SIGKILL)
    with pytest.raises(InterceptError) as gone:
        await waiting
    await rig.ended.wait()
    with pytest.raises(InterceptError) as later:
        await rig.link.ask()
    assert (gone.value.reason, later.value.reason) == ("keeper_gone", "keeper_gone")
    assert rig.ends == [(rig.link.pid, -signal.SIGKILL)]
    rig.link.will(Will())
    await rig.link.bye(linger=True)
    assert len(rig.ends) == 1


async def test_a_keeper_that_is_asked_to_end_does_the_will_and_is_reported(rig, tmp_path):
    rig.link.will(will_in(tmp_path))
    await rig.link.ask()
    os.kill(rig.link.pid, signal.SIGTERM)
    await rig.ended.wait()
    assert names(tmp_path) == ["at_last", "at_once"]
    assert rig.ends == [(rig.link.pid, 0)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGPIPE])
async def test_other_signals_of_a_terminal_do_not_end_the_keeper(rig, number):
    os.kill(rig.link.pid, number)
    assert await rig.link.ask(Command(("echo", "on"))) == "on\n"


async def test_more_requests_than_may_wait_are_refused_and_those_that_wait_are_answered(rig):
    os.kill(rig.link.pid, signal.SIGSTOP)
    waiting = [asyncio.create_task(rig.link.ask(Command(("echo",)))) for _ in range(OUTSTANDING_LIMIT)]
    await asyncio.sleep(0)
    with pytest.raises(InterceptError) as refused:
        await rig.link.ask(Command(("echo",)))
    assert refused.value.reason == "refused"
    os.kill(rig.link.pid, signal.SIGCONT)
    assert await asyncio.gather(*waiting) == ["\n"] * OUTSTANDING_LIMIT


async def test_more_bytes_than_may_wait_are_refused(rig):
    os.kill(rig.link.pid, signal.SIGSTOP)
    big = Nft(" " * (MESSAGE_LIMIT_BYTES - 100))
    waiting = [asyncio.create_task(rig.link.ask(big)) for _ in range(5)]
    await asyncio.sleep(0)
    refused = [task for task in waiting if task.done()]
    assert [task.exception().reason for task in refused] == ["refused"]
    os.kill(rig.link.pid, signal.SIGKILL)
    await asyncio.gather(*waiting, return_exceptions=True)
    await rig.ended.wait()


async def test_a_request_or_will_that_is_too_long_is_refused(rig):
    big = Nft(" " * MESSAGE_LIMIT_BYTES)
    with pytest.raises(InterceptError, match="are allowed"):
        await rig.link.ask(big)
    with pytest.raises(InterceptError, match="are allowed"):
        rig.link.will(Will((big,)))
    assert await rig.link.ask(Command(("echo", "on"))) == "on\n"


async def test_a_request_that_nobody_waits_for_any_more_does_not_mix_up_the_answers(rig):
    given_up = asyncio.create_task(rig.link.ask(Command(("echo", "1"))))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await rig.link.ask(Command(("echo", "2"))) == "2\n"


async def test_a_keeper_that_does_not_answer_is_killed(vclock):
    rig = Rig(vclock)
    await rig.link.start()
    os.kill(rig.link.pid, signal.SIGSTOP)
    waiting = asyncio.create_task(rig.link.ask(Command(("echo",)), Nft("list ruleset")))
    await vclock.advance(COMMAND_LIMIT_S + NFT_LIMIT_S + child.EXIT_S + 1)
    with pytest.raises(InterceptError) as gone:
        await waiting
    assert gone.value.reason == "keeper_gone"
    wait_for_end(rig.link.pid)
    await vclock.advance(1)
    assert rig.ends == [(rig.link.pid, -signal.SIGKILL)]


async def test_a_keeper_that_would_not_end_is_killed(vclock):
    rig = Rig(vclock)
    await rig.link.start()
    os.kill(rig.link.pid, signal.SIGSTOP)
    leaving = asyncio.create_task(rig.link.bye(linger=False))
    await vclock.advance(child.EXIT_S + 0.001)
    wait_for_end(rig.link.pid)
    await vclock.advance(1)
    await leaving
    assert not rig.ends


async def test_a_program_that_ends_before_it_is_ready_is_an_error(monkeypatch):
    monkeypatch.setattr(child, "_PROGRAM", "edgecore.no_such_program")
    rig = Rig()
    with pytest.raises(InterceptError, match="ended before it was ready") as gone:
        await rig.link.start()
    assert gone.value.reason == "keeper_gone"
    assert has_ended(rig.link.pid)
    await rig.link.bye(linger=False)
    assert not rig.ends


async def test_a_keeper_that_cannot_be_started_is_an_error(monkeypatch):
    monkeypatch.setattr("sys.executable", "/no/such/python")
    rig = Rig()
    with pytest.raises(InterceptError, match="cannot be started"):
        await rig.link.start()
    await rig.link.bye(linger=False)


def start_keeper():
    """Return a keeper, and our end of its socket."""
    ours, its = socket.socketpair()
    with its:
        return child.Child(its), ours


def test_a_keeper_whose_answers_nobody_reads_can_be_ended_and_does_the_will(tmp_path):
    keeper, ours = start_keeper()
    with ours:
        ours.sendall(frame(will_in(tmp_path)))
        for number in range(20):
            ours.sendall(frame(Ask(number, (Command(("head", "-c", "1000000", "/dev/zero")), touch(tmp_path / "x")))))
            ours.sendall(frame(Ask(number, (Command(("head", "-c", "1000000", "/dev/zero")),))))
        while not (tmp_path / "x").exists():
            pass
        os.kill(keeper.pid, signal.SIGTERM)
        os.waitpid(keeper.pid, 0)
    keeper.forget()
    assert names(tmp_path) == ["at_last", "at_once", "x"]


def test_a_keeper_that_is_told_nonsense_does_the_will_and_ends(tmp_path):
    keeper, ours = start_keeper()
    with ours:
        ours.sendall(frame(will_in(tmp_path)) + b"\xff" * 100)
        assert os.waitpid(keeper.pid, 0)[1] == 0
    keeper.forget()
    assert names(tmp_path) == ["at_last", "at_once"]
