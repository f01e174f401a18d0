"""Which idle connections are kept, and which is used next."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.proxy.http.pool import IdlePool
from edgecore.modules.edgemesh.upstream.host import Host
from tests.support.upstreams import host


@dataclass(eq=False)
class Connection:
    host: Host
    idle_since: float = 0.0
    closing: bool = False

    @property
    def transport(self) -> "Connection":
        return self

    def is_closing(self) -> bool:
        return self.closing


@pytest.fixture
def pool() -> IdlePool[Connection]:
    return IdlePool(max_per_host=2, max_total=3, idle_timeout_s=10)


@pytest.fixture
def a() -> Host:
    return host("127.0.0.2", 80)


@pytest.fixture
def b() -> Host:
    return host("127.0.0.3", 80)


def test_connection_used_last_goes_first(pool, a) -> None:
    one, two = Connection(a), Connection(a)
    pool.put(one, 0)
    pool.put(two, 1)
    assert [pool.take(a), pool.take(a), pool.take(a)] == [two, one, None]


def test_connection_that_is_closing_is_passed_over(pool, a) -> None:
    one, two = Connection(a), Connection(a)
    pool.put(one, 0)
    pool.put(two, 1)
    two.closing = True
    assert pool.take(a) is one
    assert (pool.take(a), pool.total) == (None, 0)


def test_hosts_do_not_share(pool, a, b) -> None:
    one = Connection(a)
    pool.put(one, 0)
    assert pool.take(b) is None
    assert pool.take(a) is one


def test_more_than_enough_for_one_host_is_not_kept(pool, a) -> None:
    assert [pool.put(Connection(a), 0) for _ in range(3)] == [True, True, False]


def test_more_than_enough_in_all_is_not_kept(pool, a, b) -> None:
    assert [pool.put(Connection(where), 0) for where in (a, a, b, b)] == [True, True, True, False]
    assert pool.total == 3


def test_connection_to_a_host_that_is_gone_is_not_kept(pool, a) -> None:
    a.gone = True
    assert not pool.put(Connection(a), 0)


def test_connections_grow_too_old(pool, a, b) -> None:
    one, two, three = Connection(a), Connection(a), Connection(b)
    pool.put(one, 0)
    pool.put(two, 5)
    pool.put(three, 8)
    assert pool.next_expiry() == 10
    assert pool.expire(9.9) == []
    assert pool.expire(15) == [one, two]
    assert pool.next_expiry() == 18
    assert pool.total == 1


def test_empty_pool_has_no_expiry(pool, a) -> None:
    assert pool.next_expiry() is None
    pool.put(Connection(a), 0)
    pool.take(a)
    assert pool.next_expiry() is None


def test_connection_that_is_lost_is_forgotten(pool, a, b) -> None:
    one, two = Connection(a), Connection(a)
    pool.put(one, 0)
    pool.put(two, 0)
    pool.remove(one)
    pool.remove(one)
    pool.remove(Connection(b))
    assert pool.clear() == [two]
    assert pool.total == 0


@given(st.lists(st.tuples(st.sampled_from(["put", "take", "remove", "expire"]), st.booleans())))
def test_no_connection_is_in_two_hands(steps: list[tuple[str, bool]]) -> None:
    hosts = [host("127.0.0.2", 80), host("127.0.0.3", 80)]
    pool = IdlePool[Connection](max_per_host=2, max_total=3, idle_timeout_s=5)
    kept: dict[Host, list[Connection]] = {where: [] for where in hosts}
    for now, (step, second) in enumerate(steps):
        where = hosts[second]
        mine = kept[where]
        if step == "put":
            connection = Connection(where)
            if pool.put(connection, now):
                mine.append(connection)
        elif step == "take":
            assert pool.take(where) is (mine.pop() if mine else None)
        elif step == "remove" and mine:
            pool.remove(mine.pop(0))
        elif step == "expire":
            for connection in pool.expire(now):
                kept[connection.host].remove(connection)
        assert pool.total == sum(map(len, kept.values())) <= 3
