"""A lab as values: names and addresses of its machines, their files, the commands for its network."""

from pathlib import Path

import pytest

from edgecore.config.host import Environment
from edgecore.config.load import load
from edgecore.errors import LabError
from edgecore.lab import plan as planned
from edgecore.lab.plan import plan

ROOT = Path("/var/tmp/lab")


def test_two_nodes_are_those_of_the_guide() -> None:
    lab = plan(ROOT)
    assert [(node.name, str(node.address)) for node in lab.nodes] == [
        ("edge-node-a", "10.20.0.11"),
        ("edge-node-b", "10.20.0.12"),
    ]
    assert lab.node("edge-node-b").box == "edge-node-b-box"


def test_every_machine_has_an_address_of_its_own_and_names_that_fit() -> None:
    lab = plan(ROOT, planned.LIMIT_NODES)
    addresses = {planned.LAN.ip, planned.CLOUD, *(node.address for node in lab.nodes)}
    assert len(addresses) == planned.LIMIT_NODES + 2
    assert all(address in planned.LAN.network for address in addresses)
    assert max(len(node.name) for node in lab.nodes) <= 15  # the names of their ports: IFNAMSIZ of netdevice(7)


@pytest.mark.parametrize("nodes", [0, -1, planned.LIMIT_NODES + 1])
def test_a_lab_of_no_nodes_or_of_too_many_is_refused(nodes: int) -> None:
    with pytest.raises(LabError, match="there can be 1 to 20"):
        plan(ROOT, nodes)


def test_an_unknown_node_is_refused_with_those_there_are() -> None:
    with pytest.raises(LabError, match="cannot find the node b: this lab has edge-node-a, edge-node-b"):
        plan(ROOT).node("b")


@pytest.mark.parametrize(("mode", "server"), [("intercept", "10.20.0.1"), ("rootless", "127.0.0.1")])
def test_names_are_asked_of_the_lan_unless_the_node_serves_them_itself(mode: planned.Mode, server: str) -> None:
    files = planned.etc_files(plan(ROOT, mode=mode), "edge-node-a", "10.20.0.11")
    assert f"nameserver {server}\n" in files["resolv.conf"]
    assert "hosts: files dns\n" in files["nsswitch.conf"]
    assert "10.20.0.11 edge-node-a\n" in files["hosts"]


@pytest.mark.parametrize("mode", ["intercept", "rootless"])
def test_the_configuration_is_one_that_a_node_accepts(tmp_path: Path, mode: planned.Mode) -> None:
    lab = plan(tmp_path, mode=mode)
    node = lab.nodes[1]
    node.folder.mkdir()
    node.config.write_text(planned.configuration(lab, node))
    config = load(node.config, env=Environment("elsewhere", "192.0.2.1")).config
    assert config.modules.edged.hostname_override == "edge-node-b"
    assert config.modules.edged.node_ip == "10.20.0.12"
    assert config.modules.edge_hub.websocket.server == "ws://10.20.0.2:10000"
    assert config.modules.edge_mesh.mode == mode
    assert config.control_socket == node.socket


def test_a_cut_takes_the_way_to_the_cloud_alone() -> None:
    assert planned.cut_command(cut=True) == ("ip", "route", "replace", "unreachable", "10.20.0.2/32")
    assert planned.cut_command(cut=False) == ("ip", "route", "delete", "unreachable", "10.20.0.2/32")


def test_a_cable_leads_from_the_bridge_to_the_holder() -> None:
    made, plugged = planned.plug_commands("edge-node-a", "lan", 42)
    assert " ".join(made) == "ip link add edge-node-a type veth peer name eth0 netns 42"
    assert " ".join(plugged) == "ip link set edge-node-a master lan up"
