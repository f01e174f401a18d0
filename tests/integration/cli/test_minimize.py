"""``edgecore recording minimize``: commands that are run for real."""

import argparse
import asyncio
import io
import itertools
import json
import os
import runpy
import select
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgecore.cli.recordings import byreplay, minimize
from edgecore.cli.recordings.trial import Command
from edgecore.errors import RecordingError
from edgecore.recording.entries import CloudFrame, Direction, Note, Snapshot
from edgecore.recording.reader import read_entries
from edgecore.replay.options import ReplayOptions
from edgecore.verdict.verdict import Difference, Verdict

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run(arguments)`` in a directory of its own with ``bad.jsonl``, twenty notes."""
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({"t_ns": number, "note": f"note-{number:02}"}) for number in range(20)]
    Path("bad.jsonl").write_text("\n".join(lines) + "\n")
    parser = argparse.ArgumentParser()
    minimize.add_verb(parser.add_subparsers())

    def run(*arguments: str) -> int:
        args = parser.parse_args(["minimize", "bad.jsonl", *arguments])
        code: int = args.run(args)
        return code

    return run


def notes(name: str) -> list[str]:
    return [json.loads(line)["note"] for line in Path(name).read_text().splitlines()]


def test_the_part_on_which_the_command_fails_is_written_with_its_test(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--test", "! grep -q note-13 {file}") == 0
    assert notes("bad.min.jsonl") == ["note-13"]
    assert stat.S_IMODE(Path("bad.min.jsonl").stat().st_mode) == 0o600
    assert "bad.min.jsonl: 1 of 20 entries, found in " in capsys.readouterr().out
    failing = runpy.run_path("test_bad_min.py")["test_bad_min"]
    with pytest.raises(AssertionError):
        failing()


def test_the_name_of_the_file_stands_behind_a_command_that_says_no_place(run: Run) -> None:
    assert run("--test", "! grep -q note-13", "--output", "small.jsonl", "--no-test-file") == 0
    assert notes("small.jsonl") == ["note-13"]
    assert not list(Path().glob("test_*"))


def test_a_command_that_fails_on_nothing_too_is_told_of(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--test", "false", "--no-test-file") == 0
    assert "it fails without any entry too" in capsys.readouterr().err
    assert run("--test", "! grep -q note-13", "--output", "m.jsonl") == 0
    assert capsys.readouterr().err == ""


def test_a_name_that_is_no_utf_8_stays_that_name(run: Run) -> None:
    assert run("--test", "! grep -q note-13 {file}", "--output", "\udcff.jsonl") == 0
    [test_file] = Path().glob("test_*.py")
    with pytest.raises(AssertionError):
        runpy.run_path(str(test_file))["test_recording"]()


def test_another_exit_code_than_that_of_the_whole_is_another_failure(run: Run) -> None:
    command = "grep -q note-13 {file} && exit 4; exit 5"
    assert run("--test", command) == 0
    assert notes("bad.min.jsonl") == ["note-13"]


def test_an_exit_code_that_is_asked_for_may_be_zero(run: Run) -> None:
    assert run("--test", "grep -q note-13", "--exit-code", "0") == 0
    assert notes("bad.min.jsonl") == ["note-13"]


def test_what_the_command_writes_tells_one_failure_from_another(run: Run) -> None:
    assert run("--test", "grep -o note-.3 {file}; exit 1", "--output-has", "note-13") == 0
    assert notes("bad.min.jsonl") == ["note-13"]


def test_a_command_that_takes_too_long_is_ended_and_is_no_failure(run: Run) -> None:
    command = "if grep -q note-07; then exit 1; else exec sleep 60; fi < {file}"
    assert run("--test", command, "--timeout", "0.2", "--max-runs", "3") == 3
    assert "note-07" in notes("bad.min.jsonl")


def test_a_search_that_is_bounded_writes_the_smallest_part_so_far(run: Run) -> None:
    assert run("--test", "! grep -q note-13", "--max-runs", "5") == 3
    assert "note-13" in notes("bad.min.jsonl")
    assert 1 < len(notes("bad.min.jsonl")) < 20


def test_ctrl_c_writes_the_smallest_part_so_far(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    once = Command.run

    def counted(self: Command, entries: tuple[Note, ...]) -> object:
        runs.append(len(entries))
        if len(runs) == 5:
            raise KeyboardInterrupt
        return once(self, entries)

    monkeypatch.setattr(Command, "run", counted)
    assert run("--test", "! grep -q note-13") == 130
    assert "note-13" in notes("bad.min.jsonl")
    assert len(notes("bad.min.jsonl")) < 20


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--test", "true"], "the command does not fail on all of it (exit code 0)"),
        (["--test", "echo so; exit 2", "--exit-code", "3"], r"exit code 2; --exit-code asks for 3\).*\n  so"),
        (["--test", "no-such-command-anywhere"], "the shell cannot run the command"),
        (["--test", "false", "--output-has", "x"], "the command does not write 'x'"),
        (["--test", "sleep 60; true", "--timeout", "0.2"], "takes longer than 0.2 s"),
        (["--test", "false", "--output", "bad.jsonl"], "cannot write bad.jsonl: file exists"),
        (["--test", "false", "--output", "none/small.jsonl"], "cannot write none/small.jsonl: its folder cannot be"),
    ],
)
def test_what_cannot_be_minimized_is_said_with_its_reason(run: Run, arguments: list[str], reason: str) -> None:
    with pytest.raises(RecordingError, match=reason.replace("(exit code 0)", r"\(exit code 0\)")):
        run(*arguments)
    assert sorted(path.name for path in Path().iterdir()) == ["bad.jsonl"]


def test_what_a_command_leaves_running_is_ended_with_it(tmp_path: Path) -> None:
    held = tmp_path / "held"
    os.mkfifo(held)
    reader = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
    try:
        command = Command(f"exec 9> {held}; sleep 300 & exit 3; :", tmp_path / "x.jsonl", timeout_s=20)
        assert command.run([]).code == 3
        ended = select.poll()
        ended.register(reader, 0)
        assert ended.poll(10_000) == [(reader, select.POLLHUP)]
    finally:
        os.close(reader)


def test_a_command_that_a_signal_ends_has_its_number_in_the_exit_code(tmp_path: Path) -> None:
    command = Command("kill -SEGV $$; :", tmp_path / "x.jsonl", timeout_s=20)
    assert command.run([]).code == 128 + signal.SIGSEGV


@pytest.fixture
def recorded() -> list[bytes]:
    """The lines of a recording with a service and a pod."""
    path = Path(__file__).parents[3] / "examples/replay-as-test/recordings/web.jsonl"
    return path.read_bytes().splitlines(keepends=True)


def test_of_several_differences_the_one_that_is_named_is_kept(run: Run, recorded: list[bytes]) -> None:
    acknowledged = [place for place, line in enumerate(recorded) if b'"OK' in line and b"edge->cloud" in line]
    for place in acknowledged[:3]:
        recorded[place] = recorded[place].replace(b'\\"OK\\"', b'\\"NO\\"')
    Path("bad.jsonl").write_bytes(b"".join(recorded))
    resource = json.loads(json.loads(recorded[acknowledged[2]])["text"])["route"]["resource"]
    assert run("--output-has", resource) == 0
    left = Path("bad.min.jsonl").read_bytes()
    assert recorded[acknowledged[2]] in left
    assert recorded[acknowledged[0]] not in left


def test_a_recording_whose_replay_is_equal_cannot_be_minimized_without_a_command(
    run: Run, recorded: list[bytes]
) -> None:
    Path("bad.jsonl").write_bytes(b"".join(recorded))
    with pytest.raises(RecordingError, match="its replay is equal to it; say by --test what fails"):
        run()


def test_a_difference_that_is_not_there_cannot_be_kept(run: Run, recorded: list[bytes]) -> None:
    Path("bad.jsonl").write_bytes(b"".join(recorded).replace(b"Running", b"Pending"))
    with pytest.raises(RecordingError, match="no difference has 'colour'"):
        run("--output-has", "colour")


def test_a_replay_of_a_part_that_never_ends_is_no_failure_and_of_the_whole_says_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def replay_and_judge(options: ReplayOptions, _rules: object) -> list[Verdict]:
        while len(list(read_entries(options.files[0]))) != 1:
            await asyncio.sleep(0)
        return [
            Verdict(recording="r", differences=[Difference(kind="query", what="", path="content", recorded=1, ours=2)])
        ]

    monkeypatch.setattr(byreplay, "replay_and_judge", replay_and_judge)
    test = byreplay.ByReplay(tmp_path / "r.jsonl", (), timeout_s=0.05, wanted="")
    note = Note(1, 5, "a", "", "", "")
    assert test.begin([note, note]) == "its replay takes longer than 0.05 s; give it a longer --timeout"
    assert test.begin([note]) == ""
    assert test.fails([note])
    assert not test.fails([note, note])


def frame(line: int, text: str) -> CloudFrame:
    return CloudFrame(line, line, Direction.TO_EDGE, 1, text)


WEB, WEB_TOO, OTHER, STATE = frame(1, "default/service/web"), frame(2, "web"), frame(3, "web-2"), Snapshot(4, 4, {})


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., byreplay.ByReplay]:
    """``judged(difference…)``: what says whether a part fails, where every replay has these differences."""

    def judged(*differences: tuple[str, str, str, int], wanted: str = "") -> byreplay.ByReplay:
        found = [
            Difference(kind=kind, what=what, path=path, recorded=1, ours=2, recorded_entry=entry)
            for kind, what, path, entry in differences
        ]

        async def replay_and_judge(_options: object, _rules: object) -> list[Verdict]:
            return [Verdict(recording="r", differences=found)]

        monkeypatch.setattr(byreplay, "replay_and_judge", replay_and_judge)
        return byreplay.ByReplay(tmp_path / "r.jsonl", (), timeout_s=20, wanted=wanted)

    return judged


@pytest.mark.parametrize(
    "difference",
    [
        ("service", "default/web", "whole", 4),
        ("row listener", "default/listener/default.web", "value", 4),
        ("dns", "web.default", "answer[0]", 4),
        ("pod status", "edged update default/podstatus/web", "message", 3),
    ],
)
def test_what_is_missing_or_wrong_at_the_end_stays_with_all_messages_about_it(
    judged: Callable[..., byreplay.ByReplay], difference: tuple[str, str, str, int]
) -> None:
    test = judged(difference)
    assert test.begin([WEB, WEB_TOO, OTHER, STATE]) == ""
    assert test.fails([WEB, WEB_TOO, STATE])
    assert not test.fails([WEB, OTHER, STATE])
    kind, what, path, entry = difference
    assert judged((kind, f"{what}-2", path, entry)).begin([STATE]) == ""
    assert not test.fails([WEB, WEB_TOO, STATE])


def test_a_field_of_a_message_is_sought_in_any_of_its_kind_and_before_what_follows_from_it(
    judged: Callable[..., byreplay.ByReplay],
) -> None:
    test = judged(("service", "default/a", "whole", 4), ("pod status", "default/podstatus/a", "content.list[3].x", 1))
    assert test.begin([WEB, STATE]) == ""
    assert test.failure == "the replay differs (pod status: content.list[3].x)"
    judged(("pod status", "default/podstatus/b", "content.list[0].x", 1))
    assert test.fails([OTHER])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_it_tells_how_far_it_is_and_takes_the_line_away(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Terminal()
    monkeypatch.setattr(sys, "stderr", told)
    monkeypatch.setattr(minimize, "SystemClock", lambda: SimpleNamespace(monotonic=itertools.count().__next__))
    assert run("--test", "! grep -q note-13", "--no-test-file") == 0
    shown = told.getvalue().split("\r\x1b[K")
    assert shown[1] == "run 1: 20 of 20 entries fail"
    assert shown[-2].endswith(": 2 of 20 entries fail")
    assert shown[-1] == ""


def test_where_nobody_watches_it_tells_nothing_on_the_way(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--test", "! grep -q note-13", "--no-test-file") == 0
    assert capsys.readouterr().err == ""
