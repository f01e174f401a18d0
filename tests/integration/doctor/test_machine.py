"""Looking at a machine, whose root is a directory here; and at DNS servers and nodes that are there or not."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from dnslib import DNSRecord

from edgecore.doctor.machine import Machine, find_by_getent
from edgecore.doctor.reaching import Reached
from edgecore.modules.edgemesh.dns.host import hostfile
from edgecore.modules.edgemesh.dns.resolver.resolvconf import put_first

OURS = put_first(b"nameserver 192.0.2.1\n", "127.0.0.1")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").write_bytes(b"nameserver 192.0.2.1\n")
    return tmp_path


def test_files_are_those_below_the_root(root: Path) -> None:
    machine = Machine(root)
    assert machine.text("/etc/resolv.conf") == "nameserver 192.0.2.1\n"
    assert (machine.exists("/etc/resolv.conf"), machine.exists("/etc/hosts")) == (True, False)
    assert machine.text("/etc/hosts") is None
    assert machine.text("/etc") is None
    assert machine.changed_at("/etc/hosts") is None
    assert (machine.changed_at("/etc/resolv.conf") or 0) > 0


def test_a_setting_of_the_kernel_is_read() -> None:
    assert Machine().text("/proc/sys/kernel/ostype") == "Linux\n"


def test_a_named_pipe_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "etc/nsswitch.conf")
    os.mkfifo(root / "edgecore.db")
    machine = Machine(root)
    assert machine.text("/etc/nsswitch.conf") is None
    assert machine.facts("/edgecore.db").kind == "other"


def test_a_resolv_conf_is_shown_with_its_link(root: Path) -> None:
    (root / "etc/resolv.conf").rename(root / "stub.conf")
    (root / "etc/resolv.conf").symlink_to("../stub.conf")
    file = Machine(root).host_file("/etc/resolv.conf")
    assert (file.content, file.target, file.is_held) == (b"nameserver 192.0.2.1\n", str(root / "stub.conf"), False)
    assert Machine(root).host_file("/etc/none") == ("/etc/none", None, None, False)


def test_a_line_of_ours_is_held_or_was_left_behind(root: Path) -> None:
    path = root / "etc/resolv.conf"
    path.write_bytes(OURS)
    assert not Machine(root).host_file("/etc/resolv.conf").is_held
    held = hostfile.hold(path)
    assert held is not None
    assert Machine(root).host_file("/etc/resolv.conf").is_held
    held.close()
    assert not Machine(root).host_file("/etc/resolv.conf").is_held


def test_what_there_is_at_a_path_is_told(root: Path) -> None:
    machine = Machine(root)
    (root / "etc/resolv.conf").chmod(0o640)
    facts = machine.facts("/etc/resolv.conf")
    assert (facts.kind, facts.mode, facts.uid, facts.head) == ("file", 0o640, os.geteuid(), b"nameserver 192.0.2.1\n")
    assert machine.facts("/etc").kind == "directory"
    assert machine.facts("/etc/none").kind == "absent"


def test_a_directory_that_may_not_be_looked_into_is_unreadable(root: Path, unprivileged: None) -> None:
    (root / "etc").chmod(0)
    try:
        assert Machine(root).facts("/etc/resolv.conf").kind == "unreadable"
        assert Machine(root).host_file("/etc/resolv.conf").content is None
    finally:
        (root / "etc").chmod(0o700)


def test_the_room_is_that_where_a_directory_would_be_made(root: Path) -> None:
    room = Machine(root).room("/var/lib/kubeedge")
    assert room is not None
    assert (room.directory, room.free_bytes > 0) == ("/var/lib/kubeedge", True)


def test_descriptors_are_those_of_processes(root: Path) -> None:
    process = root / "proc/12"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text("dnsmasq\n")
    (process / "fd/4").symlink_to("socket:[4711]")
    (root / "proc/self").mkdir()
    (root / "proc/13").mkdir()  # one that has just ended
    assert list(Machine(root).descriptors()) == [("12", "dnsmasq", "socket:[4711]")]
    assert list(Machine(root / "etc").descriptors()) == []


def test_a_node_that_is_not_there_says_why_in_one_sentence(tmp_path: Path) -> None:
    status, why_not = Machine().status(tmp_path / "none.sock")
    assert status is None
    assert why_not == f"cannot reach the node at {tmp_path / 'none.sock'}: no such socket"


def _answer_once(server: socket.socket, answer: bytes | None) -> None:
    query, peer = server.recvfrom(4096)
    server.sendto(bytes(DNSRecord.parse(query).reply().pack()) if answer is None else answer, peer)


@pytest.mark.parametrize(("answer", "told"), [(None, "NOERROR"), (b"rubbish", "what came back is no DNS reply")])
def test_a_dns_server_is_asked_a_real_question(answer: bytes | None, told: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=_answer_once, args=(server, answer))
        thread.start()
        found = Machine().ask(server.getsockname(), "cluster.local", 6)
        thread.join()
    assert (found if isinstance(found, str) else found["status"]) == told


def test_a_dns_server_that_is_not_there_is_told() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.connect(("127.0.0.1", 9))  # takes datagrams of its peer only
        assert Machine().ask(other.getsockname(), "cluster.local", 6) == "Connection refused"


@pytest.mark.skipif(sys.platform != "linux", reason="getent is glibc's")
def test_the_host_s_own_resolver_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "127.0.0.1" in (find_by_getent("localhost") or ())
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_by_getent("localhost") is None


def test_a_resolver_that_never_answers_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("getent", 10)

    monkeypatch.setattr(subprocess, "run", run)
    assert find_by_getent("localhost") == []


def test_an_address_answers_or_it_is_said_why_not(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()[:2]
        assert machine.reach(address) == Reached()
        (tmp_path / "ca.crt").write_text("none")
        assert machine.reach(address, "/ca.crt").why_not
    assert "refused" in machine.reach(address).why_not


def test_what_is_installed_is_seen(tmp_path: Path) -> None:
    wanted, found = Machine(tmp_path).libraries()
    assert not wanted or "msgspec" in found
    assert Machine(tmp_path).open_files() != 0
