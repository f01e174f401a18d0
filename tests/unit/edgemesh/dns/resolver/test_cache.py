"""What is kept, for how long, and what makes room."""

from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.dns.resolver.cache import ENTRY_BYTES, Cache, Source
from edgecore.modules.edgemesh.dns.resolver.findings import NOTHING_FOUND, Finding

NOWHERE = Source()
FLAGS = b"\4"


def key(n: int) -> bytes:
    return b"\4" + str(n).zfill(4).encode() + b"\0\0\1\0\1" + FLAGS


def finding(keep_s: int = 300, size: int = 16) -> Finding:
    return Finding(
        0, b"\0\1\0\0", b"\xc0\x0c\0\1\0\1" + keep_s.to_bytes(4, "big") + bytes(size - 10), ((6, keep_s),), keep_s
    )


def cache(limit: int = 3, stale_s: float = 1000, **settings) -> Cache:
    return Cache(limit, stale_s=stale_s, **settings)


def test_answer_is_kept_until_its_end():
    kept = cache()
    entry = kept.put(key(1), finding(300), NOWHERE, 100.0)
    assert kept.fresh(key(1), 399.9) is entry
    assert kept.fresh(key(1), 400.0) is None
    assert kept.fresh(key(2), 100.0) is None


def test_old_answer_stays_for_as_long_as_is_set():
    kept = cache(stale_s=1000)
    entry = kept.put(key(1), finding(300), NOWHERE, 100.0)
    assert kept.stale(key(1), 1399.9) is entry
    assert kept.stale(key(1), 1400.0) is None
    assert (len(kept), kept.bytes) == (0, 0)


def test_without_staleness_the_end_is_the_end():
    kept = cache(stale_s=0)
    kept.put(key(1), finding(300), NOWHERE, 100.0)
    assert kept.stale(key(1), 400.0) is None


def test_what_holds_for_no_time_or_is_a_failure_is_not_kept():
    kept = cache()
    for one in (finding(0), Finding(2, keep_s=10), Finding(0, keep_s=10, is_truncated=True)):
        assert kept.put(key(1), one, NOWHERE, 0.0) is None
    assert len(kept) == 0


def test_old_answer_goes_once_it_is_said_that_there_is_nothing_though_that_is_not_kept():
    kept = cache()
    kept.put(key(1), finding(300), NOWHERE, 0.0)
    kept.put(key(1), Finding(3), NOWHERE, 299.0)
    assert kept.fresh(key(1), 299.0) is not None
    kept.put(key(1), finding(0), NOWHERE, 300.0)
    assert kept.stale(key(1), 300.0) is not None
    kept.put(key(1), Finding(3), NOWHERE, 300.0)
    assert kept.stale(key(1), 300.0) is None
    assert kept.bytes == 0


def test_cache_of_no_entries_keeps_nothing():
    assert cache(0).put(key(1), finding(), NOWHERE, 0.0) is None


def test_what_was_asked_for_longest_ago_makes_room():
    kept = cache(3)
    for n in range(3):
        kept.put(key(n), finding(), NOWHERE, 0.0)
    kept.fresh(key(0), 1.0)
    kept.put(key(3), finding(), NOWHERE, 2.0)
    assert list(kept.entries) == [key(2), key(0), key(3)]
    assert kept.evicted == 1


def test_bytes_are_bounded_too():
    one = len(key(0)) + 2 * 100 + ENTRY_BYTES
    kept = cache(1000, limit_bytes=10 * one)
    for n in range(50):
        kept.put(key(n), finding(size=100), NOWHERE, 0.0)
    assert (len(kept), kept.bytes) == (10, 10 * one)


def test_answer_that_would_take_much_of_all_room_is_not_kept():
    kept = cache(1000, limit_bytes=80_000)
    assert kept.put(key(1), finding(size=60_000), NOWHERE, 0.0) is None
    assert kept.bytes == 0


def test_newer_answer_takes_the_place_of_the_older():
    kept = cache()
    kept.put(key(1), finding(300), NOWHERE, 0.0)
    size = kept.bytes
    newer = kept.put(key(1), finding(100), NOWHERE, 50.0)
    assert (len(kept), kept.bytes, kept.fresh(key(1), 149.0)) == (1, size, newer)
    assert kept.fresh(key(1), 150.0) is None


def test_ttls_are_counted_down_second_by_second():
    kept = cache()
    entry = kept.put(key(1), finding(300), NOWHERE, 100.0)
    seen = []
    for now in (100.0, 100.9, 101.0, 250.5):
        if now >= entry.ready_until:
            kept.make_ready(entry, now)
        seen.append(int.from_bytes(entry.body[6:10], "big"))
    assert seen == [300, 300, 299, 150]


def test_popular_answer_is_due_once_in_the_last_tenth_of_its_life():
    kept = cache()
    entry = kept.put(key(1), finding(100), NOWHERE, 0.0)
    for _ in range(3):
        kept.fresh(key(1), 1.0)
    assert [kept.make_ready(entry, now) for now in (1.0, 89.9, 90.0, 91.0)] == [False, False, True, False]


def test_answer_that_few_ask_for_is_not_due():
    kept = cache()
    entry = kept.put(key(1), finding(100), NOWHERE, 0.0)
    kept.fresh(key(1), 1.0)
    assert not kept.make_ready(entry, 95.0)


def test_answer_of_a_short_life_is_not_due():
    kept = cache()
    entry = kept.put(key(1), finding(4), NOWHERE, 0.0)
    entry.hits = 100
    assert not kept.make_ready(entry, 3.9)


def test_last_tenth_of_a_life_of_seconds_is_not_missed():
    kept = cache()
    entry = kept.put(key(1), finding(5), NOWHERE, 0.0)
    entry.hits = 10
    kept.make_ready(entry, 4.0)
    assert entry.ready_until == 4.5


def test_fame_of_an_answer_goes_on_by_half():
    kept = cache()
    entry = kept.put(key(1), finding(), NOWHERE, 0.0)
    entry.hits = 9
    assert kept.put(key(1), finding(), NOWHERE, 1.0).hits == 4


def test_heads_have_the_flags_of_the_key():
    kept = cache()
    authentic = Finding(3, b"\0\0\0\1", b"x", (), 10, is_authentic=True)
    entry = kept.put(key(1)[:-1] + b"\6", authentic, NOWHERE, 0.0)
    assert entry.heads == (
        b"\x81\x93\0\1\0\0\0\1\0\0",
        b"\x81\x93\0\1\0\0\0\1\0\1",
        b"\x81\xb3\0\1\0\0\0\1\0\0",
        b"\x81\xb3\0\1\0\0\0\1\0\1",
    )


def test_failure_is_remembered_twice_as_long_each_time_up_to_half_a_minute():
    kept, now, lasted = cache(), 0.0, []
    for _ in range(7):
        kept.fail(key(1), NOTHING_FOUND, "no_reply", now)
        start = now
        while kept.failed(key(1), now) is not None:
            now += 0.5
        lasted.append(now - start)
    assert lasted == [1, 2, 4, 8, 16, 30, 30]


def test_failure_of_long_ago_counts_no_more():
    kept = cache()
    for now in (0.0, 1.0, 3.0):
        kept.fail(key(1), NOTHING_FOUND, "no_reply", now)
    kept.fail(key(1), NOTHING_FOUND, "no_reply", 100.0)
    assert kept.failed(key(1), 101.0) is None


def test_failure_is_forgotten_with_an_answer_and_when_a_server_is_back():
    kept = cache()
    kept.fail(key(1), NOTHING_FOUND, "no_reply", 0.0)
    kept.fail(key(2), NOTHING_FOUND, "no_reply", 0.0)
    kept.put(key(1), finding(), NOWHERE, 0.1)
    assert kept.failed(key(1), 0.1) is None
    assert kept.failed(key(2), 0.1) is not None
    kept.forgive()
    assert kept.failed(key(2), 0.1) is None


def test_failure_takes_no_room_from_answers_and_failures_are_bounded():
    kept = cache(3)
    kept.put(key(0), finding(), NOWHERE, 0.0)
    for n in range(2000):
        kept.fail(key(n), NOTHING_FOUND, "no_reply", 0.0)
    assert kept.fresh(key(0), 0.0) is not None
    assert kept.failed(key(0), 0.0) is None  # the oldest of too many
    assert kept.failed(key(1999), 0.0) is not None


@given(
    st.integers(0, 5),
    st.lists(st.tuples(st.sampled_from("pfs"), st.integers(0, 8), st.integers(0, 50), st.floats(0, 20)), max_size=60),
)
def test_bounds_hold_and_no_ttl_grows_whatever_happens(limit, steps):
    kept = Cache(limit, stale_s=30, limit_bytes=6000)
    now, lowest = 0.0, {}
    for what, n, keep_s, passes_s in steps:
        now += passes_s
        if what == "p":
            if kept.put(key(n), finding(keep_s), NOWHERE, now) is not None:
                lowest[n] = keep_s
        elif (entry := (kept.fresh if what == "f" else kept.stale)(key(n), now)) is not None:
            if what == "f":
                kept.make_ready(entry, now)
                ttl = int.from_bytes(entry.body[6:10], "big")
                assert 0 <= ttl <= lowest[n]
                assert ttl <= entry.expires_at - now + 1
                lowest[n] = ttl
            assert now < entry.expires_at + 30
        assert len(kept) <= limit
        assert kept.bytes == sum(entry.size_bytes for entry in kept.entries.values()) <= 6000
