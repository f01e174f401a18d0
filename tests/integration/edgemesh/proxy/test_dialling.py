"""How long a client waits for backends that do not accept, how many are tried for it, and what is said of them."""

import socket
from contextlib import ExitStack

import pytest

from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.policy import Policy

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture
def black_holes():
    """Make addresses where nothing is ever accepted, and nothing refused."""
    with ExitStack() as open_sockets:

        def make(number: int) -> list[Endpoint]:
            endpoints = []
            for last in range(2, 2 + number):
                full = open_sockets.enter_context(socket.socket())
                full.bind((f"127.0.0.{last}", 0))
                full.listen(0)
                endpoints.append(Endpoint(*full.getsockname()))
                open_sockets.enter_context(socket.create_connection(full.getsockname()))
            return endpoints

        yield make


def said_of(rig, listener) -> list[dict[str, int]]:
    hosts = list(rig.upstream(listener).hosts.values())
    assert not any(host.active or host.users or host.connections for host in hosts)
    assert all(host.requests == sum(host.errors.values()) for host in hosts)
    return [host.errors for host in hosts if host.requests]


@pytest.mark.parametrize(
    ("policy", "moves_at"),
    [
        (Policy(), [0.9, 1.8]),
        (Policy(retries=0), []),
        (Policy(retries=1, connect_timeout_s=1.0), [0.5]),
        (Policy(retries=2, connect_timeout_s=0.3), [0.1, 0.2]),
    ],
)
@pytest.mark.parametrize("handling", ["http", "bytes"])
async def test_thirty_black_holes_take_no_more_than_the_connect_timeout_and_the_retries(
    make_rig, vclock, nginx, black_holes, handling, policy: Policy, moves_at
) -> None:
    rig = await make_rig(vclock, policy)
    rig.directory.handling = handling
    rig.directory.services[nginx] = black_holes(30)
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.send(REQUEST)
    hosts = rig.upstream(listener).hosts.values()
    await rig.until(lambda: any(host.active for host in hosts))
    for moves, at in enumerate(moves_at, 1):
        await vclock.advance(at - 0.001 - vclock.monotonic())
        assert sum(host.requests for host in hosts) == moves
        await vclock.advance(0.002)
        assert sum(host.requests for host in hosts) == moves + 1
    await vclock.advance(policy.connect_timeout_s - 0.001 - vclock.monotonic())
    assert not rig.served
    await vclock.advance(0.002)
    if handling == "http":
        status, headers, _ = await client.answer()
        assert (status, headers[b"X-Edgecore-Reason"]) == (504, b"connect_timeout")
    else:
        with pytest.raises(ConnectionResetError):
            await client.rest()
    assert said_of(rig, listener) == [{"connect_slow": 1}] * len(moves_at) + [{"connect_timeout": 1}]
    (line,) = rig.served
    assert (line.reason, line.retries) == ("connect_timeout", len(moves_at))
    assert rig.upstream(listener).retries == 0  # nothing was sent again: the budget is for others


@pytest.mark.parametrize("handling", ["http", "bytes"])
async def test_the_only_backend_has_the_whole_connect_timeout(make_rig, vclock, nginx, black_holes, handling) -> None:
    rig = await make_rig(vclock)
    rig.directory.handling = handling
    rig.directory.services[nginx] = black_holes(1)
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.send(REQUEST)
    (host,) = rig.upstream(listener).hosts.values()
    await rig.until(lambda: host.active)
    await vclock.advance(4.9)
    assert (host.active, host.errors) == (1, {})
    await vclock.advance(0.2)
    assert said_of(rig, listener) == [{"connect_timeout": 1}]


@pytest.mark.parametrize("handling", ["http", "bytes"])
async def test_time_spent_on_one_backend_is_not_given_to_the_next(
    make_rig, vclock, nginx, black_holes, handling
) -> None:
    rig = await make_rig(vclock)
    rig.directory.handling = handling
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        refusing = Endpoint(*unused.getsockname())
    first, last = black_holes(2)
    rig.directory.services[nginx] = [first, refusing, last]
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.send(REQUEST)
    hosts = rig.upstream(listener).hosts
    await rig.until(lambda: hosts[first].active)
    await vclock.advance(1)
    await rig.until(lambda: hosts[last].active)
    await vclock.advance(3.9)
    assert hosts[last].active
    await vclock.advance(0.2)
    assert said_of(rig, listener) == [{"connect_slow": 1}, {"connect_failed": 1}, {"connect_timeout": 1}]
