"""Which idle connections are kept, and which is used next; connections are plain strings here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.proxy.http.pool import IdlePool

A, B = Endpoint("127.0.0.2", 80), Endpoint("127.0.0.3", 80)


@pytest.fixture
def pool() -> IdlePool[str]:
    return IdlePool(max_per_endpoint=2, max_total=3, idle_timeout_s=10)


def test_connection_used_last_goes_first(pool: IdlePool[str]) -> None:
    pool.put(A, "one", 0)
    pool.put(A, "two", 1)
    assert (pool.take(A), pool.take(A), pool.take(A)) == ("two", "one", None)


def test_endpoints_do_not_share(pool: IdlePool[str]) -> None:
    pool.put(A, "one", 0)
    assert pool.take(B) is None
    assert pool.take(A) == "one"


def test_more_than_enough_for_one_endpoint_is_not_kept(pool: IdlePool[str]) -> None:
    assert [pool.put(A, name, 0) for name in ("one", "two", "three")] == [True, True, False]


def test_more_than_enough_in_all_is_not_kept(pool: IdlePool[str]) -> None:
    assert [pool.put(endpoint, "c", 0) for endpoint in (A, A, B, B)] == [True, True, True, False]
    assert len(pool) == 3


def test_connections_grow_too_old(pool: IdlePool[str]) -> None:
    pool.put(A, "one", 0)
    pool.put(A, "two", 5)
    pool.put(B, "three", 8)
    assert pool.next_expiry() == 10
    assert pool.expire(9.9) == []
    assert pool.expire(15) == ["one", "two"]
    assert pool.next_expiry() == 18
    assert len(pool) == 1


def test_empty_pool_has_no_expiry(pool: IdlePool[str]) -> None:
    assert pool.next_expiry() is None
    pool.put(A, "one", 0)
    pool.take(A)
    assert pool.next_expiry() is None


def test_connection_that_is_lost_is_forgotten(pool: IdlePool[str]) -> None:
    pool.put(A, "one", 0)
    pool.put(A, "two", 0)
    pool.remove(A, "one")
    pool.remove(A, "one")
    pool.remove(B, "two")
    assert pool.clear() == ["two"]
    assert len(pool) == 0


@given(st.lists(st.tuples(st.sampled_from(["put", "take", "remove", "expire"]), st.sampled_from([A, B]))))
def test_no_connection_is_in_two_hands(steps: list[tuple[str, Endpoint]]) -> None:
    pool = IdlePool[object](max_per_endpoint=2, max_total=3, idle_timeout_s=5)
    kept: dict[Endpoint, list[object]] = {A: [], B: []}
    for now, (step, endpoint) in enumerate(steps):
        mine = kept[endpoint]
        if step == "put":
            connection = object()
            if pool.put(endpoint, connection, now):
                mine.append(connection)
        elif step == "take":
            assert pool.take(endpoint) is (mine.pop() if mine else None)
        elif step == "remove" and mine:
            pool.remove(endpoint, mine.pop(0))
        elif step == "expire":
            for connection in pool.expire(now):
                next(owned for owned in kept.values() if connection in owned).remove(connection)
        assert len(pool) == len(kept[A]) + len(kept[B]) <= 3
