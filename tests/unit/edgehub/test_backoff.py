"""How long EdgeHub waits before it dials again."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgehub.backoff import CLOUD_KEEPALIVE_S, FIRST_S, Backoff


class NoJitter(random.Random):
    """Spreads nothing."""

    def uniform(self, a: float, b: float) -> float:
        del b
        return a


def test_pauses_after_failed_dials_double_up_to_two_heartbeats() -> None:
    backoff = Backoff(15, NoJitter())
    assert [backoff.after_failed_dial() for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize("server", ["", "nginx", "Cloudhub-Stub", "my-cloudhub-stub"])
def test_after_a_session_the_pause_is_two_heartbeats(server: str) -> None:
    """Earlier, a cloudcore up to 1.3.1 mixes up the two sessions (bugs H2, H3)."""
    assert Backoff(15, NoJitter()).after_lost_session(server, came_to_something=True) == 30


@pytest.mark.parametrize("server", ["cloudhub-stub", "cloudhub-stub/1.0"])
def test_after_a_session_with_the_stub_the_pause_is_short(server: str) -> None:
    assert Backoff(15, NoJitter()).after_lost_session(server, came_to_something=True) == FIRST_S


def test_a_session_makes_the_next_failed_dial_a_first_one() -> None:
    backoff = Backoff(15, NoJitter())
    for _ in range(5):
        backoff.after_failed_dial()
    backoff.after_lost_session("", came_to_something=False)
    assert backoff.after_failed_dial() == FIRST_S


@given(st.integers(1, 3600), st.integers(0, 2**32), st.booleans())
def test_jitter_never_shortens_what_a_cloudcore_needs(heartbeat_s: int, seed: int, dialled: bool) -> None:
    backoff = Backoff(heartbeat_s, random.Random(seed))
    if dialled:
        backoff.after_failed_dial()
    alone_s = max(2 * heartbeat_s, CLOUD_KEEPALIVE_S)
    assert alone_s <= backoff.after_lost_session("", came_to_something=False) <= 1.1 * alone_s
    other = Backoff(heartbeat_s, random.Random(seed))
    assert FIRST_S <= other.after_lost_session("cloudhub-stub", came_to_something=False) <= 1.25 * FIRST_S


@given(st.integers(1, 3600), st.integers(0, 2**32))
def test_pauses_never_pass_two_heartbeats_and_hardly_shrink(heartbeat_s: int, seed: int) -> None:
    backoff = Backoff(heartbeat_s, random.Random(seed))
    pauses = [backoff.after_failed_dial() for _ in range(20)]
    assert all(FIRST_S <= pause <= 2 * heartbeat_s for pause in pauses)
    assert all(later >= earlier / 1.25 for earlier, later in pairwise(pauses))


def test_two_nodes_do_not_dial_at_the_same_instant() -> None:
    one, other = Backoff(15, random.Random(1)), Backoff(15, random.Random(2))
    assert one.after_lost_session("", came_to_something=False) != other.after_lost_session("", came_to_something=False)


def test_a_cloud_that_takes_a_node_back_at_once_is_dialled_soon_whatever_it_calls_itself() -> None:
    assert Backoff(15, NoJitter(), quick=True).after_lost_session("", came_to_something=True) == FIRST_S


def test_a_cloud_that_ends_each_session_at_once_is_dialled_less_and_less_often() -> None:
    backoff = Backoff(15, NoJitter(), quick=True)
    assert [backoff.after_lost_session("", came_to_something=False) for _ in range(4)] == [0.5, 1, 2, 4]
    assert backoff.after_lost_session("", came_to_something=True) == FIRST_S


def test_quick_heartbeats_do_not_shorten_what_a_cloudcore_needs() -> None:
    """Its timer is its own: it hears of the end of a session 30 s after the last keepalive."""
    assert Backoff(5, NoJitter()).after_lost_session("", came_to_something=True) == 30
    assert Backoff(5, NoJitter()).after_restart(12) == 18
    assert Backoff(5, NoJitter(), quick=True).after_lost_session("", came_to_something=True) == FIRST_S


@pytest.mark.parametrize(("since_s", "pause_s"), [(0, 30), (12, 18), (29.5, 0.5), (30, 0), (1e6, 0), (-5, 0)])
def test_after_a_restart_the_rest_of_the_pause_is_waited(since_s: float, pause_s: float) -> None:
    assert Backoff(15, NoJitter()).after_restart(since_s) == pause_s
