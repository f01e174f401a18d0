"""Who leaves when more clients come than there is room for."""

from math import inf

import pytest

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.proxy.doors.crowd import AGAIN_S, SHARE, Crowd

MOST = 2 * SHARE


class Client:
    """Waits, or is served."""

    def __init__(self, house: "House", due: float) -> None:
        self.due, self.slot_at = due, inf
        self.is_idle = True
        self._house = house

    def expire(self) -> None:
        """Never called here."""

    def abort(self) -> None:
        self._house.told.append(self)


class House:
    """Full of clients that wait; those who are told to leave are gone when it says so."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clients = [Client(self, due=float(number)) for number in range(MOST)]
        self.told: list[Client] = []
        self.refused = 0
        self.looked = 0
        self.crowd = Crowd(MOST, clock, self.everybody, self.count)

    def everybody(self) -> list[Client]:
        self.looked += 1
        return [client for client in self.clients if client not in self.told]

    def count(self) -> None:
        self.refused += 1

    def come(self) -> bool:
        return self.crowd.admits(len(self.clients) + 1) and self.clients.append(Client(self, due=1000.0)) is None

    def settle(self) -> None:
        self.clients = self.everybody()
        for _ in self.told:
            self.crowd.one_left()
        self.told.clear()


@pytest.fixture
def house(vclock: VirtualClock) -> House:
    return House(vclock)


def test_those_that_have_waited_the_longest_leave_a_share_at_a_time(house: House) -> None:
    first, second, *_ = house.clients
    assert house.come()
    assert house.told == [first, second]
    assert house.refused == 2


def test_nobody_else_leaves_while_those_that_were_told_are_still_counted(house: House) -> None:
    assert house.come()
    assert house.come()
    assert len(house.told) == MOST // SHARE
    assert house.come()
    assert len(house.told) == 2 * (MOST // SHARE)


def test_once_they_are_gone_there_is_room_up_to_the_limit_and_no_further(house: House) -> None:
    house.come()
    house.settle()
    assert len(house.clients) == MOST - 1
    looked = house.looked
    assert house.come()
    assert house.looked == looked
    assert house.come()
    assert len(house.told) == MOST // SHARE


def test_those_who_come_before_the_others_are_gone_and_are_served_keep_all_later_ones_out(house: House) -> None:
    for _ in range(MOST):
        assert house.come()
        house.clients[-1].is_idle = False
    house.settle()
    assert len(house.clients) == MOST
    assert not any(house.come() for _ in range(MOST))


def test_where_everybody_is_served_the_newcomer_is_refused_and_not_everybody_looked_at_each_time(
    house: House, vclock: VirtualClock
) -> None:
    for client in house.clients:
        client.is_idle = False
    assert not any(house.come() for _ in range(100))
    assert (house.looked, house.told) == (1, [])


async def test_it_is_looked_again_after_a_while(house: House, vclock: VirtualClock) -> None:
    for client in house.clients:
        client.is_idle = False
    assert not house.come()
    house.clients[5].is_idle = True
    assert not house.come()
    await vclock.advance(AGAIN_S)
    assert house.come()
    assert house.told == [house.clients[5]]
