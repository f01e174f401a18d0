from io import StringIO

import pytest

from edgecore.demo.screen import Screen, Step
from edgecore.errors import EdgecoreError


@pytest.fixture
def out() -> StringIO:
    return StringIO()


@pytest.fixture
def step(out: StringIO) -> Step:
    """The first step; what was printed before is thrown away."""
    step = Screen(8, out).step("first")
    out.seek(out.truncate(0))
    return step


def test_steps_are_counted(out: StringIO) -> None:
    screen = Screen(2, out)
    screen.step("it begins")
    screen.step("it ends")

    assert out.getvalue() == "\n[1/2] it begins\n\n[2/2] it ends\n"


def test_lines_are_indented_below_their_step(step: Step, out: StringIO) -> None:
    step.say("a line")

    assert out.getvalue() == "      a line\n"


def test_what_holds_is_printed_with_what_was_found(step: Step, out: StringIO) -> None:
    step.check("rows", 1, 1)

    assert out.getvalue() == "      ok: rows: 1\n"


def test_what_does_not_hold_is_an_error_with_both_values_and_prints_nothing(step: Step, out: StringIO) -> None:
    with pytest.raises(EdgecoreError, match="rows: expected 1, found 'two'"):
        step.check("rows", "two", 1)

    assert out.getvalue() == ""


def test_a_quote_is_folded(step: Step, out: StringIO) -> None:
    step.quote("x" * 111 + "\n")

    assert [len(line.strip()) for line in out.getvalue().splitlines()] == [110, 1]


def test_a_long_quote_is_cut_and_says_how_much_is_left_out(step: Step, out: StringIO) -> None:
    step.quote("x" * 1000)

    *quoted, last = (line.strip() for line in out.getvalue().splitlines())
    assert "".join(quoted) == "x" * 900
    assert last == "... and 100 more characters"


def test_a_quote_of_just_the_allowed_length_is_not_cut(step: Step, out: StringIO) -> None:
    step.quote("x" * 900)

    assert "more characters" not in out.getvalue()


def test_without_a_stream_the_screen_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(1).say("hello")

    assert capsys.readouterr().out == "      hello\n"
