"""Binding sockets, and saying why it cannot be done."""

import socket
from contextlib import ExitStack, suppress

import pytest

from edgecore.errors import ListenError
from edgecore.modules.edgemesh.dns.listener import bind_all, bind_udp, bind_udp_auto


def test_port_0_is_one_that_the_system_chooses():
    with bind_udp("127.0.0.1", 0) as sock:
        assert sock.getsockname()[0] == "127.0.0.1"
        assert sock.getsockname()[1] > 0


def test_taken_port_is_refused_as_in_use():
    with (
        bind_udp("127.0.0.1", 0) as sock,
        pytest.raises(ListenError, match=r"cannot listen on 127\.0\.0\.1:\d+: ") as e,
    ):
        bind_udp(*sock.getsockname())
    assert e.value.reason == "in_use"


@pytest.mark.parametrize(
    ("host", "port", "reason"),
    [("192.0.2.1", 0, "no_such_address"), ("localhost", 0, "no_such_address"), ("127.0.0.1", 65536, "failed")],
)
def test_impossible_address_is_refused_with_its_reason(host, port, reason):
    with pytest.raises(ListenError) as e:
        bind_udp(host, port)
    assert e.value.reason == reason


@pytest.mark.usefixtures("unprivileged")
def test_privileged_port_is_refused_for_lack_of_permission():
    with pytest.raises(ListenError) as e:
        bind_udp("127.0.0.1", 1)
    assert e.value.reason == "no_permission"


def test_failure_of_one_address_leaves_no_socket_open():
    with bind_udp("127.0.0.1", 0) as free:
        address = free.getsockname()
    with pytest.raises(ListenError):
        bind_all([address, ("192.0.2.1", 0)])
    bind_udp(*address).close()


def test_two_nodes_get_two_ports_without_being_told():
    with bind_udp_auto(10053) as first, bind_udp_auto(10053) as second:
        ports = [first.getsockname()[1], second.getsockname()[1]]
    assert 10053 <= ports[0] < ports[1] < 10153


def test_no_free_port_is_an_error_that_names_the_range():
    with ExitStack() as stack:
        with suppress(ListenError):  # somebody else has it: as good
            stack.enter_context(bind_udp("127.0.0.1", 65535))
        with pytest.raises(ListenError, match=r"127\.0\.0\.1:65535-65535: all these ports are in use"):
            bind_udp_auto(65535)


@pytest.mark.skipif(not socket.has_ipv6, reason="Python without IPv6")
def test_wildcard_of_ipv6_leaves_the_ipv4_port_free():
    try:
        six = bind_udp("::", 0)
    except ListenError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with six:
        bind_udp("127.0.0.1", six.getsockname()[1]).close()
