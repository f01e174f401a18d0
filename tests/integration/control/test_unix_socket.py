"""Listening on a path: modes, long paths, and files that are there already."""

import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from edgecore.control import unix_socket
from edgecore.control.unix_socket import UnixListener, address_of
from edgecore.errors import ListenError


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as peer, address_of(path) as address:
        try:
            peer.connect(address)
        except OSError:
            return False
        return True


def _leave_dead_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead, address_of(path) as address:
        dead.bind(address)
        dead.listen()


@contextmanager
def _queue_full(path: Path) -> Iterator[None]:
    """Hold a live socket whose queue takes no more connections."""
    peers: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as live, address_of(path) as address:
        live.bind(address)
        live.listen(0)
        try:
            while True:
                peers.append(socket.socket(socket.AF_UNIX))
                peers[-1].setblocking(False)
                peers[-1].connect(address)
        except BlockingIOError:
            yield
        finally:
            for peer in peers:
                peer.close()


def _long(tmp_path: Path) -> Path:
    deep = tmp_path.joinpath(*["directory-with-a-name"] * 8)
    return deep / "node.sock"


def test_only_the_owner_may_use_the_socket(path: Path) -> None:
    with closing(UnixListener(path)):
        assert _mode(path) == 0o600


def test_a_missing_directory_is_made_for_the_owner_alone(tmp_path: Path) -> None:
    with closing(UnixListener(tmp_path / "state" / "node.sock")):
        assert _mode(tmp_path / "state") == 0o700


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o755])
def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(mode)
    with closing(UnixListener(tmp_path / "state" / "node.sock")):
        assert _mode(tmp_path / "state") == mode


def test_a_stranger_who_locks_a_directory_that_others_may_read_keeps_nobody_from_listening(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    stranger = os.open(shared, os.O_RDONLY)
    try:
        fcntl.flock(stranger, fcntl.LOCK_EX)
        with closing(UnixListener(shared / "node.sock")):
            assert _mode(shared / "node.sock") == 0o600
    finally:
        os.close(stranger)


def test_the_file_of_a_dead_process_is_replaced(path: Path) -> None:
    _leave_dead_socket(path)
    with closing(UnixListener(path)):
        assert _connects(path)


def test_the_socket_of_a_live_process_is_left_to_it(path: Path) -> None:
    words = f"^cannot listen on {path}: another node is running there; stop that one, or give this one a place"
    with closing(UnixListener(path)):
        with pytest.raises(ListenError, match=words) as refused:
            UnixListener(path, "node")
        assert _connects(path)
    assert refused.value.reason == "in_use"


def test_a_live_process_that_is_too_busy_to_accept_is_alive(path: Path) -> None:
    with _queue_full(path), pytest.raises(ListenError, match="is running there"):
        UnixListener(path)


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(ListenError, match="a file that is no socket is in the way"):
        UnixListener(path)
    assert path.read_text() == "precious"


def test_a_link_is_left_alone(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ListenError, match="a file that is no socket is in the way"):
        UnixListener(path)
    assert path.is_symlink()


def test_a_directory_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ListenError) as refused:
        UnixListener(tmp_path / "file" / "node.sock")
    assert refused.value.reason in ("no_such_address", "failed")


def test_of_many_that_start_at_once_one_gets_the_path(path: Path, scale: int) -> None:
    def start(_number: int) -> UnixListener | None:
        try:
            return UnixListener(path)
        except ListenError:
            return None

    with ThreadPoolExecutor(8) as pool:
        for _ in range(10 * scale):
            _leave_dead_socket(path)
            listeners = [listener for listener in pool.map(start, range(8)) if listener is not None]
            assert len(listeners) == 1
            assert _connects(path)
            listeners[0].close()


def test_a_path_longer_than_a_socket_address_is_reached(tmp_path: Path) -> None:
    path = _long(tmp_path)
    with closing(UnixListener(path)):
        assert len(str(path)) > 107
        assert path.is_socket()
        assert _connects(path)
    assert not path.exists()


def test_a_dead_file_at_a_long_path_is_replaced(tmp_path: Path) -> None:
    path = _long(tmp_path)
    path.parent.mkdir(parents=True)
    _leave_dead_socket(path)
    with closing(UnixListener(path)):
        assert _connects(path)


def test_a_name_longer_than_a_socket_address_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(
        ListenError, match=r"the system takes 107 bytes for a socket, this path has \d+; choose a short"
    ):
        UnixListener(tmp_path / ("x" * 100))


def test_a_long_path_without_proc_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unix_socket, "_OPEN_FILES", tmp_path / "no-proc")
    with pytest.raises(ListenError, match="choose a shorter one"):
        UnixListener(_long(tmp_path))


def test_closing_removes_the_file(path: Path) -> None:
    listener = UnixListener(path)
    listener.close()
    listener.close()
    assert not path.exists()


def test_closing_leaves_a_file_that_somebody_else_put_there(path: Path) -> None:
    listener = UnixListener(path)
    path.unlink()
    _leave_dead_socket(path)
    listener.close()
    assert path.is_socket()
