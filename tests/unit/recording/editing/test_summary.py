"""The figures of a recording."""

from edgecore.recording.editing.summary import MAX_CHARACTERS, MAX_NOTES, MAX_WORDS, Summary
from edgecore.recording.entries import CloudFrame, Direction, Entry, Loss, Note, SessionHead
from edgecore.recording.outline import Outline, outline_of_entry


def summed(*entries: Entry) -> Summary:
    summary = Summary()
    for entry in entries:
        summary.add(outline_of_entry(entry), 10)
    return summary


def frame(t_ns: int, text: str, link: int = 1, n: int = 0) -> CloudFrame:
    return CloudFrame(1, t_ns, Direction.TO_EDGE, link, text, n=n)


MESSAGE = '{"route":{"source":"a","group":"b","operation":"insert","resource":"r"}}'


def test_entries_are_counted_by_kind_route_and_connection() -> None:
    figures = summed(frame(5, MESSAGE, n=2), frame(4, MESSAGE, 2, n=3), Note(7, 9, "x", "", "", "", n=9)).as_json()
    assert figures["kinds"] == {"text": 2, "note": 1}
    assert figures["messages"] == [{"way": "cloud->edge", "source": "a", "operation": "insert", "entries": 2}]
    assert figures["links"] == {"1": 1, "2": 1}
    assert figures["notes"] == [{"line": 7, "t_ns": 9, "text": "x"}]
    assert (figures["first_ns"], figures["last_ns"], figures["first_n"], figures["last_n"]) == (4, 9, 2, 9)
    assert (figures["version"], figures["entries"], figures["bytes"]) == (1, 3, 30)


def test_the_head_says_who_recorded() -> None:
    summary = summed()
    summary.head = SessionHead(1, 1, 2, "edgecore 1", "n", ("text",), redacted=True)
    figures = summary.as_json()
    assert (figures["version"], figures["program"], figures["node"], figures["redacted"]) == (
        2,
        "edgecore 1",
        "n",
        True,
    )


def test_losses_are_added_up() -> None:
    assert summed(Loss(1, 1, 3), Loss(2, 2, 4)).lost == 7


def test_what_is_remembered_is_bounded() -> None:
    frames = [
        frame(1, f'{{"route":{{"source":"{number}","operation":"o"}}}}', number) for number in range(MAX_WORDS + 9)
    ]
    summary = summed(*frames, *(Note(1, 1, "x", "", "", "") for _ in range(MAX_NOTES + 9)))
    assert (len(summary.links), len(summary.routes), len(summary.notes)) == (MAX_WORDS, MAX_WORDS, MAX_NOTES)
    assert summary.kinds["note"] == MAX_NOTES + 9


def test_no_name_is_remembered_longer_than_a_person_reads() -> None:
    long = "x" * 10 * MAX_CHARACTERS
    odd = [Outline(1, dir=f"{number}{long}", link=long, note=long, kind="note") for number in range(MAX_WORDS + 9)]
    summary = summed(frame(1, MESSAGE.replace('"a"', f'"{long}"').replace("insert", long)))
    for outline in odd:
        summary.add(outline, 10)
    assert len(summary.ways) == MAX_WORDS
    words = [word for key in (*summary.ways, *summary.routes, *summary.links) for word in key]
    assert max(map(len, [*words, *(text for _, _, text in summary.notes)])) == MAX_CHARACTERS
