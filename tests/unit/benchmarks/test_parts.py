"""Parts of a benchmark that fail."""

from pathlib import Path

import pytest
from rows.figures import RESULTS
from rows.parts import Parts
from rows.results import Skipped, results_of


def test_a_part_that_fails_is_told_and_the_next_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RESULTS, str(tmp_path / "results"))
    parts = Parts(["one", "two", "three"])
    done = []
    for name, failure in (("one", SystemExit("wrong answers")), ("two", None), ("three", ValueError())):
        with parts.one(name):
            if failure is not None:
                raise failure
            done.append(name)
    assert done == ["two"]
    assert results_of((tmp_path / "results").read_bytes()) == [
        Skipped(what="one", reason="failed: wrong answers"),
        Skipped(what="three", reason="failed: ValueError"),
    ]
    with pytest.raises(SystemExit, match="cannot measure one, three; "):
        parts.end()


def test_ctrl_c_is_no_failure_of_a_part() -> None:
    parts = Parts(["one"])
    with pytest.raises(KeyboardInterrupt), parts.one("one"):
        raise KeyboardInterrupt
    parts.end()


def test_quick_leaves_out_what_is_slow_by_name_unless_it_was_wished_for(capsys: pytest.CaptureFixture[str]) -> None:
    parts = Parts.of(None, ["one", "two"], quick=True, slow=["two"])
    assert ("one" in parts, "two" in parts) == (True, False)
    assert "two: skipped, slow" in capsys.readouterr().out
    assert "two" in Parts.of(["two"], ["one", "two"], quick=True, slow=["two"])
    assert "two" in Parts.of(None, ["one", "two"], quick=False, slow=["two"])


def test_only_the_parts_that_were_chosen_are_there() -> None:
    parts = Parts(["one"])
    assert "one" in parts
    assert "two" not in parts
    assert parts.any_of("two", "one")
    assert not parts.any_of("two")
