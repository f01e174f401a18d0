"""``edgecore replay``: its flags, and what a person sees."""

import io
import math
from pathlib import Path

import pytest

from edgecore.cli import PROGRAM
from edgecore.cli.replay import _options
from edgecore.cli.replay_screen import WIDTH, Screen, shown
from edgecore.recording.entries import CloudFrame, ConnectionEvent, Direction, Note
from edgecore.replay.options import Progress, ReplayOptions
from edgecore.replay.run import name_of


def options(*arguments: str) -> ReplayOptions:
    return _options(PROGRAM.parser("replay").parse_args(["replay", *arguments]))


def test_without_flags_it_goes_as_fast_as_it_can_in_virtual_time() -> None:
    found = options("a.jsonl", "b.jsonl")
    assert found.files == (Path("a.jsonl"), Path("b.jsonl"))
    assert math.isinf(found.speed)
    assert found.virtual_time


@pytest.mark.parametrize(
    ("flags", "is_virtual"),
    [
        (("--speed", "1"), False),
        (("--speed", "max"), True),
        (("--speed", "2", "--virtual-time"), True),
        (("--no-virtual-time",), False),
        (("--speed", "1", "--step"), True),
    ],
)
def test_time_is_virtual_where_it_is_asked_for_or_nobody_waits_for_it(flags: tuple[str, ...], is_virtual: bool) -> None:
    assert options("a.jsonl", *flags).virtual_time is is_virtual


def test_what_was_before_is_played_before() -> None:
    found = options("c.jsonl", "--after", "a.jsonl", "b.jsonl", "--db", "x.db")
    assert (found.after, found.files) == ((Path("a.jsonl"), Path("b.jsonl")), (Path("c.jsonl"),))


def test_names_are_mapped() -> None:
    assert options("a", "--map", "node=n9,10.0.0.1=10.0.0.2", "--map", "namespace=x:y").mapping.node == "n9"


@pytest.mark.parametrize("flags", [("--speed", "0"), ("--speed", "nan"), ("--loop", "0"), ("--from", "noon")])
def test_a_flag_that_means_nothing_is_wrong_usage(flags: tuple[str, ...]) -> None:
    assert PROGRAM.main(["replay", "a.jsonl", *flags]) == 2


def test_a_file_that_is_not_there_could_not_be_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert PROGRAM.main(["replay", str(tmp_path / "none.jsonl")]) == 2
    assert "cannot read recording" in capsys.readouterr().err


def test_an_unknown_mapping_could_not_be_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    assert PROGRAM.main(["replay", "a.jsonl", "--map", "colour=red"]) == 2
    assert "cannot map" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.jsonl.zst", "x.mcap"])
def test_a_recording_is_named_without_how_it_is_kept(name: str) -> None:
    assert name_of(Path("folder") / name) == "x"


def test_an_entry_is_one_line_for_people() -> None:
    text = shown(CloudFrame(3, 0, Direction.TO_EDGE, 1, "x\n" * 100, n=7))
    assert text.startswith("     #7 cloud->edge x x")
    assert len(text) == 8 + WIDTH
    assert shown(Note(3, 0, "cut", "", "", "")) == "     #3 note: cut"
    assert shown(ConnectionEvent(1, 0, Direction.TO_CLOUD, 2, "open", "")) == "     #1 edge->cloud connection 2: open"


def test_progress_is_for_terminals() -> None:
    out = io.StringIO()
    Screen(out).tell(Progress("r", 1, 2, 1, 1))
    assert out.getvalue() == ""
