"""Reading recordings from files."""

import contextlib
import gzip
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.errors import ContentError
from edgecore.recording.entries import CloudFrame, Note
from edgecore.recording.lines import line_of
from edgecore.recording.reader import read_entries
from edgecore.recording.writer import open_writer

EXAMPLES = Path(__file__).parents[3] / "examples" / "recordings"

NOTE = b'{"t_ns":1,"note":"a"}\n'


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz"])
def test_lines_are_counted_from_one(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, NOTE + NOTE)
    assert [entry.line for entry in read_entries(path)] == [1, 2]


def test_a_last_line_without_newline_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", NOTE + NOTE.rstrip())
    assert len(list(read_entries(path))) == 2


def test_a_blank_line_is_passed_over_but_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", NOTE + b"\n  \r\n" + NOTE)
    assert [entry.line for entry in read_entries(path)] == [1, 4]


def test_an_empty_file_has_no_entries(tmp_path: Path) -> None:
    assert list(read_entries(write(tmp_path / "r.jsonl", b""))) == []


def test_a_bad_line_is_named_after_the_good_ones_were_read(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", NOTE + b"{\n" + NOTE)
    entries = read_entries(path)
    assert isinstance(next(entries), Note)
    with pytest.raises(ContentError, match=rf"cannot read recording {path}: line 2: not an entry"):
        next(entries)


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".mcap"])
def test_a_packed_file_under_another_name_is_told_which_it_needs(tmp_path: Path, suffix: str) -> None:
    with open_writer(tmp_path / f"r{suffix}") as writer:
        writer.write_line(NOTE)
    path = (tmp_path / f"r{suffix}").rename(tmp_path / "r.jsonl")
    with pytest.raises(ContentError, match=rf"the file is packed; give it a name that ends in \{suffix}"):
        list(read_entries(path))


def test_a_line_beyond_the_limit_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", NOTE + b'{"t_ns":1,"note":"' + b"x" * 100 + b'"}\n')
    with pytest.raises(ContentError, match="line 2: longer than 50 bytes"):
        list(read_entries(path, max_line_bytes=50))


def test_a_line_of_just_the_limit_is_read(tmp_path: Path) -> None:
    assert len(list(read_entries(write(tmp_path / "r.jsonl", NOTE), max_line_bytes=len(NOTE)))) == 1


def test_a_long_compressed_line_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "bomb.jsonl.gz", b" " * 20_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(ContentError, match="longer than 1000 bytes"):
            list(read_entries(path, max_line_bytes=1000))
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"cannot read recording .*none\.jsonl: No such file"):
        list(read_entries(tmp_path / "none.jsonl"))


def test_what_is_not_compressed_is_refused_under_a_name_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl.gz"
    path.write_bytes(NOTE)
    with pytest.raises(ContentError, match=r"cannot read recording .*r\.jsonl\.gz"):
        list(read_entries(path))


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz", "r.jsonl.zst"])
def test_a_torn_end_costs_the_last_line(tmp_path: Path, name: str) -> None:
    path, whole = tmp_path / name, tmp_path / f"whole-{name}"
    with open_writer(whole) as writer:
        writer.write_line(NOTE)
        writer.write_line(NOTE)
        writer.flush()
        writer.write_line(b'{"t_ns":9876543210,"note":"The quick brown fox jumps over the lazy dog"}\n')
    path.write_bytes(whole.read_bytes()[:-15])
    told: list[str] = []
    assert len(list(read_entries(path, on_torn=told.append))) == 2
    # Zstandard gives whole blocks: where these end with a line, nobody can tell that more was to come.
    assert [str(path) in sentence for sentence in told] == ([] if name.endswith(".zst") else [True])


@given(st.data())
def test_torn_at_any_byte_costs_only_the_last_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "torn.jsonl"
    lines = data.draw(st.lists(st.text(max_size=5), min_size=1, max_size=4))
    written = [line_of(Note(number, 7, text, "", "", "")) for number, text in enumerate(lines, 1)]
    length = data.draw(st.integers(0, sum(map(len, written))))
    path.write_bytes(b"".join(written)[:length])
    whole = 0
    while whole < len(written) and len(b"".join(written[: whole + 1])) - 1 <= length:
        whole += 1  # its newline alone may be missing
    assert [entry.text for entry in read_entries(path) if isinstance(entry, Note)] == lines[:whole]


def test_zeros_after_a_power_cut_are_a_torn_line(tmp_path: Path) -> None:
    told: list[str] = []
    path = write(tmp_path / "r.jsonl", NOTE + b"\0" * 100)
    assert len(list(read_entries(path, on_torn=told.append))) == 1
    assert "line 2" in told[0]


def test_text_that_is_no_recording_is_no_torn_line(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="line 1: not an entry"):
        list(read_entries(write(tmp_path / "r.jsonl", b"hello")))


@pytest.mark.parametrize("name", ["r.jsonl.gz", "r.jsonl.zst", "r.mcap"])
@given(data=st.data())
def test_damage_in_a_packed_file_raises_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / f"damaged-{name}"
    with open_writer(path, "over") as writer:
        for number in range(3):
            writer.write(Note(number, number, "some words", "", "", ""))
    packed = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(packed)
    with contextlib.suppress(ContentError):
        list(read_entries(path))


@pytest.mark.parametrize("name", ["r.jsonl.gz", "r.jsonl.zst", "r.mcap"])
@given(data=st.binary(max_size=200))
def test_no_bytes_in_a_packed_file_raise_anything_else(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any-{name}"
    path.write_bytes(data)
    with contextlib.suppress(ContentError):
        list(read_entries(path))


@pytest.mark.parametrize(
    ("name", "lines", "frames"), [("b_services_endpoints_pods.jsonl", 148, 126), ("b2_deletes.jsonl", 51, 35)]
)
def test_the_examples_are_read_whole(name: str, lines: int, frames: int) -> None:
    kinds = Counter(type(entry) for entry in read_entries(EXAMPLES / name))
    assert (kinds.total(), kinds[CloudFrame]) == (lines, frames)
