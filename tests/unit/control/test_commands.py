import argparse

import pytest

from cloudhub_stub.cli import PROGRAM as STUB
from edgecore.cli import PROGRAM as NODE
from edgecore.control.commands import Command, command_tree
from edgecore.control.program import Program


@pytest.fixture(scope="module", params=[NODE, STUB], ids=lambda program: program.name)
def program(request: pytest.FixtureRequest) -> Program:
    return request.param  # type: ignore[no-any-return]


def by_name(program: Program) -> dict[str, Command]:
    return {command.name: command for command in command_tree(program).all()}


def test_all_verbs_are_there_in_the_order_of_the_help(program: Program) -> None:
    assert [command.words for command in command_tree(program).commands] == [
        (program.name, verb.name) for verb in program.verbs
    ]


def test_verbs_of_verbs_are_there() -> None:
    assert {"edgecore db check", "edgecore recording cut", "edgecore lab shell"} <= by_name(NODE).keys()
    assert "cloudhub-stub fault half-open" in by_name(STUB)


def test_every_command_and_every_option_is_explained(program: Program) -> None:
    commands = by_name(program).values()
    assert [command.name for command in commands if not command.description or not command.usage] == []
    assert [(one.name, option.text) for one in commands for option in one.options if not option.help] == []


def test_a_default_and_the_name_of_the_program_stand_in_the_texts(program: Program) -> None:
    texts = [option.help for command in by_name(program).values() for option in command.options]
    assert [text for text in texts if "%(" in text] == []


def test_the_usage_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    narrow = by_name(NODE)["edgecore replay"].usage
    monkeypatch.setenv("COLUMNS", "300")
    assert by_name(NODE)["edgecore replay"].usage == narrow


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"action": "store_true"}, "--flag"),
        ({"metavar": "FILE"}, "--flag FILE"),
        ({"choices": ("a", "b")}, "--flag {a,b}"),
        ({"nargs": "?", "metavar": "N"}, "--flag [N]"),
        ({"nargs": "+"}, "--flag FLAG [FLAG ...]"),
    ],
)
def test_an_option_is_shown_as_in_usage(arguments: dict[str, object], text: str) -> None:
    class Verbs:
        @staticmethod
        def parser(_verb: str) -> argparse.ArgumentParser:
            parser = argparse.ArgumentParser(prog="x", add_help=False)
            parser.add_argument("--flag", **arguments)  # type: ignore[arg-type]
            return parser

        name, verbs = "x", ()

    (option,) = command_tree(Verbs()).options  # type: ignore[arg-type]
    assert option.text == text
