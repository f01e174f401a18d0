"""What is not understood: said by the verb that it was for, with what was meant and where to look."""

import argparse

import pytest

from edgecore.control.helpful_parser import HelpfulParser
from edgecore.control.mixed_parser import add_mixed_parser


@pytest.fixture
def parser() -> HelpfulParser:
    parser = HelpfulParser(prog="prog")
    verbs = parser.add_subparsers(metavar="COMMAND", required=True)
    verbs.add_parser("walk").add_argument("--slowly", action="store_true")
    mixed = add_mixed_parser(verbs, "carry", help="", description="", epilog="")
    mixed.add_argument("-n", dest="number")
    mixed.add_argument("what", nargs="?")
    return parser


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (
            "wlak",
            (
                "prog: error: argument COMMAND: there is no 'wlak' (did you mean walk?); there are walk, carry"
                "; see `prog --help`"
            ),
        ),
        ("", "prog: error: the following arguments are required: COMMAND; see `prog --help`"),
        (
            "walk --slwly",
            "prog walk: error: unrecognized arguments: --slwly (did you mean --slowly?); see `prog walk --help`",
        ),
        ("walk far", "prog walk: error: unrecognized arguments: far; see `prog walk --help`"),
        ("carry a -n 3 b", "prog carry: error: unrecognized arguments: b; see `prog carry --help`"),
        ("carry -n", "prog carry: error: argument -n: expected one argument; see `prog carry --help`"),
    ],
)
def test_wrong_usage_is_told_by_its_verb_with_what_was_meant_and_where_to_look(
    parser: HelpfulParser, capsys: pytest.CaptureFixture[str], line: str, error: str
) -> None:
    with pytest.raises(SystemExit) as end:
        parser.parse_args(line.split())
    assert end.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == error


def test_words_and_flags_of_a_mixed_verb_may_stand_in_any_order(parser: HelpfulParser) -> None:
    expected = argparse.Namespace(number="3", what="box")
    assert parser.parse_args(["carry", "box", "-n", "3"]) == expected
    assert parser.parse_args(["carry", "-n", "3", "box"]) == expected
