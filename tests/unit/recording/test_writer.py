"""Writing recordings to files, and reading them back."""

import gzip
import stat
from pathlib import Path

import pytest
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

from edgecore.errors import ContentError, RecordingError
from edgecore.recording.entries import BusMessage, CloudFrame, Direction, Entry, Note, SessionHead
from edgecore.recording.lines import line_of
from edgecore.recording.packing import mcapfile
from edgecore.recording.packing.mcapfile import PROFILE
from edgecore.recording.reader import read_entries, read_lines
from edgecore.recording.writer import open_writer

NAMES = ["r.jsonl", "r.jsonl.gz", "r.jsonl.zst", "r.mcap"]

ENTRIES: tuple[Entry, ...] = (
    SessionHead(1, 1000, 2, "edgecore 0.9", "n1", ("text", "note"), n=1),
    CloudFrame(2, 1002, Direction.TO_EDGE, 1, '{"a":"\\n\u2603"}\n', n=2),
    BusMessage(3, 1001, "edgehub", "metamanager", "{}", n=3, causes=(2,)),
    Note(4, 1003, "a note\nof two lines", "", "", "", n=4),
)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_reads_back_identical_and_in_order(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with open_writer(path) as writer:
        for entry in ENTRIES:
            writer.write(entry)
        assert writer.count == 4
    assert tuple(read_entries(path)) == ENTRIES
    assert [line for _, line in read_lines(path)] == [line_of(entry) for entry in ENTRIES]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_for_its_owner_alone(tmp_path: Path, name: str) -> None:
    open_writer(tmp_path / name).close()
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert list(read_entries(tmp_path / name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_same_lines_give_the_same_bytes(tmp_path: Path, name: str) -> None:
    for copy in ("a", "b"):
        with open_writer(tmp_path / f"{copy}-{name}") as writer:
            for entry in ENTRIES:
                writer.write(entry)
    assert (tmp_path / f"a-{name}").read_bytes() == (tmp_path / f"b-{name}").read_bytes()


@pytest.mark.parametrize("name", NAMES[:3])
def test_what_was_flushed_is_found_while_the_file_is_open(tmp_path: Path, name: str) -> None:
    with open_writer(tmp_path / name) as writer:
        writer.write(ENTRIES[0])
        writer.flush()
        assert len(list(read_entries(tmp_path / name))) == 1


def test_a_file_that_exists_is_refused_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"mine")
    with pytest.raises(RecordingError, match=r"cannot write recording .*r\.jsonl: File exists; name another"):
        open_writer(path)
    assert path.read_bytes() == b"mine"
    with open_writer(path, "over") as writer:
        writer.write(ENTRIES[3])
    assert len(list(read_entries(path))) == 1


def test_a_folder_that_is_missing_is_refused_with_the_system_error_as_cause(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file or directory") as refusal:
        open_writer(tmp_path / "none" / "r.jsonl")
    assert isinstance(refusal.value.__cause__, FileNotFoundError)


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_is_refused_and_the_file_is_closed_all_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.symlink_to("/dev/full")
    files = len(list(Path("/proc/self/fd").iterdir()))
    writer = open_writer(path, "over")
    writer.write(ENTRIES[0])
    with pytest.raises(RecordingError, match="No space left on device"):
        writer.flush()
    with pytest.raises(RecordingError):
        writer.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == files


def test_a_line_after_the_end_is_refused_and_a_second_close_is_not(tmp_path: Path) -> None:
    writer = open_writer(tmp_path / "r.jsonl")
    writer.close()
    writer.close()
    with pytest.raises(RecordingError, match="closed"):
        writer.write(ENTRIES[0])


def test_packed_files_one_after_the_other_are_one(tmp_path: Path) -> None:
    for name in NAMES:
        with open_writer(tmp_path / name) as writer:
            writer.write(ENTRIES[0])
        path = tmp_path / f"two-{name}"
        path.write_bytes((tmp_path / name).read_bytes() * 2)
        assert len(list(read_entries(path))) == 2


def test_gzip_knows_what_was_packed(tmp_path: Path) -> None:
    with open_writer(tmp_path / "r.jsonl.gz") as writer:
        writer.write(ENTRIES[1])
    assert gzip.decompress((tmp_path / "r.jsonl.gz").read_bytes()) == line_of(ENTRIES[1])


def test_a_viewer_of_mcap_finds_a_channel_for_each_kind_with_its_schema(tmp_path: Path) -> None:
    with open_writer(tmp_path / "r.mcap") as writer:
        for entry in ENTRIES:
            writer.write(entry)
    with (tmp_path / "r.mcap").open("rb") as file:
        found = [
            (channel.topic, schema and schema.name, message.log_time)
            for schema, channel, message in make_reader(file, validate_crcs=True).iter_messages()
        ]
    assert found == [
        ("edgecore/session", "edgecore.session", 1000),
        ("edgecore/bus", "edgecore.bus", 1001),
        ("edgecore/text", "edgecore.text", 1002),
        ("edgecore/note", "edgecore.note", 1003),
    ]


def test_an_mcap_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    with open_writer(path) as writer:
        writer.write(ENTRIES[0])
    path.write_bytes(path.read_bytes().replace(b"edgecore-recording", b"some-other-profile"))
    with pytest.raises(ContentError, match="profile 'some-other-profile'"):
        list(read_entries(path))


@pytest.mark.parametrize("compression", list(CompressionType))
def test_an_mcap_file_that_another_program_packed_anew_is_read(tmp_path: Path, compression: CompressionType) -> None:
    path = tmp_path / "r.mcap"
    with path.open("wb") as file:
        packed = Writer(file, compression=compression)
        packed.start(PROFILE)
        channel = packed.register_channel("edgecore/note", "json", packed.register_schema("note", "jsonschema", b"{}"))
        packed.add_message(channel, 5, b'{"t_ns":5,\n "note":"a"}', 5)
        packed.finish()  # type: ignore[no-untyped-call]
    assert list(read_entries(path)) == [Note(1, 5, "a", "", "", "")]


@pytest.mark.parametrize("compression", [CompressionType.LZ4, CompressionType.ZSTD])
def test_a_chunk_of_an_mcap_file_that_would_fill_the_memory_is_refused(
    tmp_path: Path, compression: CompressionType, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.mcap"
    with path.open("wb") as file:
        packed = Writer(file, chunk_size=10**6, compression=compression)
        packed.start(PROFILE)
        channel = packed.register_channel("edgecore/note", "json", packed.register_schema("note", "jsonschema", b"{}"))
        packed.add_message(channel, 5, b'{"t_ns":5,"note":"' + b"x" * 100_000 + b'"}', 5)
        packed.finish()  # type: ignore[no-untyped-call]
    monkeypatch.setattr(mcapfile, "MAX_RECORD_BYTES", 50_000)
    with pytest.raises(ContentError, match="at most 50000 are read"):
        list(read_entries(path))


def test_a_line_keeps_its_end_in_an_mcap_file(tmp_path: Path) -> None:
    line = b'{"t_ns":5,"note":"of another system"}\r\n'
    with open_writer(tmp_path / "r.mcap") as writer:
        writer.write_line(line)
    assert list(read_lines(tmp_path / "r.mcap")) == [(1, line)]


def test_a_torn_mcap_file_is_read_up_to_its_last_whole_chunk(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    note = Note(1, 5, "x" * 600_000, "", "", "")
    with open_writer(path) as writer:
        for _ in range(3):
            writer.write(note)
    told: list[str] = []
    path.write_bytes(path.read_bytes()[:-1000])
    assert len(list(read_entries(path, on_torn=told.append))) >= 2
    assert len(told) == 1
