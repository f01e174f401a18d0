"""The whole examination of machines that have everything, or nothing at all."""

import socket
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edgecore.clock import VirtualClock
from edgecore.config.host import Environment
from edgecore.config.load import parse
from edgecore.config.schema import EdgeCoreConfig
from edgecore.doctor.examination import Examination, read_config, wanted_places
from edgecore.doctor.finding import Finding
from edgecore.doctor.machine import Machine
from edgecore.doctor.reaching import Reached

ENV = Environment("edge-1", "192.0.2.10")
CHECKS = {
    "python",
    "libraries",
    "open_files",
    "clock",
    "ip_forward",
    "nsswitch",
    "resolv_conf",
    "ports",
    "fake_ips",
    "database",
    "disk",
    "mqtt",
    "node",
}
STATUS = {
    "node": "edge-1",
    "state": "ok",
    "mesh": {
        "dns": {"listening": ["127.0.0.1:53"]},
        "services": [{"namespace": "default", "name": "web", "fake_ip": "127.251.0.1"}],
    },
}


class FakeMachine(Machine):
    """A directory instead of a machine, with a node and a resolver that say what they are told to."""

    def __init__(
        self, root: Path, status: dict[str, Any] | None = None, addresses: Sequence[str] | None = None
    ) -> None:
        super().__init__(root, lambda _: addresses)
        self._told = status

    def status(self, control: Path) -> tuple[dict[str, Any] | None, str]:
        return self._told, "no such socket"

    def ask(self, server: tuple[str, int], name: str, qtype: int) -> dict[str, Any] | str:
        return {"status": "NOERROR"}

    def reach(self, address: tuple[str, int], ca: str | None = None) -> Reached:
        return Reached()

    def dropping_chains(self) -> dict[str, str]:
        return {"ip filter FORWARD": ""}


def config(**dns: Any) -> EdgeCoreConfig:
    lines = "".join(f"      {key}: {value}\n" for key, value in dns.items())
    text = f"modules:\n  edgeHub:\n    enable: false\n  edgeMesh:\n    dns:\n      ttl: 64\n{lines}"
    return parse(text, "edgecore.yaml", env=ENV).config


def examine(machine: Machine, loaded: EdgeCoreConfig, clock: VirtualClock | None = None) -> list[Finding]:
    return list(Examination(machine, loaded, clock or VirtualClock(start_ms=1_800_000_000_000)).findings())


def of(findings: list[Finding], check: str) -> list[str]:
    return [finding.level for finding in findings if finding.check == check]


def test_a_machine_that_has_none_of_the_files_is_examined_all_the_same(tmp_path: Path) -> None:
    findings = examine(FakeMachine(tmp_path), config())
    assert {finding.check for finding in findings} == CHECKS
    assert [finding for finding in findings if finding.level == "problem"] == []


def test_a_machine_in_good_order_with_a_node_has_nothing_but_ok(tmp_path: Path) -> None:
    for name, text in {
        "etc/nsswitch.conf": "hosts: files dns\n",
        "etc/hosts": "127.0.0.1 localhost\n",
        "etc/resolv.conf": "nameserver 127.0.0.1\nnameserver 192.0.2.1\n",
        "proc/sys/net/ipv4/ip_forward": "1\n",
        "run/systemd/timesync/synchronized": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    findings = examine(FakeMachine(tmp_path, STATUS, ["127.251.0.1"]), config(listen="127.0.0.1:53"))
    assert {finding.check for finding in findings} == CHECKS - {"ports", "fake_ips", "mqtt"} | {"dns", "lookup"}
    assert [finding for finding in findings if finding.level != "ok"] == []


def test_what_is_wrong_is_found_each_in_its_check(tmp_path: Path) -> None:
    for name, text in {
        "etc/nsswitch.conf": "hosts: files mdns4_minimal [NOTFOUND=return] dns\n",
        "etc/hosts": "10.0.0.1 web.default.svc.cluster.local\n",
        "etc/resolv.conf": "nameserver 127.0.0.1 # edgecore: first while it runs\nnameserver 192.0.2.1\n",
        "proc/net/unix": "".join(f"@edgecore/fake-ip-pool/127.{n}.0.0/16\n" for n in range(1, 252)),
        "var/lib/kubeedge/edgecore.db": "hello",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    findings = examine(FakeMachine(tmp_path), config(), VirtualClock(start_ms=0))
    assert of(findings, "nsswitch") == ["warning"]
    assert of(findings, "hosts_file") == ["warning"]
    assert of(findings, "resolv_conf") == ["problem"]
    assert of(findings, "fake_ips") == ["problem"]
    assert of(findings, "clock") == ["problem"]
    assert "problem" in of(findings, "database")


def test_a_port_in_use_is_told_with_its_program(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        machine = FakeMachine(tmp_path)
        if not Path("/proc/net/udp").exists():
            pytest.skip("this system has no /proc/net")
        machine._root = Path("/")
        findings = examine(machine, config(listen=f"127.0.0.1:{port}"))
    (found,) = [finding for finding in findings if finding.check == "ports" and str(port) in finding.text]
    assert found.level == "problem"
    assert "(pid " in found.text


def test_without_edgemesh_names_are_not_examined(tmp_path: Path) -> None:
    text = "modules:\n  edgeHub:\n    enable: false\n  edgeMesh:\n    enable: false\n"
    findings = examine(FakeMachine(tmp_path, STATUS), parse(text, "edgecore.yaml", env=ENV).config)
    assert not {"nsswitch", "resolv_conf", "ports", "dns"} & {finding.check for finding in findings}


def test_a_joined_node_has_its_certificates_examined(tmp_path: Path) -> None:
    loaded = parse("modules:\n  edgeMesh:\n    enable: true\n", "edgecore.yaml", env=ENV).config
    assert of(examine(FakeMachine(tmp_path), loaded), "certificates") == ["problem"]
    clock = VirtualClock(start_ms=1_800_000_000_000)
    of_all_defaults = Examination(FakeMachine(tmp_path), loaded, clock, is_configured=False)
    assert of(list(of_all_defaults.findings()), "certificates") == []


def test_without_a_node_its_cloud_and_its_broker_are_looked_for(tmp_path: Path) -> None:
    class Alone(FakeMachine):
        def reach(self, address: tuple[str, int], ca: str | None = None) -> Reached:
            return Reached(f"nobody at {address[1]}")

    loaded = parse("modules:\n  eventBus:\n    mqttMode: 1\n", "edgecore.yaml", env=ENV).config
    told = {finding.check: finding.text for finding in examine(Alone(tmp_path), loaded)}
    assert "nobody at 10000" in told["cloud"]
    assert "broker" in told["mqtt"]
    running = {finding.check for finding in examine(Alone(tmp_path, STATUS, ["127.251.0.1"]), loaded)}
    assert not running & {"cloud", "mqtt"}


def test_a_damaged_database_is_a_problem_with_its_way_out(tmp_path: Path) -> None:
    file = tmp_path / "var/lib/kubeedge/edgecore.db"
    file.parent.mkdir(parents=True)
    with sqlite3.connect(file) as database:
        database.executescript("CREATE TABLE meta (key, type, value); INSERT INTO meta VALUES (1, 2, zeroblob(20000));")
    database.close()
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xff" * 4096 + content[8192:])
    found = [one for one in examine(FakeMachine(tmp_path), config()) if one.check == "database"]
    assert "problem" in {one.level for one in found}
    assert all(one.advice for one in found if one.level == "problem")


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("modules:\n  edged:\n    hostnameOverride: edge-7\n", ["ok"]),
        ("modules:\n  edgeMes:\n    enable: true\n", ["ok", "warning"]),
        ("modules:\n  edgeMesh:\n    listenPort: x\n", ["problem"]),
        ("", ["problem"]),
    ],
)
def test_the_configuration_is_the_first_thing_to_be_examined(tmp_path: Path, text: str, levels: list[str]) -> None:
    path = tmp_path / "edgecore.yaml"
    path.write_text(text)
    loaded, findings, _ = read_config(path, ENV)
    assert [finding.level for finding in findings] == levels
    assert loaded.node_name == ("edge-7" if "edge-7" in text else "edge-1")


def test_no_configuration_is_a_note() -> None:
    assert [finding.level for finding in read_config(None, ENV)[1]] == ["note"]


@pytest.mark.parametrize(
    ("keys", "status", "levels"),
    [
        ("mode: intercept", None, 1),
        ("mode: rootless", None, 0),
        ("listenInterface: lo", None, 1),
        ("listenInterface: none-such0", None, 0),
        ("lbStrategy: Random", None, 0),
        ("lbStrategy: Random", {"mesh": {"mode": "intercept"}}, 0),  # a node that runs says itself what it lacks
    ],
)
def test_what_interception_needs_is_looked_at_where_it_would_be(
    tmp_path: Path, keys: str, status: dict[str, Any] | None, levels: int
) -> None:
    path = tmp_path / "edgecore.yaml"
    path.write_text(f"modules:\n  edgeMesh:\n    {keys}\n")
    loaded, _, given = read_config(path, ENV)
    machine, clock = FakeMachine(tmp_path, status), VirtualClock(start_ms=1_800_000_000_000)
    findings = list(Examination(machine, loaded, clock, given=given).findings())
    assert len(of(findings, "intercept")) == levels


def test_all_places_where_a_node_listens_are_looked_at() -> None:
    places = [(place.protocol, place.host, place.port) for place in wanted_places(config(listen="['[::1]:53']"))]
    assert places == [("udp", "::1", 53), ("tcp", "::1", 53), ("tcp", "127.0.0.1", 40001), ("tcp", "127.0.0.1", 10550)]


@pytest.mark.parametrize(
    ("capabilities", "kernel_plane", "told"), [("1fff", "true", 1), ("0", "true", 0), ("1fff", "false", 0)]
)
def test_a_firewall_in_the_way_of_the_kernel_plane_is_told_to_who_may_look(
    tmp_path: Path, capabilities: str, kernel_plane: str, told: int
) -> None:
    own = tmp_path / "proc/self/status"
    own.parent.mkdir(parents=True)
    own.write_text(f"CapEff:\t{capabilities}\n")
    mesh = f"    mode: intercept\n    intercept:\n      kernelPlane: {kernel_plane}\n"
    loaded = parse(f"modules:\n  edgeMesh:\n{mesh}", "edgecore.yaml", env=ENV).config
    found = [one for one in examine(FakeMachine(tmp_path), loaded) if "the chain ip filter FORWARD drops" in one.text]
    assert len(found) == told
