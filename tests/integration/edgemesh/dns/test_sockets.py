"""Binding sockets, and saying why it cannot be done."""

import socket
from contextlib import ExitStack, closing, suppress

import pytest

from edgecore.errors import ListenError
from edgecore.modules.edgemesh.dns.listening.sockets import Pair, bind_pair, bind_pair_auto, bind_udp
from edgecore.modules.edgemesh.workers.sharing import Sharing


@pytest.fixture
def six() -> Pair:
    """Sockets at all IPv6 addresses."""
    try:
        pair = bind_pair("::", 0)
    except ListenError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with closing(pair):
        yield pair


def test_port_0_is_one_that_the_system_chooses_for_both():
    with closing(bind_pair("127.0.0.1", 0)) as pair:
        assert pair.address == pair.udp.getsockname() == pair.tcp.getsockname()
        assert pair.address[0] == "127.0.0.1"
        assert pair.address[1] > 0


def test_taken_port_is_refused_as_in_use():
    with (
        bind_udp("127.0.0.1", 0) as sock,
        pytest.raises(ListenError, match=r"cannot listen on 127\.0\.0\.1:\d+: ") as e,
    ):
        bind_pair(*sock.getsockname())
    assert e.value.reason == "in_use"


def test_port_that_is_taken_for_tcp_only_is_refused_and_left_free_for_udp():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(ListenError) as e:
            bind_pair(*taken.getsockname())
        bind_udp(*taken.getsockname()).close()
    assert e.value.reason == "in_use"


@pytest.mark.parametrize(
    ("host", "port", "reason"),
    [("192.0.2.1", 0, "no_such_address"), ("localhost", 0, "no_such_address"), ("127.0.0.1", 65536, "failed")],
)
def test_impossible_address_is_refused_with_its_reason(host, port, reason):
    with pytest.raises(ListenError) as e:
        bind_pair(host, port)
    assert e.value.reason == reason


@pytest.mark.usefixtures("unprivileged")
def test_privileged_port_is_refused_for_lack_of_permission():
    with pytest.raises(ListenError) as e:
        bind_pair("127.0.0.1", 1)
    assert e.value.reason == "no_permission"


def test_two_nodes_get_two_ports_without_being_told():
    with closing(bind_pair_auto("127.0.0.1", 10053)) as first, closing(bind_pair_auto("127.0.0.1", 10053)) as second:
        ports = [first.address[1], second.address[1]]
    assert 10053 <= ports[0] < ports[1] < 10153


def test_the_port_that_is_rather_wanted_goes_before_the_others():
    with closing(bind_pair("127.0.0.1", 0)) as pair:
        port = pair.address[1]
    with closing(bind_pair_auto("127.0.0.1", 10053, rather=port)) as first:
        assert first.address == ("127.0.0.1", port)
        with closing(bind_pair_auto("127.0.0.1", 10053, rather=port)) as second:
            assert 10053 <= second.address[1] < 10153


@pytest.mark.usefixtures("unprivileged")
def test_a_port_that_is_rather_wanted_and_not_permitted_is_left_for_others():
    with closing(bind_pair_auto("127.0.0.1", 10053, rather=1)) as pair:
        assert 10053 <= pair.address[1] < 10153


def test_no_free_port_is_an_error_that_names_the_range():
    with ExitStack() as stack:
        with suppress(ListenError):  # somebody else has it: as good
            stack.enter_context(bind_udp("127.0.0.1", 65535))
        with pytest.raises(ListenError, match=r"127\.0\.0\.1:65535-65535: all these ports are in use"):
            bind_pair_auto("127.0.0.1", 65535)


def test_wildcard_of_ipv6_leaves_the_ipv4_port_free(six):
    with ExitStack() as stack:
        pair = six
        for _ in range(5):
            with suppress(ListenError):  # a connection of another process may go out from this port just now
                bind_pair("127.0.0.1", pair.address[1]).close()
                return
            pair = stack.enter_context(closing(bind_pair("::", 0)))
        pytest.fail("none of five ports was free")


def test_processes_of_one_node_share_a_port():
    with closing(bind_pair("127.0.0.1", 0, Sharing.FIRST)) as first:
        second, third = (bind_pair(*first.address, Sharing.MORE) for _ in range(2))
        with closing(second), closing(third):
            assert first.address == second.address == third.address


@pytest.mark.parametrize("sharing", [Sharing.ALONE, Sharing.FIRST])
def test_two_nodes_of_one_user_never_share_a_port_without_knowing(sharing):
    with closing(bind_pair("127.0.0.1", 0, Sharing.FIRST)) as first, pytest.raises(ListenError) as e:
        bind_pair(*first.address, sharing)
    assert e.value.reason == "in_use"


def test_port_of_a_node_without_workers_is_not_shared_with_anybody():
    with closing(bind_pair("127.0.0.1", 0)) as alone, pytest.raises(ListenError) as e:
        bind_pair(*alone.address, Sharing.MORE)
    assert e.value.reason == "in_use"
