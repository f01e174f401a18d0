"""``edgecore recording``, its verbs on files."""

import base64
import json
import os
import re
import stat
import sys
import tracemalloc
from pathlib import Path

import pytest
from msgspec.structs import replace

from edgecore.cli import main
from edgecore.recording.entries import CloudFrame, Direction, Entry, Loss, Note, SessionHead
from edgecore.recording.reader import read_entries
from edgecore.recording.selection import Selector
from edgecore.recording.writer import open_writer

EXAMPLES = Path(__file__).parents[3] / "examples" / "recordings"
B = EXAMPLES / "b_services_endpoints_pods.jsonl"


def written(path: Path, *entries: Entry) -> Path:
    with open_writer(path) as writer:
        for entry in entries:
            writer.write(entry)
    return path


def recording(*arguments: object) -> int:
    return main(["recording", *map(str, arguments)])


def test_info_shows_who_when_and_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(
        tmp_path / "s.jsonl.zst",
        SessionHead(1, 10**9, 2, "edgecore 0.9", "n1", ("text", "note"), redacted=True, n=1),
        Note(2, 3 * 10**9, "cut\x1b[2J the link", "", "", "", n=2),
    )
    assert recording("info", path) == 0
    shown = capsys.readouterr().out
    for words in (
        "version 2, secrets replaced",
        "edgecore 0.9 at n1",
        "frames, notes",
        "1970-01-01T00:00:03.000Z (+2.000 s)",
        "line 2  +2.000 s  cut\\x1b[2J the link",
    ):
        assert words in shown


def test_info_of_an_old_recording_counts_its_messages(capsys: pytest.CaptureFixture[str]) -> None:
    assert recording("info", B, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["version"], figures["entries"], figures["kinds"]["text"]) == (1, 148, 126)
    assert {"way": "cloud->edge", "source": "edgecontroller", "operation": "insert", "entries": 18} in figures[
        "messages"
    ]


def test_info_ends_with_3_where_something_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recording("info", written(tmp_path / "lossy.jsonl", Loss(1, 1, 5, "disk"))) == 3
    assert "lost     5 entries" in capsys.readouterr().out
    torn = written(tmp_path / "torn.jsonl", Note(1, 1, "a", "", "", ""), Note(2, 1, "b", "", "", ""))
    torn.write_bytes(torn.read_bytes()[:-5])
    assert recording("info", torn) == 3
    captured = capsys.readouterr()
    assert "ends in the middle of line 2" in captured.out
    assert "ends in the middle of line 2" in captured.err


def test_an_empty_file_has_nothing_to_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "empty.jsonl"
    path.touch()
    assert recording("info", path) == 0
    assert "entries  0, 0 bytes" in capsys.readouterr().out


def test_filter_prints_lines_as_they_are(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert recording("filter", B, "kind=frame", "operation=insert", "resource=default/service/*") == 0
    sys.stdout.flush()
    lines = capfdbinary.readouterr().out.splitlines(keepends=True)
    assert len(lines) == 8
    assert set(lines) <= set(B.read_bytes().splitlines(keepends=True))


@pytest.mark.parametrize("with_head", [False, True])
def test_a_part_without_entries_is_said_to_be_one(
    tmp_path: Path, with_head: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    head = [SessionHead(1, 1, 2, n=1)] if with_head else []
    path = written(tmp_path / "r.jsonl", *head, Note(2, 2, "a", "", "", "", n=2))
    for place, complaint in (("note:b", "edgecore: no entry is what was asked for\n"), ("note:a", "")):
        assert recording("cut", path, "--from", place, "-o", tmp_path / "o.jsonl", "--force") == 0
        assert capsys.readouterr().err == complaint


def test_a_recording_may_come_from_standard_input(capsys: pytest.CaptureFixture[str]) -> None:
    before = os.dup(0)
    with B.open("rb") as file:
        os.dup2(file.fileno(), 0)
    try:
        assert recording("info", "-") == 0
    finally:
        os.dup2(before, 0)
        os.close(before)
    assert "entries  148" in re.sub(" +", "  ", capsys.readouterr().out)


def test_cut_writes_a_part_for_its_owner_alone(tmp_path: Path) -> None:
    assert recording("cut", B, "--from", "10", "--until", "19", "--output", tmp_path / "part.jsonl.gz") == 0
    assert len(list(read_entries(tmp_path / "part.jsonl.gz"))) == 10
    assert stat.S_IMODE((tmp_path / "part.jsonl.gz").stat().st_mode) == 0o600


def test_ctrl_c_leaves_no_output_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Selector, "takes_outline", interrupt)
    assert recording("cut", B, "-o", tmp_path / "part.jsonl.zst") == 130
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_exists_is_refused_and_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "mine.jsonl"
    target.write_text("mine")
    assert recording("cut", B, "-o", target) == 1
    assert "it exists; name another file, or add --force" in capsys.readouterr().err
    assert target.read_text() == "mine"
    assert recording("cut", B, "-o", target, "--force") == 0
    assert target.read_bytes() == B.read_bytes()


def test_a_recording_can_take_its_own_place(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(B.read_bytes())
    assert recording("cut", path, "--until", "2", "-o", path, "--force") == 0
    assert len(list(read_entries(path))) == 2


def test_a_link_is_followed_and_the_file_behind_it_written(tmp_path: Path) -> None:
    (tmp_path / "link.jsonl").symlink_to("behind.jsonl")
    for flags in ((), ("--force",)):
        assert recording("filter", B, "kind=note", "-o", tmp_path / "link.jsonl", *flags) == 0
    assert (tmp_path / "link.jsonl").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["behind.jsonl", "link.jsonl"]


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path, force: tuple[str, ...]) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert recording("filter", B, "kind=note", "-o", pipe, *force) == 0
        assert os.read(reading, 10).startswith(b'{"t_ns":')
    finally:
        os.close(reading)
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none/r.gz", "No such file"),
        (".", "Is a directory"),
        ("x" * 300, "name too long"),
        ("bad.jsonl/r", "Not a dir"),
    ],
)
def test_an_output_that_cannot_be_is_named(
    tmp_path: Path, name: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.jsonl").write_bytes(b"")
    assert recording("filter", B, "-o", tmp_path / name, "--force") == 1
    assert re.search(rf"cannot write recording {re.escape(str(tmp_path / name))}: .*{why}", capsys.readouterr().err)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_bad_line_leaves_no_output_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(b'{"t_ns":1,"note":"a"}\n{}\n')
    assert recording("convert", bad, tmp_path / "new.mcap") == 1
    assert "line 2: not an entry" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["bad.jsonl"]


@pytest.mark.parametrize("name", ["n.jsonl.gz", "n.jsonl.zst", "n.mcap"])
def test_converted_there_and_back_it_is_the_same_to_the_byte(tmp_path: Path, name: str) -> None:
    assert recording("convert", B, tmp_path / name) == 0
    assert recording("convert", tmp_path / name, tmp_path / "back.jsonl") == 0
    assert (tmp_path / "back.jsonl").read_bytes() == B.read_bytes()


def test_an_old_recording_is_upgraded(tmp_path: Path) -> None:
    assert recording("convert", "--upgrade", B, tmp_path / "new.jsonl.zst") == 0
    entries = list(read_entries(tmp_path / "new.jsonl.zst"))
    assert isinstance(entries[0], SessionHead)
    assert [entry.n for entry in entries] == list(range(1, 150))


def test_a_cut_recording_is_merged_to_what_it_was(tmp_path: Path) -> None:
    whole = tmp_path / "whole.jsonl"
    assert recording("convert", "--upgrade", B, whole) == 0
    assert recording("cut", whole, "--until", "60", "-o", tmp_path / "a.mcap") == 0
    assert recording("cut", whole, "--from", "61", "-o", tmp_path / "b.jsonl.zst") == 0
    assert recording("merge", tmp_path / "a.mcap", tmp_path / "b.jsonl.zst", "-o", tmp_path / "again.jsonl") == 0
    assert {replace(entry, line=0) for entry in read_entries(tmp_path / "again.jsonl")} == {
        replace(entry, line=0) for entry in read_entries(whole)
    }
    assert len((tmp_path / "again.jsonl").read_bytes()) == len(whole.read_bytes())


@pytest.mark.parametrize("verb", [("filter", "operation=x", "kind=frames"), ("merge",), ("redact",), ("info",)])
def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "long.jsonl.zst"
    with open_writer(path) as writer:
        for number in range(1, 3001):
            writer.write(Note(1, number, "x" * 2000, "", "", "", n=number))
    name, *filters = verb
    output = () if name == "info" else ("--output", tmp_path / "out.jsonl")
    files = (path, path) if name == "merge" else (path,)
    tracemalloc.start()
    try:
        assert recording(name, *files, *filters, *output) == 0
        assert tracemalloc.get_traced_memory()[1] < 4_000_000  # of 6,000,000 in the file
    finally:
        tracemalloc.stop()


def test_redact_leaves_no_secret_and_keeps_equal_ones_equal(tmp_path: Path) -> None:
    secret = base64.b64encode(b"hunter2-hunter2").decode()
    message = {
        "header": {"msg_id": "1"},
        "route": {"source": "e", "group": "resource", "operation": "update", "resource": "default/secret/s"},
        "content": {"kind": "Secret", "data": {"a": secret, "b": secret}},
    }
    path = written(
        tmp_path / "r.jsonl",
        SessionHead(1, 1, 2),
        CloudFrame(2, 2, Direction.TO_EDGE, 1, json.dumps(message)),
        Note(3, 3, "the word is swordfish", "", "", ""),
    )
    known = tmp_path / "known"
    known.write_text("swordfish\n")
    assert recording("redact", path, "--known", known, "-o", tmp_path / "safe.jsonl") == 0
    text = (tmp_path / "safe.jsonl").read_text()
    assert secret not in text
    assert "swordfish" not in text
    head, frame, _ = read_entries(tmp_path / "safe.jsonl")
    assert isinstance(head, SessionHead)
    assert head.redacted
    assert isinstance(frame, CloudFrame)
    data = json.loads(frame.text)["content"]["data"]
    assert data["a"] == data["b"] != secret


def test_a_missing_list_of_secrets_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recording("redact", B, "--known", tmp_path / "none") == 1
    assert "cannot read secrets" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["filter", B, "colour=red"], "cannot read filter 'colour=red'"),
        (["cut", B, "--from", "soon"], "cannot read place 'soon'"),
        (["cut"], "required"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[object], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert recording(*arguments) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["info", "cut", "filter", "merge", "convert", "redact"])
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert recording(verb, "--help") == 0
    shown = capsys.readouterr().out
    assert "examples:" in shown
    assert "exit code" in shown
