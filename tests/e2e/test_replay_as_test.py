"""A session as a test, as a user has it: the commands of ``docs/how-to/replay.md``, and the example project."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgecore.cli import PROGRAM

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/how-to/replay.md").read_text("utf-8")
EXAMPLE = ROOT / "examples/replay-as-test"
COMMAND = re.compile(r"^\$ (.*)$", re.MULTILINE)
PYTEST = "-m pytest -p edgecore.replay.pytestplugin -p no:cacheprovider -q"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the examples, and with the pytest of this interpreter in the path."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "pytest"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {PYTEST} "$@"\n')
    program.chmod(0o755)
    shutil.copytree(EXAMPLE, tmp_path / "examples/replay-as-test")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return tmp_path


def run(command: str, place: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, shell=True, cwd=place, capture_output=True, text=True, timeout=50, check=False)


def test_the_commands_of_the_first_minute_do_what_the_document_says(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    section = DOCUMENT.partition("## In a minute\n")[2].partition("\n## ")[0]
    commands = COMMAND.findall(section)
    assert len(commands) == 6
    output = ""
    for command in commands:
        words = shlex.split(command, comments=True)
        if words[0] == "edgecore":  # in this process, which has loaded it all
            code, (told, complaint) = PROGRAM.main(words[1:]), capsys.readouterr()
        else:
            done = run(command, place)
            code, told, complaint = done.returncode, done.stdout, done.stderr
        assert code == int("exit code 1" in command), f"{command}\n{told}{complaint}"
        output += told
    assert "content.Status.phase" in output
    assert "bad.min.jsonl: 10 of 37 entries" in output
    assert "fails as long as this does: the replay differs (pod status: content.Status.phase)" in output
    assert 'edgecore_replay("bad.min.jsonl")' in (place / "test_bad_min.py").read_text("utf-8")


def test_the_example_project_is_green(place: Path) -> None:
    done = run("pytest", place / "examples/replay-as-test")
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_the_document_shows_the_test_of_the_example() -> None:
    shown = re.findall(r"^def .*?(?=\n\n\n|\n```)", DOCUMENT, re.MULTILINE | re.DOTALL)
    text = (EXAMPLE / "test_edge.py").read_text("utf-8")
    assert [one for one in shown if one not in text] == []
    assert len(shown) == text.count("def test_")


def test_the_document_shows_the_workflow_of_the_example() -> None:
    assert f"```yaml\n{(EXAMPLE / 'workflow.yaml').read_text('utf-8')}```" in DOCUMENT
