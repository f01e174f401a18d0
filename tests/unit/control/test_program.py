"""The frame of a command line program: verbs, exit codes, errors."""

import gc
import sys
from pathlib import Path

import pytest

from edgecore import __version__
from edgecore.control.program import Program, Verb, guarded
from edgecore.errors import EdgecoreError

VERB_MODULE = """
import argparse
import gc

LOOKED_FOR_GARBAGE = gc.isenabled()

def add_parser(subparsers):
    parser = subparsers.add_parser("{name}", help="told by the verb itself")
    parser.add_argument("--code", type=int, default=0)
    parser.set_defaults(run=run)

def run(args):
    print("{name} ran")
    return args.code
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """A program of two verbs, in modules that are not imported yet."""
    for name in ("walk", "sleep"):
        monkeypatch.delitem(sys.modules, f"verb_{name}", raising=False)
        (tmp_path / f"verb_{name}.py").write_text(VERB_MODULE.format(name=name))
    monkeypatch.syspath_prepend(str(tmp_path))
    verbs = (Verb("walk", "verb_walk", "go on foot"), Verb("sleep", "verb_sleep", "do nothing"))
    return Program("prog", "A program.", "examples:\n  prog walk", verbs)


def test_a_verb_runs_and_gives_the_exit_code(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["walk", "--code", "3"]) == 3
    assert capsys.readouterr().out == "walk ran\n"


def test_only_the_module_of_the_verb_is_imported(program: Program) -> None:
    program.main(["walk"])
    assert "verb_walk" in sys.modules
    assert "verb_sleep" not in sys.modules


@pytest.mark.parametrize("looking", [True, False])
def test_no_garbage_is_looked_for_while_a_verb_is_imported_and_only_then(
    program: Program, monkeypatch: pytest.MonkeyPatch, looking: bool
) -> None:
    switched: list[bool] = []
    monkeypatch.setattr(gc, "isenabled", lambda: switched[-1] if switched else looking)
    monkeypatch.setattr(gc, "disable", lambda: switched.append(False))
    monkeypatch.setattr(gc, "enable", lambda: switched.append(True))
    program.main(["walk"])
    assert sys.modules["verb_walk"].LOOKED_FOR_GARBAGE is False
    assert switched == ([False, True] if looking else [False])


def test_help_shows_every_verb_without_importing_any(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert "go on foot" in printed
    assert "do nothing" in printed
    assert "examples:\n  prog walk" in printed
    assert not {"verb_walk", "verb_sleep"} & sys.modules.keys()


def test_no_arguments_print_the_help(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main([]) == 0
    assert capsys.readouterr().out.startswith("usage: prog")


@pytest.mark.parametrize("arguments", [["fly"], ["walk", "--fast"], ["--bogus"]])
def test_wrong_usage_is_exit_code_2(program: Program, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert program.main(arguments) == 2
    assert "usage: prog" in capsys.readouterr().err


def test_the_version_is_one_line(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--version"]) == 0
    assert capsys.readouterr().out == f"prog {__version__}\n"


def test_the_raw_version_says_what_it_runs_on(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--version=raw"]) == 0
    assert "KubeEdge 1.3.1" in capsys.readouterr().out


def test_an_error_on_purpose_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise EdgecoreError("cannot open the window: it is nailed shut")

    assert guarded("prog", work) == 1
    assert capsys.readouterr().err == "prog: cannot open the window: it is nailed shut\n"


def test_ctrl_c_is_exit_code_130(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise KeyboardInterrupt

    assert guarded("prog", work) == 130
    assert capsys.readouterr().err == ""


def test_a_closed_pipe_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise BrokenPipeError

    assert guarded("prog", work) == 141
    assert capsys.readouterr().err == ""


def test_a_mistake_of_the_program_is_not_hidden() -> None:
    def work() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        guarded("prog", work)
