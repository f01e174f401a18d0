"""What systemd is told, over its socket."""

import os
import socket
from pathlib import Path

import pytest

from edgecore.observe.servicemanager import ServiceManager


@pytest.mark.parametrize("abstract", [True, False])
def test_the_socket_gets_what_happens_one_datagram_each(tmp_path: Path, abstract: bool) -> None:
    name = f"@edgecore-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name[1:]}" if abstract else name)
        manager = ServiceManager(name, lambda: 12.5)
        manager.ready("node edge-1\nruns")
        manager.reloading()
        manager.stopping()
        told = [listening.recv(1000).decode() for _ in range(3)]
    assert told == ["READY=1\nSTATUS=node edge-1 runs", "RELOADING=1\nMONOTONIC_USEC=12500000", "STOPPING=1"]


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "x" * 500, "vsock:2:1"])
def test_nobody_there_is_no_trouble(address: str) -> None:
    ServiceManager(address, lambda: 0.0).ready("runs")
