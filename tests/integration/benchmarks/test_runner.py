"""Running benchmarks, each a process of its own: here scripts that measure nothing."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rows.results import Figure, Skipped
from story import runner
from story.areas import Area
from story.document import Document, Report
from story.runner import Runner

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
HEAD = f"import sys; sys.path.append({str(BENCHMARKS)!r})\nfrom rows.figures import *\n"
FIGURE = "beside('case', [2.0], [1.0], 'runs/s', peer='other')\n"


def area(places: Path, name: str, body: str) -> Area:
    (places / f"{name}.py").write_text(HEAD + body)
    return Area(name, name.title(), (), 1, 1)


def run(
    places: Path, *areas: Area, out: io.StringIO | None = None, budget_s: float = 60.0, quick: bool = False
) -> tuple[list[Report], str, str]:
    out, err = out or io.StringIO(), io.StringIO()
    made = Runner(places, rounds=None, quick=quick, budget_s=budget_s, out=out, err=err)
    return made.run_all(areas, lambda reports: None), out.getvalue(), err.getvalue()


def test_what_an_area_tells_is_shown_and_kept(tmp_path: Path) -> None:
    told = area(tmp_path, "told", f"{FIGURE}missing('haproxy', 'the rest')\nassert '--quick' in sys.argv")
    (report,), out, _ = run(tmp_path, told, quick=True)
    figure, skipped = report.results
    assert report.state == "measured"
    assert isinstance(figure, Figure)
    assert figure.ratios == [2.0]
    assert isinstance(skipped, Skipped)
    assert "sudo apt install haproxy" in skipped.advice
    assert "Told (1 of 1)" in out
    assert "ratio   2.00" in out


def test_an_area_that_fails_is_named_with_its_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    bad, good = area(tmp_path, "bad", f"{FIGURE}sys.exit('no such thing')"), area(tmp_path, "good", FIGURE)
    reports, _, err = run(tmp_path, bad, good)
    assert [(report.state, report.reason, len(report.results)) for report in reports] == [
        ("failed", "no such thing", 1),
        ("measured", "", 1),
    ]
    assert err == "bad: failed: no such thing\n"


def test_ctrl_c_ends_the_run_and_keeps_what_was_measured(tmp_path: Path) -> None:
    class CtrlC(io.StringIO):
        pressed = False

        def write(self, text: str) -> int:
            if "runs/s" in text and not self.pressed:
                self.pressed = True
                raise KeyboardInterrupt
            return super().write(text)

    slow, never = area(tmp_path, "slow", f"{FIGURE}import time; time.sleep(60)"), area(tmp_path, "never", FIGURE)
    (first, second), _, _ = run(tmp_path, slow, never, out=CtrlC())
    assert (first.state, len(first.results), second.state) == ("interrupted", 1, "not begun")


def test_an_area_that_takes_far_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "LEAST_S", 0.1)
    monkeypatch.setattr(runner, "PATIENCE", 0.1)
    (report,), _, err = run(tmp_path, area(tmp_path, "stuck", "import time; time.sleep(60)"))
    assert report.state == "too long"
    assert err.startswith("stuck: too long: after ")


def test_an_area_for_which_no_time_is_left_is_not_begun(tmp_path: Path) -> None:
    (report,), out, _ = run(tmp_path, area(tmp_path, "late", FIGURE), budget_s=0.0)
    assert (report.state, out) == ("not begun", "")
    assert report.reason == "no time was left; python benchmarks --areas late"


def test_a_page_is_made_again_from_its_figures(tmp_path: Path) -> None:
    figures, page = tmp_path / "was.json", tmp_path / "page.md"
    Document(made_at="then", areas=[Report(name="a", title="A")]).write(figures)
    told = command("--from", str(figures), "--page", str(page))
    assert (told.returncode, told.stdout) == (0, f"written: {page}\n")
    assert "| measured at | then |" in page.read_text()


def test_an_unknown_area_is_a_wrong_argument(tmp_path: Path) -> None:
    told = command("--areas", "dsn")
    assert told.returncode == 2
    assert "cannot run the area dsn: there is none; python benchmarks --list shows them" in told.stderr


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(BENCHMARKS), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=BENCHMARKS.parent,
    )
