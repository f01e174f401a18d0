"""What the tutorial shows of a replay is what the commands print."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from edgecore.cli import PROGRAM

ROOT = Path(__file__).parents[3]
RECORDING = "examples/replay-as-test/recordings/web.jsonl"
SHOWN = re.compile(r"^\$ (.*)\n((?:(?!\$ |```).*\n)*)", re.MULTILINE)
SECONDS = re.compile(r"in \d+\.\d+ s")


def test_the_verdicts_in_the_tutorial_are_what_the_commands_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / RECORDING).parent.mkdir(parents=True)
    shutil.copyfile(ROOT / RECORDING, tmp_path / RECORDING)
    monkeypatch.chdir(tmp_path)
    section = (ROOT / "docs/tutorial/first-hour.md").read_text("utf-8").partition("## Record, replay, verdict\n")[2]
    shown = SHOWN.findall(section.split("```console\n")[1].partition("```")[0])
    assert len(shown) == 4
    for command, output in shown:
        words = shlex.split(command, comments=True)
        if words[0] == "sed":
            subprocess.run(command, shell=True, check=True)
            continue
        code = PROGRAM.main(words[1:])
        printed = capsys.readouterr().out
        assert code == int("exit code 1" in command), command
        assert SECONDS.sub("", printed) == SECONDS.sub("", output), command
