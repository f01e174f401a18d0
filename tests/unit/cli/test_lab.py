"""``edgecore lab``: the words of its shell, what that finds, and whose lab is ended."""

import argparse
import signal
import sys
from pathlib import Path

import pytest

from edgecore.cli import PROGRAM
from edgecore.cli import lab as lab_verb
from edgecore.cli.lab import shell_environment, shell_words
from edgecore.errors import LabError
from edgecore.lab.landlord import Lab


def parsed(*words: str) -> argparse.Namespace:
    return PROGRAM.parser("lab").parse_args(["lab", *words])


@pytest.mark.parametrize(
    ("words", "command", "container", "root"),
    [
        (("shell", "a"), [], False, None),
        (("shell", "a", "--", "ls", "-l"), ["ls", "-l"], False, None),
        (("shell", "a", "ls", "-l"), ["ls", "-l"], False, None),
        (("shell", "a", "--container", "--root", "x", "--", "ls", "--", "y"), ["ls", "--", "y"], True, Path("x")),
        (("shell", "--container", "a", "--root", "x"), [], True, Path("x")),
        (("--root", "x", "shell", "a", "--", "curl", "--root"), ["curl", "--root"], False, Path("x")),
    ],
)
def test_flags_may_stand_before_and_behind_the_node(
    words: tuple[str, ...], command: list[str], container: bool, root: Path | None
) -> None:
    args = parsed(*words)
    assert shell_words(args.command, args) == command
    assert args.container == container
    assert getattr(args, "root", None) == root


def test_without_a_verb_the_whole_is_done() -> None:
    args = parsed("--nodes", "3", "--json")
    assert (args.nodes, args.json, args.keep) == (3, True, False)
    assert args.run.__name__ == "_all"


def test_the_shell_of_a_node_finds_the_programs_of_this_environment_first() -> None:
    own = str(Path(sys.executable).parent)
    assert shell_environment({"PATH": "/usr/bin", "HOME": "/root"}) == {"PATH": f"{own}:/usr/bin", "HOME": "/root"}


def test_a_lab_that_another_command_started_outlives_one_that_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[Path] = []
    monkeypatch.setattr(Lab, "is_running", lambda _lab: True)
    monkeypatch.setattr(Lab, "end", lambda lab: ended.append(lab.root))
    monkeypatch.setattr(lab_verb, "check_machine", lambda rules: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    args = parsed("--root", str(tmp_path))
    with pytest.raises(LabError, match="one runs there"):
        args.run(args)
    assert ended == []
