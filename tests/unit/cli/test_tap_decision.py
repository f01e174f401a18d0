"""What is decided of a held message, by words, JSON, files and an editor."""

import io
import os
import pty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgecore.cli import tap_decision
from edgecore.cli.tap_decision import Decision, Person, decided, decision_of, read_from
from edgecore.errors import ContentError

ORIGINAL: dict[str, Any] = {"header": {"msg_id": "1"}, "route": {"resource": "r"}, "content": 1}
CHANGED = {**ORIGINAL, "content": {"a": 2}}


def _held() -> bool:
    return True


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end of the terminal at which a person types."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield ours
    os.close(ours)


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        ("go\n", Decision("go")),
        ("D", Decision("drop")),
        ("quit", Decision("quit")),
        ('{"a": 2}', Decision("edit", CHANGED)),
        ('{"header": {}, "route": {}}', Decision("edit", {"header": {}, "route": {}})),
    ],
)
def test_words_and_json_are_decisions(text: str, decision: Decision) -> None:
    assert decision_of(text, ORIGINAL) == decision


@pytest.mark.parametrize("text", ["stay", "e", "{"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ContentError, match="neither go, drop nor quit"):
        decision_of(text, ORIGINAL)


def test_the_end_of_the_input_is_quit() -> None:
    decide = read_from(io.StringIO("drop\n"))
    assert [decide(ORIGINAL, _held).then for _ in range(2)] == ["drop", "quit"]


def test_a_file_decides_for_all(tmp_path: Path) -> None:
    path = tmp_path / "content.json"
    path.write_text('{"a": 2}')
    assert decided(str(path))(ORIGINAL, _held) == Decision("edit", CHANGED)
    assert decided("drop")(ORIGINAL, _held) == Decision("drop")


@pytest.mark.parametrize("text", [None, "{"])
def test_a_file_that_cannot_be_used_is_said_at_once(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "content.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ContentError, match="cannot"):
        decided(str(path))


def _edit(typed: int, person: Person) -> Decision:
    os.write(typed, b"e\n")
    return person(ORIGINAL, _held)


def test_an_editor_changes_the_message(typed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "sed -i s/1,/1,/;s/1$/7/")
    assert _edit(typed, Person()) == Decision("edit", {**ORIGINAL, "content": 7})


@pytest.mark.parametrize("editor", ["false", "no-such-editor-anywhere", "truncate -s 0", "sed -i s/route/rout/"])
def test_an_editor_that_fails_changes_nothing(typed: int, monkeypatch: pytest.MonkeyPatch, editor: str) -> None:
    monkeypatch.setenv("VISUAL", editor)
    with pytest.raises(ContentError, match="cannot"):
        _edit(typed, Person())


def test_what_could_not_be_taken_is_there_again_when_it_is_edited_again(
    typed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person()
    monkeypatch.setenv("VISUAL", "sed -i s/1$/7]/")
    with pytest.raises(ContentError, match="no JSON"):
        _edit(typed, person)
    monkeypatch.setenv("VISUAL", "sed -i s/]//")
    assert _edit(typed, person) == Decision("edit", {**ORIGINAL, "content": 7})


def test_a_person_is_asked_until_the_answer_makes_sense(typed: int, capsys: pytest.CaptureFixture[str]) -> None:
    os.write(typed, b"what\ndrop\nq\n")
    assert [Person()(ORIGINAL, _held) for _ in range(2)] == [Decision("drop"), Decision("quit")]
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("[g/d/e/q]")) == ("", 3)


@pytest.mark.usefixtures("typed")
def test_a_person_who_takes_too_long_is_asked_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap_decision, "_LOOK_S", 0.0)
    still = iter((True, True, False))
    assert Person()(ORIGINAL, lambda: next(still)) == Decision("over")
