"""Files that only their owner may read."""

from pathlib import Path

import pytest

from cloudhub_stub.certificates.privatefiles import LIMIT_BYTES, read_small, write_private
from edgecore.errors import ConfigError


def test_what_was_written_is_read_and_is_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "key"
    write_private(path, b"one")
    write_private(path, b"two")
    assert read_small(path) == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [path.parent.stat().st_mode & 0o777, path.parent.parent.stat().st_mode & 0o777] == [0o700, 0o700]
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "key").mkdir()
    with pytest.raises(ConfigError, match=r"cannot write .*key: "):
        write_private(tmp_path / "key", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_file_that_is_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(bytes(LIMIT_BYTES + 1))
    with pytest.raises(ConfigError, match="longer than 1048576 bytes"):
        read_small(tmp_path / "key")
