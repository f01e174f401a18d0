"""Service ports that cannot be bound: said everywhere, served all the same, and bound as soon as that is possible."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecore.demo import probes

_FIRST_UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
NAME = "web.default.svc.cluster.local"


def test_a_port_that_something_has_on_all_addresses_is_told_and_bound_when_it_is_free(
    programs: Any, words: Any, backend: Callable[..., Any], sample: Callable[..., float]
) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud, edgeMesh__limits__rebindInterval=0.1)
    with socket.create_server(("0.0.0.0", 0)) as other:
        port = other.getsockname()[1]
        cloud.send(*words.arrival("web", port, backend()))
        fake_ip = node.service("web", "not_bound")["fake_ip"]
        _is_told(node, programs, sample, "in_use", f"{fake_ip}:{port}")
        assert node.resolve(NAME) == ("NOERROR", fake_ip)
        assert node.by_proxy(f"http://{NAME}:{port}/a").body == "127.0.0.2 serves /a"

    node.service("web", "listening")

    assert probes.get((fake_ip, port), "/b", NAME).body == "127.0.0.2 serves /b"
    assert node.wait_for("recovery of the state", lambda status: status["state"] == "ok")
    (again,) = node.lines("port_bound")
    assert (again["service"], again["address"], again["port"]) == ("default/web", fake_ip, port)
    assert len(node.lines("port_not_bound")) == 1
    assert sample(node.page("/metrics")[1], "edgecore_edgemesh_ports_not_bound") == 0


def test_a_privileged_port_is_told_and_the_service_served_through_the_plain_listener(
    programs: Any, words: Any, backend: Callable[..., Any], sample: Callable[..., float]
) -> None:
    if not _FIRST_UNPRIVILEGED.exists() or int(_FIRST_UNPRIVILEGED.read_text()) <= 80:
        pytest.skip("everybody may bind port 80 of this machine")
    cloud = programs.cloud()
    if os.geteuid() == 0:
        programs.prefix = ["setpriv", "--bounding-set=-net_bind_service"]  # or it might bind every port
    node = programs.node(cloud=cloud)
    programs.prefix = []
    cloud.send(*words.arrival("web", 80, backend()))
    fake_ip = node.service("web", "not_bound")["fake_ip"]

    _is_told(node, programs, sample, "no_permission", f"{fake_ip}:80")
    assert node.by_proxy(f"http://{NAME}/a").body == "127.0.0.2 serves /a"


def _is_told(node: Any, programs: Any, sample: Callable[..., float], reason: str, address: str) -> None:
    """Look at everything that should name the port and the reason."""
    status = node.wait_for("trouble", lambda status: status["mesh"]["ports_not_bound"] and status)
    (told,) = status["mesh"]["ports_not_bound"]
    assert (told["service"], f"{told['address']}:{told['port']}", told["reason"]) == ("default/web", address, reason)
    (why,) = [line for line in status["reasons"] if "is not bound" in line]
    assert why.startswith(f"port {address} of default/web is not bound: ")
    (logged,) = node.lines("port_not_bound")
    assert (logged["service"], logged["reason"]) == ("default/web", reason)
    assert sample(node.page("/metrics")[1], "edgecore_edgemesh_ports_not_bound") == 1
    code, health = node.page("/healthz")
    assert (code, address in health) == (503, True)
    shown = programs.run("edgecore", "status", "--config", node.config)
    assert shown.returncode == 3
    assert address in shown.stdout
    assert reason in shown.stdout
