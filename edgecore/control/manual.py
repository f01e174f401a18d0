"""The commands of a program as pages: one in Markdown for the reference, one in roff for man(1)."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from edgecore.control.commands import Command, Option

_CODE = re.compile(r"(`[^`]*`)")


def markdown_page(program: Command, version: str) -> str:
    """Return the reference of a program: its commands in the order of its help, each with usage, options, examples."""
    listed = [f"| [`{verb.name}`](#{_anchor(verb)}) | {_escaped(verb.summary)} |" for verb in program.commands]
    lines = [
        f"# The command `{program.name}`",
        "",
        f"What `{program.name} COMMAND --help` says, in version {version}. (Written by `make reference`.)",
        "",
        *_prose(program.description),
        "",
        "| command | what it does |",
        "| --- | --- |",
        *listed,
        "",
        *_body(program),
    ]
    for command in [below for verb in program.commands for below in verb.all()]:
        level = "#" * min(len(command.words), 4)
        lines += [f"{level} `{command.name}`", "", *_prose(command.description), "", *_body(command)]
    return "\n".join(lines).rstrip() + "\n"


def _body(command: Command) -> Iterator[str]:
    yield from ("```text", command.usage, "```", "")
    if command.commands and len(command.words) > 1:
        yield from ("| command | what it does |", "| --- | --- |")
        yield from (f"| [`{one.words[-1]}`](#{_anchor(one)}) | {_escaped(one.summary)} |" for one in command.commands)
        yield ""
    if command.options:
        yield from ("| option | meaning |", "| --- | --- |")
        yield from (f"| `{_cell(one.text)}` | {_escaped(one.help)} |" for one in command.options)
        yield ""
    if command.epilog:
        yield from ("```text", command.epilog, "```", "")


def _prose(text: str) -> list[str]:
    """Return paragraphs as they are, and lines that are indented as a block."""
    lines: list[str] = []
    for is_block, part in groupby(text.splitlines(), key=lambda line: line.startswith(" ")):
        told = list(part)
        lines += ["", "```text", *told, "```", ""] if is_block else map(_escaped, told)
    return lines


def _escaped(text: str) -> str:
    """Return a text whose signs mean nothing to Markdown, but for words between backquotes."""
    parts = _CODE.split(text)
    return "".join(_cell(part) if part.startswith("`") else re.sub(r"([<>*_|\[\]])", r"\\\1", part) for part in parts)


def _cell(code: str) -> str:
    return code.replace("|", "\\|")


def _anchor(command: Command) -> str:
    """Return the name of a heading as GitHub makes it."""
    return command.name.replace(" ", "-")


def man_page(program: Command, version: str) -> str:
    """Return the manual page of a program, with all its commands (man(7))."""
    first, *more = program.description.split(". ", 1)
    lines = [
        f'.TH {program.name.upper()} 1 "" "edgecore {version}" "User Commands"',
        ".SH NAME",
        f"{_roff(program.name)} \\- {_roff(_uncapitalized(' '.join(first.split()).rstrip('.:')))}",
        ".SH SYNOPSIS",
        *_roff_usage(program),
        ".SH DESCRIPTION",
        *_roff_text(f"{first}. {' '.join(more)}" if more else first),
        ".SH OPTIONS",
        *_roff_options(program.options),
        ".SH COMMANDS",
    ]
    for command in [below for verb in program.commands for below in verb.all()]:
        lines += [f".SS {_roff(command.name)}", *_roff_usage(command), *_roff_text(command.description)]
        lines += [*_roff_options(command.options), *_roff_text(command.epilog)]
    lines += [".SH EXAMPLES AND EXIT CODES", *_roff_text(program.epilog)]
    return "\n".join(lines) + "\n"


def _roff_usage(command: Command) -> list[str]:
    return [".PP", ".nf", *map(_roff, command.usage.splitlines()), ".fi"]


def _roff_options(options: Iterable[Option]) -> Iterator[str]:
    for option in options:
        yield from (".TP", f"\\fB{_roff(option.text)}\\fR", _roff(option.help) or "\\&")


def _roff_text(text: str) -> Iterator[str]:
    for is_block, lines in groupby(text.splitlines(), key=lambda line: line[:1] in (" ", "")):
        if is_block:
            yield from (".PP", ".nf", *map(_roff, lines), ".fi")
        else:
            yield from (".PP", *map(_roff, lines))


def _roff(text: str) -> str:
    """Return a line in which roff finds no request and no escape."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


def _uncapitalized(text: str) -> str:
    """Return what stands behind the dash of NAME: without the article's capital, names with theirs."""
    return text[:1].lower() + text[1:]
