from collections import Counter

import pytest

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.upstream.balancing.cookies import CookieStickiness, cookie_value
from edgecore.modules.edgemesh.upstream.balancing.keys import key_of
from edgecore.modules.edgemesh.upstream.balancing.room import Room
from edgecore.modules.edgemesh.upstream.balancing.stickiness import Stickiness
from edgecore.modules.edgemesh.upstream.host import Host
from tests.support.upstreams import FixedAsking, asking, host

HOSTS = tuple(host(f"10.0.0.{number}", 80) for number in range(1, 5))
STRANGER = asking(headers={b"host": b"web.default"})


def sticky(hosts: tuple[Host, ...] = HOSTS[:3], name: str = "") -> CookieStickiness:
    made = CookieStickiness(name, Stickiness(key_of("source", ""), 60.0, VirtualClock().monotonic, Room()))
    made.replace(hosts)
    return made


def client_of(value: bytes, name: bytes = b"edgemesh-affinity") -> FixedAsking:
    return asking(headers={b"host": b"web.default"}, cookies={name: value})


def client_with(balancer: CookieStickiness, chosen: Host) -> FixedAsking:
    """Return a client that has kept the cookie it was given."""
    line = balancer.set_cookie(STRANGER, chosen)
    name, _, value = line.removeprefix(b"Set-Cookie: ").partition(b";")[0].partition(b"=")
    return client_of(value, name)


def test_without_hosts_nothing_is_chosen() -> None:
    assert sticky(()).choose(STRANGER) is None
    assert sticky(()).choose(client_of(cookie_value(HOSTS[0]))) is None


def test_new_sessions_take_turns() -> None:
    balancer = sticky()
    assert [balancer.choose(STRANGER) for _ in range(6)] == [*HOSTS[:3], *HOSTS[:3]]


def test_a_client_is_given_a_cookie_and_stays_with_its_host() -> None:
    balancer = sticky()
    for chosen in HOSTS[:3]:
        client = client_with(balancer, chosen)
        assert [balancer.choose(client) for _ in range(5)] == [chosen] * 5
        assert balancer.set_cookie(client, chosen) == b""


def test_the_cookie_is_one_line_that_says_nothing_of_the_address() -> None:
    line = sticky().set_cookie(STRANGER, HOSTS[0])
    assert line == b"Set-Cookie: edgemesh-affinity=%b; Path=/; HttpOnly" % cookie_value(HOSTS[0])
    assert len(cookie_value(HOSTS[0])) == 16
    assert cookie_value(HOSTS[0]).isalnum()


def test_the_cookie_can_have_another_name() -> None:
    balancer = sticky(name="route")
    client = client_with(balancer, HOSTS[2])

    assert client.cookie(b"route")
    assert balancer.choose(client) is HOSTS[2]


def test_the_value_is_the_same_in_every_process_and_after_every_start() -> None:
    assert cookie_value(HOSTS[0]) == b"10baba142dbc806b"


def test_a_session_holds_after_a_restart() -> None:
    client = client_with(sticky(), HOSTS[1])
    same = tuple(host(each.endpoint.host, 80) for each in HOSTS[::-1])
    restarted = sticky(same)

    chosen = restarted.choose(client)
    assert chosen is not None
    assert chosen.endpoint == HOSTS[1].endpoint
    assert restarted.set_cookie(client, chosen) == b""


def test_a_session_holds_when_hosts_come_and_others_go() -> None:
    balancer = sticky()
    client = client_with(balancer, HOSTS[1])
    for hosts in (HOSTS, HOSTS[1:], HOSTS[1:2], HOSTS[::-1]):
        balancer.replace(hosts)
        assert balancer.choose(client) is HOSTS[1]


def test_a_client_whose_host_is_gone_gets_another_and_a_cookie_for_it() -> None:
    balancer = sticky()
    client = client_with(balancer, HOSTS[0])
    balancer.replace(HOSTS[1:])

    chosen = balancer.choose(client)
    assert chosen in HOSTS[1:]
    assert chosen is not None
    assert cookie_value(chosen) in balancer.set_cookie(client, chosen)


def test_a_client_whose_host_was_tried_gets_another_and_a_cookie_for_it() -> None:
    balancer = sticky()
    client = client_with(balancer, HOSTS[0])

    chosen = balancer.choose(client, HOSTS[:2])
    assert chosen is HOSTS[2]
    assert cookie_value(HOSTS[2]) in balancer.set_cookie(client, HOSTS[2])


@pytest.mark.parametrize("value", [b"0123456789abcdef", b"\xff\x00", b"x" * 10_000])
def test_a_cookie_that_names_no_host_is_as_good_as_none(value: bytes) -> None:
    balancer = sticky()
    found = Counter(balancer.choose(client_of(value)) for _ in range(9))

    assert found == dict.fromkeys(HOSTS[:3], 3)
    assert balancer.set_cookie(client_of(value), HOSTS[0])


def test_for_a_host_that_is_not_here_any_more_there_is_no_cookie() -> None:
    assert sticky().set_cookie(STRANGER, HOSTS[3]) == b""


def test_what_is_no_http_goes_by_the_address_of_the_client() -> None:
    balancer = sticky()
    found = [{balancer.choose(asking(f"10.1.1.{number}")) for _ in range(4)} for number in range(50)]

    assert all(len(each) == 1 for each in found)
    assert set.union(*found) == set(HOSTS[:3])
