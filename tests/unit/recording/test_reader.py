"""Reading recordings from files."""

import gzip
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from edgecore.errors import ContentError
from edgecore.recording.entries import CloudFrame, Note
from edgecore.recording.reader import read_entries

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


def test_a_truncated_compressed_file_is_refused_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl.gz"
    path.write_bytes(gzip.compress(NOTE * 3)[:-9])
    with pytest.raises(ContentError, match="after line"):
        list(read_entries(path))


@pytest.mark.parametrize(
    ("name", "lines", "frames"), [("b_services_endpoints_pods.jsonl", 148, 126), ("b2_deletes.jsonl", 51, 35)]
)
def test_the_examples_are_read_whole(name: str, lines: int, frames: int) -> None:
    kinds = Counter(type(entry) for entry in read_entries(EXAMPLES / name))
    assert (kinds.total(), kinds[CloudFrame]) == (lines, frames)
