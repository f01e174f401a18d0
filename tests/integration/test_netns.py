"""Namespaces of tests: joined ones reach each other, and nothing of the host changes."""

import sys
from pathlib import Path
from typing import Any

import pytest

from netns import texts_of_host

pytestmark = pytest.mark.namespaces

CONNECT = "import socket, sys; print(socket.create_connection((sys.argv[1], 80), 5).recv(9).decode())"
ANSWER = """
import socket
server = socket.create_server(("0.0.0.0", 80))
print("ready", flush=True)
while True:
    peer = server.accept()[0]
    peer.sendall(b"hello")
    peer.close()
"""


def test_a_container_behind_a_bridge_reaches_the_other_machine_and_the_host_stays_as_it_was(nets: Any) -> None:
    before = list(texts_of_host())
    a, b = nets.make("a"), nets.make("b")
    nets.join(a, b, "10.9.0.1/24", "10.9.0.2/24")
    a.bridge("docker0", "172.17.0.1/16")
    a.sysctl("net.ipv4.ip_forward", 1)
    box = nets.container(a, "docker0", "172.17.0.2/16", "172.17.0.1")
    b.run(["ip", "route", "add", "172.17.0.0/16", "via", "10.9.0.1"])
    server = b.spawn([sys.executable, "-c", ANSWER], stdout=-1)
    assert server.stdout.readline() == b"ready\n"

    assert a.python(CONNECT, "10.9.0.2") == "hello\n"
    assert box.python(CONNECT, "10.9.0.2") == "hello\n"
    a.run(["nft", "add", "table", "ip", "ours"])
    assert "ours" in a.run(["nft", "list", "ruleset"]).stdout
    assert b.run(["nft", "list", "ruleset"]).stdout == ""
    assert list(texts_of_host()) == before


def test_a_program_that_fails_says_why(nets: Any) -> None:
    net = nets.make("lonely")
    with pytest.raises(AssertionError, match=r"lonely: .* ended with 1: .*nothing-here"):
        net.run(["ip", "link", "show", "dev", "nothing-here"])
    assert net.run(["false"], check=False).returncode == 1


def test_what_was_spawned_ends_with_the_test(nets: Any) -> None:
    net = nets.make()
    pid = net.spawn(["sleep", "60"]).pid
    nets.end()
    assert not Path(f"/proc/{pid}").exists()
