"""Several recordings as one."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from edgecore.errors import ContentError
from edgecore.recording.editing.merging import merged
from edgecore.recording.entries import BusMessage, CloudFrame, ConnectionEvent, Direction, Entry, Note, SessionHead
from edgecore.recording.lines import line_of, parse_entry
from entrystrategies import ENTRIES


def merge(*files: Sequence[Entry], is_one_session: bool = False) -> list[Entry]:
    """Return the entries of the files as one; each one's line is 0."""
    texts = {Path(f"{number}.jsonl"): [line_of(entry) for entry in file] for number, file in enumerate(files)}
    lines = merged(list(texts), lambda path: enumerate(texts[path], 1), is_one_session=is_one_session)
    return [parse_entry(line, 0) for line in lines]


def head(t_ns: int, program: str, *kinds: str, redacted: bool = False) -> SessionHead:
    return SessionHead(0, t_ns, 2, program, "n1", kinds, redacted, n=1)


def bus(t_ns: int, n: int, *causes: int, text: str = "{}") -> BusMessage:
    return BusMessage(0, t_ns, "a", "b", text, n=n, causes=causes)


def note(t_ns: int, text: str = "") -> Note:
    return Note(0, t_ns, text, "", "", "")


def test_entries_stand_by_time_with_new_numbers_and_their_causes() -> None:
    one = [head(10, "edgecore 1", "bus"), bus(11, 2), bus(14, 5, 2)]
    two = [head(5, "stub 1", "text"), bus(12, 2), bus(13, 3, 2), bus(15, 9, 3, 2)]
    assert merge(one, two) == [
        SessionHead(0, 5, 2, "edgecore 1, stub 1", "n1", ("text", "bus"), n=1),
        bus(11, 2),
        bus(12, 3),
        bus(13, 4, 3),
        bus(14, 5, 2),
        bus(15, 6, 4, 3),
    ]


def test_a_cause_that_was_cut_out_is_left_out() -> None:
    assert merge([head(1, "p"), bus(2, 9, 4)], [note(1)])[-1] == bus(2, 3)


def test_the_order_within_a_file_stays_where_its_times_do_not_rise() -> None:
    entries = merge([note(5, "a"), note(4, "b"), note(9, "c")], [note(6, "d")])
    assert [entry.text for entry in entries if isinstance(entry, Note)] == ["a", "b", "d", "c"]


def test_connections_of_the_same_name_in_two_files_are_told_apart() -> None:
    def opened(t_ns: int, link: int | str) -> ConnectionEvent:
        return ConnectionEvent(0, t_ns, Direction.TO_CLOUD, link, "open", "")

    entries = merge([opened(1, 1), opened(3, 2), opened(5, "x")], [opened(2, 1), opened(4, 1), opened(6, "x")])
    assert [entry.link for entry in entries if isinstance(entry, ConnectionEvent)] == [1, 2, 3, 2, "x", "x/2"]


def test_parts_of_one_session_keep_numbers_and_connections() -> None:
    frame = CloudFrame(0, 12, Direction.TO_EDGE, 1, "", n=8, causes=(3,))
    parts = [head(10, "p"), bus(11, 3)], [head(10, "p"), frame]
    assert merge(*parts) == [head(10, "p"), bus(11, 3), frame]


def test_parts_without_a_head_are_one_session_if_it_is_said() -> None:
    frame = CloudFrame(0, 12, Direction.TO_EDGE, 1, "")
    assert merge([note(1), frame], [frame], is_one_session=True) == [note(1), frame, frame]


def test_a_session_is_redacted_only_if_all_of_it_is() -> None:
    def is_redacted(*heads: SessionHead) -> bool:
        entry = merge(*([head, note(99)] for head in heads))[0]
        return isinstance(entry, SessionHead) and entry.redacted

    assert is_redacted(head(1, "p", redacted=True), head(2, "q", redacted=True))
    assert not is_redacted(head(1, "p", redacted=True), head(2, "q"))


def test_who_does_not_know_the_program_does_not_hide_it() -> None:
    ours, of_a_cloud = [head(2, "edgecore 1"), note(3)], [replace(head(1, ""), node=""), note(4)]
    for files in ([ours, of_a_cloud], [of_a_cloud, ours], [ours, [note(4)]], [[], ours]):
        [first, *_] = merge(*files)
        assert isinstance(first, SessionHead)
        assert (first.program, first.node) == ("edgecore 1", "n1")


def test_each_file_is_read_once_so_that_it_may_be_a_pipe() -> None:
    files = {Path("a"): [head(1, "edgecore 1"), note(3)], Path("b"): [note(2)]}
    lines = {path: enumerate(map(line_of, entries), 1) for path, entries in files.items()}
    assert len(list(merged(list(files), lines.__getitem__))) == 3


def test_a_number_that_no_program_gives_is_refused() -> None:
    with pytest.raises(ContentError, match=r"0\.jsonl: line 1: number 1099511627777"):
        merge([bus(1, 2**40 + 1)], [note(1)])


def test_empty_files_are_an_empty_one() -> None:
    assert merge([], []) == []


@given(st.lists(st.lists(ENTRIES, max_size=4), min_size=1, max_size=3))
def test_nothing_is_lost_and_every_entry_has_a_number_of_its_own(files: list[list[Entry]]) -> None:
    kept = [[replace(one, n=0, causes=()) for one in file if not isinstance(one, SessionHead)] for file in files]
    entries = merge(*([head(0, str(number)), *file] for number, file in enumerate(kept)))
    if len(files) > 1 and any(kept):
        assert [entry.n for entry in entries] == list(range(1, len(entries) + 1))
    assert len(entries) == 1 + sum(map(len, kept)) or not any(kept)
