"""The commands of a program as values, read from its parsers: for reference pages, manual pages and completion."""

import argparse
from collections.abc import Iterator
from typing import NamedTuple

from edgecore.control.program import Program

WIDTH = 100
"""Of usage lines, whatever the terminal."""


class Option(NamedTuple):
    """A flag, or a word where ``flags`` is empty."""

    flags: tuple[str, ...]
    value: str
    """What stands for its value; empty: it takes none."""
    help: str
    choices: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """As usage has it, such as ``-f, --filename FILE``."""
        named = ", ".join(self.flags)
        return f"{named} {self.value}".strip()


class Command(NamedTuple):
    """A program, a verb of it, or a verb below that."""

    words: tuple[str, ...]
    """Such as ``("edgecore", "recording", "cut")``."""
    summary: str
    usage: str
    description: str
    epilog: str
    options: tuple[Option, ...]
    commands: tuple["Command", ...]

    @property
    def name(self) -> str:
        """As it is typed."""
        return " ".join(self.words)

    def all(self) -> "Iterator[Command]":
        """Yield this one and all below it."""
        yield self
        for command in self.commands:
            yield from command.all()


def command_tree(program: Program) -> Command:
    """Return all commands of a program; their modules are imported for it."""
    verbs = []
    for verb in program.verbs:
        parsers, _ = _below(program.parser(verb.name))
        verbs.append(_command(parsers[verb.name], (program.name, verb.name), verb.summary))
    own = _command(program.parser(""), (program.name,), "")
    return own._replace(commands=tuple(verbs))


def _command(parser: argparse.ArgumentParser, words: tuple[str, ...], summary: str) -> Command:
    parsers, summaries = _below(parser)
    return Command(
        words,
        summary,
        _usage(parser),
        _named(parser, parser.description),
        _named(parser, parser.epilog),
        tuple(_option(parser, action) for action in _actions(parser) if action.help != argparse.SUPPRESS),
        tuple(_command(below, (*words, name), summaries.get(name, "")) for name, below in parsers.items()),
    )


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return what the parser takes, but for the verbs below it. (argparse has no way to ask it for that.)"""
    actions = parser._actions  # noqa: SLF001
    return [action for action in actions if not isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001


def _below(parser: argparse.ArgumentParser) -> tuple[dict[str, argparse.ArgumentParser], dict[str, str]]:
    """Return the parsers of the verbs below, and a line on each."""
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            told = {one.dest: one.help or "" for one in action._choices_actions}  # noqa: SLF001
            return dict(action.choices), told
    return {}, {}


def _usage(parser: argparse.ArgumentParser) -> str:
    formatter = argparse.HelpFormatter(parser.prog, width=WIDTH)
    groups = parser._mutually_exclusive_groups  # noqa: SLF001
    formatter.add_usage(parser.usage, parser._actions, groups, prefix="")  # noqa: SLF001
    return formatter.format_help().strip()


def _named(parser: argparse.ArgumentParser, text: str | None) -> str:
    return (text or "").replace("%(prog)s", parser.prog).strip("\n")


def _option(parser: argparse.ArgumentParser, action: argparse.Action) -> Option:
    known = {**vars(action), "prog": parser.prog}
    told = " ".join(((action.help or "") % known).split())
    choices = tuple(map(str, action.choices or ()))
    return Option(tuple(action.option_strings), _value(action, choices), told, choices)


def _value(action: argparse.Action, choices: tuple[str, ...]) -> str:
    if action.nargs == 0:
        return ""
    if isinstance(action.metavar, tuple):
        one = " ".join(action.metavar)
    else:
        by_name = action.dest.upper() if action.option_strings else action.dest
        one = action.metavar or ("{" + ",".join(choices) + "}" if choices else by_name)
    match action.nargs:
        case "?":
            return f"[{one}]"
        case "*":
            return f"[{one} ...]"
        case "+":
            return f"{one} [{one} ...]"
        case _:
            return one
