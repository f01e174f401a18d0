"""Which messages of the cloud were applied: what is remembered, how much of it, and what a repeat finds."""

from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.metamanager.applied import AppliedIds, State


def _state(ids: AppliedIds, message_id: str) -> State | None:
    progress = ids.find(message_id)
    return None if progress is None else progress.state


def test_what_was_never_taken_is_not_known() -> None:
    assert AppliedIds().find("a") is None


def test_what_is_under_way_is_known_and_done_when_it_is_settled() -> None:
    ids = AppliedIds()
    progress = ids.take("a")
    assert _state(ids, "a") is State.TAKEN
    ids.settle("a", progress, done=True)
    assert _state(ids, "a") is State.DONE


def test_what_could_not_be_stored_is_forgotten_although_others_wait_behind_it() -> None:
    ids = AppliedIds()
    progress = ids.take("a")
    progress.behind = 1
    ids.settle("a", progress, done=False)
    assert ids.find("a") is None
    assert progress.state is State.LOST


def test_what_was_stored_but_not_handed_on_is_forgotten_where_nobody_waits_behind_it() -> None:
    ids = AppliedIds()
    progress = ids.take("a")
    progress.state = State.STORED
    ids.settle("a", progress, done=False)
    assert ids.find("a") is None


def test_what_was_stored_but_not_handed_on_is_left_to_who_waits_behind_it() -> None:
    ids = AppliedIds()
    progress = ids.take("a")
    progress.state = State.STORED
    progress.behind = 1
    ids.settle("a", progress, done=False)
    assert ids.find("a") is progress
    progress.behind = 0
    ids.settle("a", progress, done=False)
    assert ids.find("a") is None


def test_a_message_that_was_forgotten_does_not_take_its_successor_with_it() -> None:
    ids = AppliedIds()
    first = ids.take("a")
    ids.settle("a", first, done=False)
    second = ids.take("a")
    ids.settle("a", first, done=False)
    assert ids.find("a") is second


def test_a_message_without_an_id_is_never_known_and_never_written() -> None:
    ids = AppliedIds()
    ids.settle("", ids.take(""), done=True)
    assert ids.find("") is None
    assert ids.statements("") == ()


def test_the_newest_are_kept() -> None:
    ids = AppliedIds(kept=3)
    ids.load(["1", "2", "3"])
    ids.settle("2", ids.take("2"), done=True)  # again, so that it is the newest
    ids.settle("4", ids.take("4"), done=True)
    assert [each for each in "1234" if ids.find(each)] == ["2", "3", "4"]


def test_the_table_is_trimmed_with_the_first_id_of_a_process_and_then_now_and_then() -> None:
    ids = AppliedIds(kept=3, trim_every=4)
    ids.load([])
    assert [len(ids.statements(str(number))) for number in range(9)] == [2, 1, 1, 1, 2, 1, 1, 1, 2]


@given(st.lists(st.text(alphabet="abcdefgh", min_size=1, max_size=2)), st.integers(1, 8))
def test_memory_is_bounded_and_holds_the_newest_in_any_sequence(taken: list[str], kept: int) -> None:
    ids = AppliedIds(kept=kept)
    for message_id in taken:
        ids.settle(message_id, ids.take(message_id), done=True)
    newest = list(dict.fromkeys(reversed(taken)))[:kept]
    assert len(ids) == len(newest)
    assert all(_state(ids, message_id) is State.DONE for message_id in newest)
