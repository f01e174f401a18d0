"""The commands in documents: each line of a console block that runs one of our programs is one that it takes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudhub_stub.cli import PROGRAM as CLOUDHUB_STUB
from edgecore.cli import PROGRAM as EDGECORE

ROOT = Path(__file__).parents[3]
PROGRAMS = {"edgecore": EDGECORE, "cloudhub-stub": CLOUDHUB_STUB}
BLOCK = re.compile(r"^ *```(?:console|sh)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
REDIRECTION = re.compile(r" [12]?[<>]{1,2} ?\S+")
INNER = re.compile(r"\$\(([^)]*)\)")
SEPARATOR = re.compile(r"[|&;]+")
OLD_FLAGS = frozenset({"--defaultconfig", "--minconfig", "--version"})
"""Those of the Go program, which stand without a verb."""
PAGES = [
    *ROOT.glob("*.md"),
    *(page for folder in ("docs", "examples", "cloudhub_stub", "edgecore") for page in (ROOT / folder).rglob("*.md")),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_of_a_document_are_taken_by_the_programs(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = []
    for program, arguments in commands(page.read_text("utf-8")):
        try:
            PROGRAMS[program].parser(arguments[0]).parse_args(arguments)
        except SystemExit as end:
            if end.code:
                refused.append(f"{program} {shlex.join(arguments)}: {capsys.readouterr().err.splitlines()[-1]}")
    assert not refused, "\n".join(refused)


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield program and arguments of each command of ours, as a shell would."""
    for block in BLOCK.findall(text):
        for line in re.split(r"^ *\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
            words = words_of(line)
            while words:
                end = next((place for place, word in enumerate(words) if SEPARATOR.fullmatch(word)), len(words))
                command, words = words[:end], words[end + 1 :]
                if len(command) > 1 and (name := Path(command[0]).name) in PROGRAMS and command[1] not in OLD_FLAGS:
                    yield name, command[1:]


def words_of(shown: str) -> list[str]:
    """Return the words of a command line, without what stands below it; first those of what runs in ``$(...)``."""
    line, *below = shown.splitlines()
    while True:
        parts = [*INNER.findall(line), INNER.sub("-", line)]
        lexer = shlex.shlex(REDIRECTION.sub("", " ; ".join(parts)), posix=True, punctuation_chars="|&;")
        lexer.whitespace_split = True
        try:
            return list(lexer)
        except ValueError:  # a quotation goes on
            line, *below = f"{line}\n{below[0]}", *below[1:]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("$ edgecore status # now", [("edgecore", ["status"])]),
        ("$ .venv/bin/edgecore env && ls", [("edgecore", ["env"])]),
        ('$ eval "$(edgecore env)"; curl x', [("edgecore", ["env"])]),
        ("$ sudo ls | cloudhub-stub apply -f -", [("cloudhub-stub", ["apply", "-f", "-"])]),
        ("$ cloudhub-stub send -n 'a\nb'", [("cloudhub-stub", ["send", "-n", "a\nb"])]),
        ("$ edgecore status 2>/dev/null > out", [("edgecore", ["status"])]),
        ("edgecore what", []),
    ],
)
def test_a_command_is_found_where_a_shell_would_run_it(line: str, found: list[tuple[str, list[str]]]) -> None:
    assert list(commands(f"```console\n{line}\n```\n")) == found
