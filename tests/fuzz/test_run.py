"""The program that looks for findings: what it says, and how it ends."""

from pathlib import Path

import pytest

from tests.fuzz import varied
from tests.fuzz.__main__ import main
from tests.fuzz.target import CORPUS, Target
from tests.fuzz.targets import all_targets


def test_the_list_says_whose_bytes_each_target_reads(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(all_targets())
    assert all(len(line.split()) > 1 for line in listed)


def test_a_target_that_is_not_there_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-parser"]) == 2
    assert "no-such-parser: there is no such target; see --list" in capsys.readouterr().err


def test_an_input_is_run_once_more(capsys: pytest.CaptureFixture[str]) -> None:
    file = next((CORPUS / "dns-packet").iterdir())
    assert main(["dns-packet", "--input", str(file)]) == 0
    assert capsys.readouterr().out == f"dns-packet: nothing found with {file}\n"


def test_an_input_that_cannot_be_read_is_wrong_use(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["dns-packet", "--input", str(tmp_path / "x")]) == 2
    assert "name a file of .fuzz/found or of a corpus" in capsys.readouterr().err


def test_a_finding_by_chance_ends_with_one_and_others_are_tried_all_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_data: bytes) -> None:
        raise KeyError("a slip")

    monkeypatch.setattr(varied, "FOUND", tmp_path)
    tried: list[bytes] = []
    targets = [Target("fails", fail, "nobody", (), list), Target("holds", tried.append, "nobody", (), list)]

    assert varied.vary(targets, 0.0) == 1

    said = capsys.readouterr().out
    assert "fails: KeyError: 'a slip'\nagain: python -m tests.fuzz fails --input" in said
    assert said.endswith("2 targets, 1 with a finding\n")
    assert tried
