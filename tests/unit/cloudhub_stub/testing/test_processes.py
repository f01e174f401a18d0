"""What a child process inherits, and the end of a log."""

import os
from pathlib import Path

import pytest

import cloudhub_stub
from cloudhub_stub.testing.processes import TAIL_LINES, environment, tail

ROOT = str(Path(cloudhub_stub.__file__).parents[1])


def test_a_child_finds_the_packages_of_a_clone_before_others() -> None:
    assert environment({"A": "b"}) == {"A": "b", "PYTHONPATH": ROOT}
    assert environment({"PYTHONPATH": "x"})["PYTHONPATH"] == f"{ROOT}{os.pathsep}x"


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
def test_a_child_finds_installed_packages_by_itself(monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    monkeypatch.setattr(cloudhub_stub, "__file__", f"/usr/lib/{folder}/cloudhub_stub/__init__.py")
    assert environment({"A": "b"}) == {"A": "b"}


def test_the_end_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("".join(f"line {number}\n" for number in range(10_000)))
    lines = tail(log).splitlines()
    assert lines[0] == f"the end of {log}:"
    assert lines[-1] == "    line 9999"
    assert len(lines) == TAIL_LINES + 1


@pytest.mark.parametrize("content", [None, b""])
def test_of_a_log_without_a_line_it_is_said_that_there_is_nothing(tmp_path: Path, content: bytes | None) -> None:
    log = tmp_path / "x.log"
    if content is not None:
        log.write_bytes(content)
    assert tail(log) == f"nothing is in {log}"


def test_a_log_that_is_no_text_is_shown_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"\xff\xfe\n")
    assert "\ufffd" in tail(tmp_path / "x.log")
