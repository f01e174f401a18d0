"""What a lab consists of, as values: machines, addresses, files and the commands that make its network."""

import string
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Literal, NamedTuple

from msgspec.structs import replace

from edgecore.config.host import Environment, default_config
from edgecore.config.render import full_text
from edgecore.errors import LabError

Mode = Literal["intercept", "rootless"]
Command = tuple[str, ...]

LIMIT_NODES = 20
LAN = IPv4Interface("10.20.0.1/24")
"""The virtual LAN, and the address of its bridge: what the machines have as their gateway and name server."""
CLOUD = IPv4Address("10.20.0.2")
CLOUD_PORT = 10000
FIRST_NODE = 11
"""The last part of the address of the first node."""
DOCKER0 = IPv4Interface("172.17.0.1/16")
BOX = IPv4Interface("172.17.255.254/16")
"""The container from which things are tried; pods get their addresses from the other end."""
KUBEEDGE = "kubeedge/config/edgecore.yaml"
"""Where below ``/etc`` commands look for a node's configuration, so that they need no flags on a node of the lab."""
HIDDEN = ("nscd",)
"""What of ``/run`` would answer for names instead of the lab's own resolv.conf."""
_HEARTBEAT_S = 3
_STATUS_S = 2


class NodePlan(NamedTuple):
    """One edge node."""

    name: str
    address: IPv4Address
    folder: Path

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.folder / "edgecore.yaml"

    @property
    def socket(self) -> Path:
        """Its control socket."""
        return self.folder / "edgecore.sock"

    @property
    def box(self) -> str:
        """The name of its container, and of that one's host."""
        return f"{self.name}-box"


class LabPlan(NamedTuple):
    """A whole lab; everything that it keeps is below ``root``."""

    root: Path
    nodes: tuple[NodePlan, ...]
    mode: Mode = "intercept"

    @property
    def socket(self) -> Path:
        """Where the lab itself can be asked."""
        return self.root / "lab.sock"

    @property
    def cloud(self) -> Path:
        """The state directory of the stub."""
        return self.root / "cloud"

    @property
    def cloud_socket(self) -> Path:
        """The control socket of the stub."""
        return self.cloud / "control.sock"

    @property
    def host_etc(self) -> Path:
        """Where the machines of the lab see the host's ``/etc``, read-only."""
        return self.root / "host-etc"

    @property
    def name_server(self) -> str:
        """What the resolv.conf of the machines names."""
        return str(LAN.ip) if self.mode == "intercept" else "127.0.0.1"

    def node(self, name: str) -> NodePlan:
        """Return the node of that name. Raises ``LabError``."""
        for node in self.nodes:
            if node.name == name:
                return node
        known = ", ".join(node.name for node in self.nodes)
        raise LabError(f"cannot find the node {name}: this lab has {known}")


def plan(root: Path, nodes: int = 2, mode: Mode = "intercept") -> LabPlan:
    """Return the plan of a lab below ``root``. Raises ``LabError`` where there can be no such lab."""
    if not 1 <= nodes <= LIMIT_NODES:
        raise LabError(
            f"cannot build a lab of {nodes} nodes: there can be 1 to {LIMIT_NODES}; name such a number (--nodes)"
        )
    names = (f"edge-node-{letter}" for letter in string.ascii_lowercase[:nodes])
    machines = (
        NodePlan(name, LAN.network.network_address + FIRST_NODE + number, root / name)
        for number, name in enumerate(names)
    )
    return LabPlan(root, tuple(machines), mode)


def resolv_conf(lab: LabPlan) -> str:
    """Return the resolv.conf of nodes and containers: an address where nobody serves names, as on a LAN without any."""
    return f"# of the lab; the host has its own\nnameserver {lab.name_server}\noptions timeout:2 attempts:2\n"


def hosts(name: str, address: str) -> str:
    """Return the hosts file of a machine."""
    return f"127.0.0.1 localhost\n::1 localhost\n{address} {name}\n"


def etc_files(lab: LabPlan, name: str, address: str) -> dict[str, str]:
    """Return the files of ``/etc`` that a machine has for itself, by name; all others are the host's."""
    return {
        "resolv.conf": resolv_conf(lab),
        "nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n",
        "hosts": hosts(name, address),
        "hostname": f"{name}\n",
    }


def configuration(lab: LabPlan, node: NodePlan) -> str:
    """Return the text of a node's ``edgecore.yaml``.

    It is quicker than the defaults to see that the cloud is away, and to say how the node is.
    """
    config = default_config(Environment(node.name, str(node.address)))
    modules = config.modules
    hub, mesh = modules.edge_hub, modules.edge_mesh
    # Without rules that lead there, the node itself has to be the name server.
    dns = mesh.dns if lab.mode == "intercept" else replace(mesh.dns, listen=("127.0.0.1:53",))
    cloud = replace(hub.websocket, server=f"ws://{CLOUD}:{CLOUD_PORT}")
    return full_text(
        replace(
            config,
            database=replace(config.database, data_source=str(node.folder / "edgecore.db")),
            modules=replace(
                modules,
                edge_hub=replace(hub, websocket=cloud, heartbeat=_HEARTBEAT_S),
                edged=replace(modules.edged, node_status_update_frequency=_STATUS_S),
                edge_mesh=replace(mesh, mode=lab.mode, listen_interface="docker0", dns=dns),
            ),
        )
    )


def lan_commands() -> list[Command]:
    """Return what makes the bridge of the LAN, in a namespace of its own."""
    return [
        _words("ip link set lo up"),
        _words("ip link add lan type bridge"),
        _words(f"ip address add {LAN} dev lan"),
        _words("ip link set lan up"),
    ]


def plug_commands(port: str, bridge: str, holder: int) -> list[Command]:
    """Return what leads a cable from a bridge, where this runs, to the interface ``eth0`` of a process's namespace."""
    return [
        _words(f"ip link add {port} type veth peer name eth0 netns {holder}"),
        _words(f"ip link set {port} master {bridge} up"),
    ]


def host_commands(address: IPv4Interface, gateway: IPv4Address) -> list[Command]:
    """Return what a machine does at its end of the cable."""
    return [
        _words("ip link set lo up"),
        _words(f"ip address add {address} dev eth0"),
        _words("ip link set eth0 up"),
        _words(f"ip route add default via {gateway}"),
    ]


def docker_commands() -> list[Command]:
    """Return what Docker does on a node: its bridge, and that the machine forwards."""
    return [
        _words("ip link add docker0 type bridge"),
        _words(f"ip address add {DOCKER0} dev docker0"),
        _words("ip link set docker0 up"),
        ("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"),
    ]


def masquerade_rules() -> str:
    """Return the rule of Docker that lets containers speak to the LAN, for ``nft -f -``."""
    return f"""\
table ip lab_docker {{
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {DOCKER0.network} oifname != "docker0" masquerade
    }}
}}
"""


def on_lan(address: IPv4Address) -> IPv4Interface:
    """Return an address of the LAN with its network."""
    return IPv4Interface(f"{address}/{LAN.network.prefixlen}")


def cut_command(*, cut: bool) -> Command:
    """Return what takes the way to the cloud from a node, or gives it back; the LAN between the nodes stays."""
    return _words(f"ip route {'replace' if cut else 'delete'} unreachable {CLOUD}/32")


def _words(command: str) -> Command:
    return tuple(command.split())
