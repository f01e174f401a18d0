import pytest

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.upstream.balancing import stickiness
from edgecore.modules.edgemesh.upstream.balancing.keys import key_of
from edgecore.modules.edgemesh.upstream.balancing.room import Room
from edgecore.modules.edgemesh.upstream.balancing.stickiness import Stickiness
from edgecore.modules.edgemesh.upstream.host import Host
from tests.support.upstreams import FixedAsking, asking, host

HOSTS = tuple(host(f"10.0.0.{number}", 80) for number in range(1, 7))
CLIENTS = [asking(f"10.1.{number // 250}.{number % 250}") for number in range(600)]


def sticky(
    clock: VirtualClock, hosts: tuple[Host, ...] = HOSTS[:3], header: str = "", room: Room | None = None
) -> Stickiness:
    made = Stickiness(key_of("header" if header else "source", header), 60.0, clock.monotonic, room or Room())
    made.replace(hosts)
    return made


def chosen_by(balancer: Stickiness, client: FixedAsking, tried: tuple[Host, ...] = ()) -> Host:
    found = balancer.choose(client, tried)
    assert found is not None
    return found


def test_without_hosts_nothing_is_chosen_and_nobody_remembered(vclock: VirtualClock) -> None:
    balancer = sticky(vclock, ())
    assert balancer.choose(CLIENTS[0]) is None
    assert len(balancer) == 0


def test_clients_are_spread_over_the_hosts(vclock: VirtualClock) -> None:
    balancer = sticky(vclock)
    found = [chosen_by(balancer, client) for client in CLIENTS]

    assert all(140 < found.count(each) < 260 for each in HOSTS[:3])


def test_processes_agree_on_new_clients_without_talking(vclock: VirtualClock) -> None:
    one, other = sticky(vclock), sticky(vclock, HOSTS[:3][::-1])

    assert all(chosen_by(one, client) is chosen_by(other, client) for client in CLIENTS)


async def test_a_client_stays_when_hosts_come_as_long_as_it_does(vclock: VirtualClock) -> None:
    balancer = sticky(vclock)
    before = [chosen_by(balancer, client) for client in CLIENTS]
    balancer.replace(HOSTS)
    for _ in range(5):
        await vclock.advance(59)
        assert [chosen_by(balancer, client) for client in CLIENTS] == before


async def test_a_client_that_was_away_too_long_is_a_new_one(vclock: VirtualClock) -> None:
    balancer, fresh = sticky(vclock), sticky(vclock, HOSTS)
    before = [chosen_by(balancer, client) for client in CLIENTS]
    balancer.replace(HOSTS)
    await vclock.advance(60.5)
    after = [chosen_by(balancer, client) for client in CLIENTS]

    assert after == [chosen_by(fresh, client) for client in CLIENTS]
    assert after != before


def test_a_client_whose_host_goes_moves_and_stays_where_it_is_then(vclock: VirtualClock) -> None:
    balancer = sticky(vclock)
    before = {client.ip: chosen_by(balancer, client) for client in CLIENTS}
    balancer.replace(HOSTS[1:3])
    between = {client.ip: chosen_by(balancer, client) for client in CLIENTS}
    balancer.replace(HOSTS[:3])
    after = {client.ip: chosen_by(balancer, client) for client in CLIENTS}

    assert after == between
    assert all(between[ip] is was for ip, was in before.items() if was is not HOSTS[0])


def test_a_client_that_did_not_ask_meanwhile_goes_back_to_a_host_that_is_there_again(vclock: VirtualClock) -> None:
    balancer = sticky(vclock)
    before = [chosen_by(balancer, client) for client in CLIENTS]
    balancer.replace(())
    returned = tuple(host(each.endpoint.host, 80) for each in HOSTS)
    balancer.replace(returned)

    after = [chosen_by(balancer, client) for client in CLIENTS]
    assert [each.endpoint for each in after] == [each.endpoint for each in before]
    assert set(after) <= set(returned)


def test_a_client_whose_host_failed_stays_with_the_one_that_it_was_sent_to_instead(vclock: VirtualClock) -> None:
    balancer = sticky(vclock)
    first = chosen_by(balancer, CLIENTS[0])
    second = chosen_by(balancer, CLIENTS[0], (first,))

    assert second is not first
    assert chosen_by(balancer, CLIENTS[0]) is second
    assert chosen_by(balancer, CLIENTS[0], HOSTS[:3]) in HOSTS[:3]


def test_clients_with_the_same_header_stay_together_wherever_they_are(vclock: VirtualClock) -> None:
    balancer = sticky(vclock, header="x-user")
    long_name = b"n" * 10_000
    found = {chosen_by(balancer, asking(ip, {b"x-user": long_name})) for ip in ("10.1.1.1", "10.1.1.2", "10.1.1.3")}

    assert len(found) == 1
    assert [len(key) for key in balancer._clients] == [8]


def test_the_client_that_was_away_longest_makes_room(vclock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stickiness, "MAX_CLIENTS", 100)
    balancer = sticky(vclock)
    for client in CLIENTS:
        chosen_by(balancer, CLIENTS[0])
        chosen_by(balancer, client)

    assert len(balancer) == 100
    assert CLIENTS[0].ip.encode() in balancer._clients
    assert CLIENTS[-1].ip.encode() in balancer._clients
    assert CLIENTS[1].ip.encode() not in balancer._clients


async def test_clients_that_do_not_come_back_are_forgotten_as_others_come(vclock: VirtualClock) -> None:
    balancer = sticky(vclock)
    for client in CLIENTS[:300]:
        chosen_by(balancer, client)
    await vclock.advance(61)
    for client in CLIENTS[300:]:
        chosen_by(balancer, client)

    assert len(balancer) == 300


def test_all_ports_together_remember_no_more_than_there_is_room_for(vclock: VirtualClock) -> None:
    room = Room(400)
    small, large, one = (sticky(vclock, room=room) for _ in range(3))
    for client in CLIENTS[:20]:
        chosen_by(small, client)
    for client in CLIENTS:
        chosen_by(large, client)
        assert len(small) + len(large) <= 400
    chosen_by(one, CLIENTS[0])

    assert (len(small), len(one)) == (20, 1)
    assert CLIENTS[-1].ip.encode() in large._clients
    assert CLIENTS[0].ip.encode() not in large._clients


def test_what_a_port_remembered_that_is_no_more_takes_no_room(vclock: VirtualClock) -> None:
    room = Room(400)
    for _ in range(5):
        balancer = sticky(vclock, room=room)
        for client in CLIENTS[:300]:
            chosen_by(balancer, client)

        assert len(balancer) == 300
