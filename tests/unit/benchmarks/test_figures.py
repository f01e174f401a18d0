"""What a benchmark says, for people and for the runner."""

from pathlib import Path

import pytest
from rows.figures import RESULTS, alone, beside, curve, missing, note
from rows.results import Curve, Figure, Note, Skipped, at_most, ratio, results_of


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "results"
    monkeypatch.setenv(RESULTS, str(path))
    return path


def test_a_figure_beside_a_peer_is_a_line_with_both_medians_the_ratio_and_the_goal(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beside("names", [9, 10, 12], [10, 10, 10], "answers/s", peer="dnsmasq", goal=ratio(1.5))
    told = " ".join(capsys.readouterr().out.split())
    assert told == (
        "names ours 10.0 dnsmasq 10.0 answers/s ratio 1.00 (from 0.90 to 1.20) goal ratio at least 1.5: missed"
    )
    (kept,) = results_of(file.read_bytes())
    assert isinstance(kept, Figure)
    assert (kept.case, kept.ours, kept.peer, kept.reached) == ("names", [9, 10, 12], "dnsmasq", "missed")


def test_without_a_runner_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv(RESULTS, raising=False)
    alone("start", [1.0], "s", goal=at_most(2))
    assert " ".join(capsys.readouterr().out.split()) == "start ours 1.00 s goal at most 2 s: reached"


def test_a_missing_peer_is_named_with_its_package(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing("nginx-light", "small, beside nginx", "nginx")
    assert "nginx is not installed; on Debian: sudo apt install nginx-light" in capsys.readouterr().out
    assert results_of(file.read_bytes()) == [
        Skipped(
            what="small, beside nginx",
            reason="nginx is not installed",
            advice="on Debian: sudo apt install nginx-light",
        )
    ]


def test_each_result_is_kept_at_once_in_order(file: Path) -> None:
    note("2 cores")
    assert results_of(file.read_bytes()) == [Note(text="2 cores")]
    curve("start", "services", [10, 100], [[1, 2], [10, 20]], "s", peers=[[1, 1], [1, 1]], peer="Go")
    assert [type(each) for each in results_of(file.read_bytes())] == [Note, Curve]
