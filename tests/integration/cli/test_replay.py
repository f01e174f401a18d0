"""``edgecore replay`` in this process: the verdict, its exit code, and where a recording begins in the middle."""

from pathlib import Path

import pytest

from edgecore.cli import PROGRAM

DATA = Path(__file__).parents[2] / "data"
CONNECT = DATA / "a_connect_first_sync.jsonl"
SERVICES = DATA / "b_services_endpoints_pods.jsonl"
RESTARTED = DATA / "e0_both_restarted_with_existing_objects.jsonl"
DELETES = DATA / "b2_deletes.jsonl"
DEVICES = DATA / "d_devices_twins.jsonl"


def replay(*arguments: str | Path) -> int:
    return PROGRAM.main(["replay", *map(str, arguments)])


def test_what_our_node_did_replays_equal_and_another_name_makes_it_different(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = tmp_path / "ours.jsonl"
    assert replay(DEVICES, "--output", ours) == 0
    assert replay(ours) == 0
    text = ours.read_text()
    assert text.count("power-status") > 3
    last = text.rindex('"dir":"edge->cloud","text"', 0, text.rindex("led-1/twin"))
    changed = tmp_path / "changed.jsonl"
    changed.write_text(text[:last] + text[last:].replace("led-1", "led-9", 1))
    capsys.readouterr()
    assert replay(changed) == 1
    assert "led-9" in capsys.readouterr().out


def test_a_recording_without_what_devices_said_is_told_to_be_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without = tmp_path / "without.jsonl"
    lines = DEVICES.read_text().splitlines(keepends=True)
    without.write_text("".join(line for line in lines if "mqtt publish" not in line))
    assert replay(without) == 1
    assert "what devices said was not recorded" in capsys.readouterr().out
    assert replay(DEVICES) == 0
    assert "what devices said" not in capsys.readouterr().out


def test_a_recording_that_begins_in_the_middle_needs_what_was_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pod ends in it that came earlier: from the recordings before, or from the database that came of them."""
    was = tmp_path / "was"
    assert replay(DELETES) == 1
    told = capsys.readouterr().out
    assert "default/pod/nginx-0" in told
    assert "b2_deletes: begins in the middle; what the node knew before is missing (--db, --after)" in told
    assert replay(DELETES, "--after", CONNECT, SERVICES, RESTARTED, "--output", tmp_path / "ours.jsonl") == 0
    assert "a_connect_first_sync" not in capsys.readouterr().out
    assert replay(CONNECT, SERVICES, RESTARTED, "--directory", was) == 0
    assert replay(DELETES, "--db", was / "edgecore.db") == 0
