"""The name by which one keeper at a time keeps a subnet, against real sockets and whoever else has bound it."""

import itertools
import os
import select
import socket
import threading
from contextlib import contextmanager

import pytest

from edgecore.modules.edgemesh.intercept.keeper import succession
from edgecore.modules.edgemesh.intercept.keeper.succession import lingers_s, seat_name, take

NUMBERS = itertools.count()


@pytest.fixture
def subnet():
    """A name that nobody else has: abstract names belong to all of the machine's network namespace."""
    return f"test-{os.getpid()}-{next(NUMBERS)}"


@contextmanager
def answering(seat, leave, left_s=0.0):
    """Have ``seat`` answer the first that comes, in a thread."""

    def answer():
        select.select([seat.listener], [], [], 20)
        seat.answer(leave, left_s)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextmanager
def holder(subnet, *, listens=True):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(seat_name(subnet))
        if listens:
            made.listen(1)
        yield made


def test_a_free_name_is_held_until_it_is_let_go(subnet):
    seat, outcome = take(subnet)
    assert outcome == ("", "", "")
    seat.close()
    again, outcome = take(subnet)
    assert outcome == ("", "", "")
    again.close()


def test_a_keeper_that_lingers_lets_go_of_everything_before_the_name_changes_hands(subnet):
    old, _ = take(subnet)
    order = []
    with answering(old, lambda: order.append("old lets go")):
        new, outcome = take(subnet)
        order.append("new has it")
    assert (order, outcome.output) == (["old lets go", "new has it"], "left")
    new.close()


def test_a_keeper_that_lingers_says_for_how_long_and_stays(subnet):
    assert lingers_s(subnet) is None
    old, _ = take(subnet)
    with answering(old, lambda: pytest.fail("it leaves"), 11.2):
        assert lingers_s(subnet) == 12
    with answering(old, None):
        assert lingers_s(subnet) is None, "its node is alive"
    old.close()


def test_a_keeper_whose_node_lives_stays_and_the_new_one_is_told_whose_it_is(subnet):
    old, _ = take(subnet)
    with answering(old, None):
        new, outcome = take(subnet)
    assert new is None
    assert outcome.reason == "in_use"
    assert f"a node that runs (pid {os.getppid()})" in outcome.error
    old.close()


def test_a_process_that_holds_the_name_and_is_silent_is_waited_for_no_longer_than_allowed(subnet):
    with holder(subnet):
        seat, outcome = take(subnet, silence_s=0.05)
    assert (seat, outcome.reason) == (None, "in_use")
    assert "did not answer within 0.05 s" in outcome.error


def test_a_process_that_has_bound_the_name_and_does_not_listen_is_reported(subnet, monkeypatch):
    monkeypatch.setattr(succession, "_BETWEEN_TRIES_S", 0.001)
    with holder(subnet, listens=False):
        seat, outcome = take(subnet)
    assert (seat, outcome.reason) == (None, "in_use")
    assert "takes no connection" in outcome.error


def test_a_process_that_answers_something_else_is_reported(subnet):
    with holder(subnet) as other:

        def answer():
            peer, _ = other.accept()
            with peer:
                peer.recv(64)
                peer.sendall(b"220 mail.example.org ESMTP\n")

        thread = threading.Thread(target=answer)
        thread.start()
        seat, outcome = take(subnet)
        thread.join()
    assert (seat, outcome.reason) == (None, "in_use")
    assert "ESMTP" in outcome.error


def test_a_keeper_that_ends_while_it_is_asked_is_followed(subnet):
    old, _ = take(subnet)

    def end():
        select.select([old.listener], [], [], 20)
        peer, _ = old.listener.accept()
        peer.recv(64)
        old.close()
        peer.close()

    thread = threading.Thread(target=end)
    thread.start()
    new, outcome = take(subnet)
    thread.join()
    assert outcome == ("", "", "")
    new.close()


@pytest.mark.parametrize("said", [b"", b"leave", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 64])
def test_a_keeper_that_lingers_does_not_leave_for_anything_else_that_is_said(subnet, said):
    seat, _ = take(subnet)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(seat_name(subnet))
        peer.sendall(said)
        peer.shutdown(socket.SHUT_WR)
        assert seat.answer(lambda: pytest.fail("it leaves")) is False
    seat.close()


def test_one_that_connects_and_says_nothing_is_waited_for_no_longer_than_allowed(subnet, monkeypatch):
    monkeypatch.setattr(succession, "KNOCK_S", 0.05)
    seat, _ = take(subnet)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(seat_name(subnet))
        assert seat.answer(lambda: pytest.fail("it leaves")) is False
    assert seat.answer(lambda: pytest.fail("it leaves")) is False  # nobody is there any more
    seat.close()


def test_another_user_is_neither_obeyed_nor_asked(subnet, monkeypatch):
    seat, _ = take(subnet)
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    none, outcome = take(subnet)
    assert (none, outcome.reason) == (None, "in_use")
    assert f"process {os.getpid()} of user {uid} holds the name" in outcome.error
    assert seat.answer(lambda: pytest.fail("it leaves")) is False
    seat.close()
