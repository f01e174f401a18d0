"""A node that is the host's resolver: its line in a resolv.conf, however the node ends; and what the doctor says."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

HOST = f"127.53.{os.getpid() % 250 + 1}.1"
ORIGINAL = b"# office\nnameserver 192.0.2.1\r\nsearch corp.example\noptions ndots:2\nnameserver 192.0.2.2"
OURS = f"nameserver {HOST} # edgecore: first while it runs\n".encode()

pytestmark = pytest.mark.needs_root


@pytest.fixture
def resolv_conf(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc/resolv.conf"
    path.write_bytes(ORIGINAL)
    path.chmod(0o644)
    return path


def version(path: Path) -> tuple[int, ...]:
    """Return what changes with each write; reading changes other figures too."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def settings(resolv_conf: Path, **dns: Any) -> dict[str, Any]:
    usual = {"listen": f"{HOST}:53", "resolvConf": str(resolv_conf), "manageResolvConf": True, "upstreams": []}
    return {f"edgeMesh__dns__{key}": value for key, value in (usual | dns).items()}


def examined(programs: Any, node: Any) -> tuple[int, dict[str, list[dict[str, str]]]]:
    """Return the doctor's exit code and its findings by check."""
    done = programs.run("edgecore", "doctor", "--config", node.config, "--json")
    assert done.stderr == ""
    found: dict[str, list[dict[str, str]]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        found.setdefault(finding["check"], []).append(finding)
    return done.returncode, found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_host_asks_the_node_while_it_runs_and_the_file_is_then_what_it_was(
    programs: Any, resolv_conf: Path, number: int
) -> None:
    node = programs.node(**settings(resolv_conf))
    status = node.ready()
    assert resolv_conf.read_bytes() == OURS + ORIGINAL
    assert status["mesh"]["dns"]["resolv_conf"]["server"] == HOST
    upstreams = [upstream["address"] for upstream in status["mesh"]["dns"]["upstreams"]]
    assert upstreams == ["192.0.2.1:53", "192.0.2.2:53"]

    assert node.stop(number) == 0

    assert resolv_conf.read_bytes() == ORIGINAL
    assert resolv_conf.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in resolv_conf.parent.iterdir()] == ["resolv.conf"]


def test_a_killed_node_is_told_by_the_doctor_and_mended_by_it_or_by_the_next_start(
    programs: Any, resolv_conf: Path
) -> None:
    node = programs.node(**settings(resolv_conf))
    node.ready()
    code, found = examined(programs, node)
    assert (code, [finding["level"] for finding in found["resolv_conf"]]) == (0, ["ok"])
    assert [finding["level"] for finding in found["dns"]] == ["ok"]
    refused = programs.run("edgecore", "doctor", "--config", node.config, "--fix-resolv-conf")
    assert (refused.returncode, resolv_conf.read_bytes()) == (1, OURS + ORIGINAL)

    node.stop(signal.SIGKILL)
    assert resolv_conf.read_bytes() == OURS + ORIGINAL
    code, found = examined(programs, node)
    assert (code, found["resolv_conf"][0]["level"]) == (3, "problem")
    assert "edgecore doctor --fix-resolv-conf" in found["resolv_conf"][0]["advice"]

    mended = programs.run("edgecore", "doctor", "--config", node.config, "--fix-resolv-conf")
    assert (mended.returncode, resolv_conf.read_bytes()) == (0, ORIGINAL)

    node = programs.node(**settings(resolv_conf))
    node.ready()
    node.stop(signal.SIGKILL)
    node = programs.node(**settings(resolv_conf))
    node.ready()
    assert resolv_conf.read_bytes() == OURS + ORIGINAL
    assert [line["was_left_by_a_crash"] for line in node.lines("resolv_conf_changed")] == [True]
    node.stop(signal.SIGKILL)

    node = programs.node(**settings(resolv_conf, manageResolvConf=False))
    node.ready()
    assert resolv_conf.read_bytes() == ORIGINAL
    assert len(node.lines("resolv_conf_put_back")) == 1


def test_a_file_that_somebody_wrote_meanwhile_stays_theirs(programs: Any, resolv_conf: Path) -> None:
    node = programs.node(**settings(resolv_conf))
    node.ready()
    resolv_conf.write_bytes(b"nameserver 192.0.2.9\n" + OURS + b"# theirs\n")
    assert examined(programs, node)[1]["resolv_conf"][0]["level"] == "warning"
    node.stop()
    assert resolv_conf.read_bytes() == b"nameserver 192.0.2.9\n# theirs\n"


def test_a_node_that_cannot_be_named_is_degraded_and_touches_nothing(programs: Any, resolv_conf: Path) -> None:
    before = version(resolv_conf)
    node = programs.node(**settings(resolv_conf, listen=f"{HOST}:0"))
    status = node.wait_for("trouble", lambda status: status["mesh"]["dns"]["resolv_conf"]["problem"] and status)
    (reason,) = [reason for reason in status["reasons"] if "resolv.conf" in reason]
    assert "set modules.edgeMesh.dns.listen to 127.0.0.1:53" in reason
    assert len(node.lines("resolv_conf_not_changed")) == 1
    node.stop()
    assert version(resolv_conf) == before


def test_a_program_of_a_host_whose_resolver_is_the_node_finds_a_service(
    programs: Any, resolv_conf: Path, words: Any, backend: Any
) -> None:
    """In a mount namespace of its own, where the file is /etc/resolv.conf."""
    cloud = programs.cloud()
    node = programs.node(cloud=cloud, **settings(resolv_conf))
    node.ready()
    cloud.send(*words.arrival("web", 12345, backend()))
    fake_ip = node.service("web")["fake_ip"]
    script = 'mount --bind "$1" /etc/resolv.conf && getent ahostsv4 "$2"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(resolv_conf), "web.default.svc.cluster.local"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip(f"this machine mounts nothing for us: {done.stderr.strip()}")
    assert done.stdout.split()[0] == fake_ip
