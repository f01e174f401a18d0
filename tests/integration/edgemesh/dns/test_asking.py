"""The sockets on which upstream servers are asked, and the mark on them."""

import socket

import pytest

from edgecore.modules.edgemesh.dns.resolver.asking import asking_socket
from edgecore.modules.edgemesh.intercept.mark import MARK, why_no_mark

SERVER = ("127.0.0.1", 53)
KINDS = pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])


def mark_of(sock):
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_MARK)


@KINDS
def test_without_a_mark_none_is_set(kind):
    with asking_socket(SERVER, kind, 0) as sock:
        assert (mark_of(sock), sock.getblocking()) == (0, False)


@pytest.mark.needs_root
@KINDS
def test_a_mark_is_set_before_anything_is_sent(kind):
    assert why_no_mark() == ""
    with asking_socket(SERVER, kind, MARK) as sock:
        assert mark_of(sock) == MARK


@pytest.mark.usefixtures("unprivileged")
@KINDS
def test_a_mark_that_is_refused_sends_nothing_without_it(kind):
    assert why_no_mark() == "Operation not permitted"
    with pytest.raises(PermissionError):
        asking_socket(SERVER, kind, MARK)


def test_the_mark_has_no_bit_that_others_look_at():
    assert MARK & 0xFFFFCF00 == 0
