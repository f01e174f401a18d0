import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.proxy.accesslog.accessfile import LOOK_EVERY_S, AccessFile, AccessStream

LINE = b'{"path":"/"}\n'


class FullDisk:
    """Takes ``room`` bytes, and then no more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, descriptor: int, data: Any) -> int:
        piece = bytes(data)[: self.room]
        if not piece:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(piece)
        return self._write(descriptor, piece)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def make_file(path: Path, vclock: VirtualClock, request: pytest.FixtureRequest) -> Callable[..., AccessFile]:
    def make(limit_bytes: int = 0, keep: int = 2, *, rotates: bool = True) -> AccessFile:
        file = AccessFile(path, vclock.monotonic, limit_bytes=limit_bytes, keep=keep, rotates=rotates)
        request.addfinalizer(file.close)
        return file

    return make


def test_the_file_is_made_for_its_owner_alone(make_file: Callable[..., AccessFile], path: Path) -> None:
    assert make_file().write(LINE) == 0
    assert path.read_bytes() == LINE
    assert path.stat().st_mode & 0o777 == 0o600


def test_lines_are_added_to_what_is_there(make_file: Callable[..., AccessFile], path: Path) -> None:
    path.write_bytes(b"before\n")
    make_file().write(LINE)
    assert path.read_bytes() == b"before\n" + LINE


@pytest.mark.parametrize("kind", ["symlink", "fifo", "directory", "missing directory", "no path"])
def test_what_is_no_file_of_its_own_is_not_written(vclock: VirtualClock, tmp_path: Path, path: Path, kind: str) -> None:
    target = tmp_path / "elsewhere"
    target.write_bytes(b"precious")
    match kind:
        case "symlink":
            path.symlink_to(target)
        case "fifo":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case "missing directory":
            path = tmp_path / "none/access.log"
        case _:
            path = Path("nul\0l")

    file = AccessFile(path, vclock.monotonic, limit_bytes=0, keep=1)

    assert file.write(LINE * 3) == 3
    assert file.problem.startswith(f"cannot write {path}: ")
    assert target.read_bytes() == b"precious"
    file.close()


async def test_a_file_that_was_moved_away_is_made_anew_within_a_second(
    make_file: Callable[..., AccessFile], path: Path, vclock: VirtualClock
) -> None:
    file = make_file()
    file.write(b"1\n")
    path.rename(path.with_name("moved"))
    file.write(b"2\n")
    await vclock.advance(LOOK_EVERY_S)
    file.write(b"3\n")

    assert (path.with_name("moved").read_bytes(), path.read_bytes()) == (b"1\n2\n", b"3\n")


def test_at_its_limit_a_file_is_rotated_and_the_oldest_goes(make_file: Callable[..., AccessFile], path: Path) -> None:
    file = make_file(limit_bytes=8, keep=2)
    for number in range(8):
        assert file.write(b"%03d\n" % number) == 0

    kept = {one.name: one.read_bytes() for one in path.parent.iterdir()}

    assert kept == {
        "access.log": b"006\n007\n",
        "access.log.1": b"004\n005\n",
        "access.log.2": b"002\n003\n",
    }


def test_where_no_old_file_is_kept_it_is_begun_anew(make_file: Callable[..., AccessFile], path: Path) -> None:
    file = make_file(limit_bytes=8, keep=0)
    for number in range(5):
        assert file.write(b"%03d\n" % number) == 0
    assert {one.name: one.read_bytes() for one in path.parent.iterdir()} == {"access.log": b"004\n"}


def test_a_batch_larger_than_the_limit_is_written_whole(make_file: Callable[..., AccessFile], path: Path) -> None:
    file = make_file(limit_bytes=8)
    assert file.write(LINE * 3) == 0
    assert path.read_bytes() == LINE * 3


async def test_of_two_processes_one_rotates_and_the_other_follows(
    make_file: Callable[..., AccessFile], path: Path, vclock: VirtualClock
) -> None:
    ours, its = make_file(limit_bytes=8), make_file(limit_bytes=8, rotates=False)
    its.write(b"one\n")
    ours.write(b"two\n")
    ours.write(b"six\n")
    its.write(b"old\n")
    await vclock.advance(LOOK_EVERY_S)
    its.write(b"new\n")

    assert path.with_name("access.log.1").read_bytes() == b"one\ntwo\nold\n"
    assert path.read_bytes() == b"six\nnew\n"


def test_a_file_that_cannot_be_rotated_does_not_grow(
    make_file: Callable[..., AccessFile], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_file(limit_bytes=8)
    file.write(b"one\ntwo\n")

    def refuse(_path: Path, _target: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refuse)
        assert file.write(b"six\n") == 1
        assert "Permission denied" in file.problem
    assert path.read_bytes() == b"one\ntwo\n"
    assert file.write(b"ten\n") == 0
    assert path.read_bytes() == b"ten\n"


def test_on_a_full_disk_no_half_line_is_left_and_it_goes_on_once_there_is_room(
    make_file: Callable[..., AccessFile], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_file()
    disk = FullDisk(monkeypatch, room=2 * len(LINE) + 5)

    assert file.write(LINE * 5) == 3
    assert file.problem.startswith(f"cannot write {path}: No space left on device")
    assert path.read_bytes() == LINE * 2
    assert file.write(LINE) == 1
    disk.room = 1000
    assert file.write(LINE) == 0
    assert (path.read_bytes(), file.problem) == (LINE * 3, "")


def test_where_another_process_wrote_behind_a_half_line_it_is_ended_before_the_next(
    make_file: Callable[..., AccessFile], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_file()
    disk = FullDisk(monkeypatch, room=5)
    monkeypatch.setattr(os, "lseek", lambda *_: 1)

    assert file.write(LINE) == 1
    disk.room = 1000
    file.write(LINE)

    assert path.read_bytes() == LINE[:5] + b"\n" + LINE


def test_a_stream_gets_the_lines_and_is_left_open() -> None:
    reader, writer = os.pipe()
    stream = AccessStream(writer)
    assert stream.write(LINE) == 0
    stream.close()
    assert os.read(reader, 100) == LINE
    os.close(writer)
    os.close(reader)


def test_lines_for_a_stream_that_nobody_reads_are_lost() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = AccessStream(writer)
    assert stream.write(LINE * 2) == 2
    assert "Broken pipe" in stream.problem
    os.close(writer)


def test_a_half_line_of_a_stream_is_ended_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    stream = AccessStream(writer)
    disk = FullDisk(monkeypatch, room=len(LINE) + 5)
    assert stream.write(LINE * 3) == 2
    disk.room = 1000
    assert stream.write(LINE) == 0
    assert os.read(reader, 100) == LINE + LINE[:5] + b"\n" + LINE
    os.close(writer)
    os.close(reader)
