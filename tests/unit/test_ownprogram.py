"""Programs of ours beside this one."""

import subprocess
import sys
from pathlib import Path

import pytest

from edgecore.ownprogram import command_of, environment


def test_what_lies_in_the_working_directory_is_not_taken_for_our_program(tmp_path: Path) -> None:
    (tmp_path / "edgecore.py").write_text("raise SystemExit('taken')")
    subprocess.run(command_of("edgecore.ownprogram"), cwd=tmp_path, env=environment(), check=True)


def test_a_program_finds_the_modules_that_this_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside.py").write_text("print('found')")
    monkeypatch.setattr(sys, "path", ["", *sys.path, str(tmp_path)])
    ran = subprocess.run(command_of("beside"), env=environment(), capture_output=True, check=True)
    assert ran.stdout == b"found\n"
