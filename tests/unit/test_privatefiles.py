"""Files and directories for their owner alone."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecore.privatefiles import copy, make_directory, write_atomically


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_every_directory_that_is_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b" / "c")
    assert [mode(tmp_path / place) for place in ("a", "a/b", "a/b/c")] == [0o700] * 3


def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o755)
    make_directory(tmp_path / "a" / "b")
    assert mode(tmp_path / "a") == 0o755


@pytest.mark.parametrize("there", ["file", "dangling"])
def test_a_file_or_a_link_to_nothing_in_the_place_of_a_directory_is_an_error(tmp_path: Path, there: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    with pytest.raises(OSError, match=there):
        make_directory(tmp_path / there / "below")
    assert not (tmp_path / "nothing").exists()


@pytest.mark.usefixtures("umask")
def test_a_file_is_for_its_owner_alone_also_where_others_could_read_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(0o644)
    write_atomically(path, b"new")
    copy(path, tmp_path / "copy")
    assert [(each.read_bytes(), mode(each)) for each in (path, tmp_path / "copy")] == [(b"new", 0o600)] * 2


def test_a_draft_that_somebody_made_a_link_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    (tmp_path / "key.part").symlink_to(precious)
    write_atomically(tmp_path / "key", b"new")
    assert (precious.read_bytes(), (tmp_path / "key").read_bytes()) == (b"precious", b"new")
    assert not (tmp_path / "key").is_symlink()


def test_a_copy_goes_over_nothing_and_through_no_link(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        copy(tmp_path / "source", tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "x", b"content")
    assert list(tmp_path.iterdir()) == []
