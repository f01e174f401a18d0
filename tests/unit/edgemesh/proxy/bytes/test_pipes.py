"""Pipes: a few for many, and none where the system gives none."""

import os
import sys

import pytest

from edgecore.modules.edgemesh.proxy.bytes.pipes import Pipes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="splice is Linux's")


@pytest.fixture
def pipes():
    made = Pipes(limit=2)
    yield made
    made.close()


def test_pipe_that_is_given_back_is_used_again(pipes) -> None:
    pipe = pipes.take()
    pipes.give_back(pipe)
    assert pipes.take() == pipe
    pipes.give_back(pipe)
    assert pipes.open == 1


def test_there_are_no_more_than_the_limit_until_one_is_back(pipes) -> None:
    one, two = pipes.take(), pipes.take()
    assert pipes.take() is None
    pipes.throw_away(one)
    three = pipes.take()
    assert three is not None
    for pipe in (two, three):
        pipes.give_back(pipe)


def test_pipe_that_is_thrown_away_is_closed(pipes) -> None:
    pipe = pipes.take()
    os.write(pipe.entry, b"left")
    pipes.throw_away(pipe)
    assert pipes.open == 0
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(pipe.exit)


def test_there_is_none_where_the_system_gives_none(pipes, monkeypatch) -> None:
    def refuse(flags: int) -> tuple[int, int]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pipe2", refuse)
    assert pipes.take() is None
    assert pipes.open == 0


def test_pipe_that_may_not_grow_is_used_as_it_is(pipes, monkeypatch) -> None:
    def refuse(fd: int, command: int, value: int) -> int:
        raise PermissionError

    monkeypatch.setattr("fcntl.fcntl", refuse)
    pipe = pipes.take()
    assert pipe is not None
    pipes.give_back(pipe)
