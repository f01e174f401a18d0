"""What the defaults need to know of the machine: its name and its address."""

import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from edgecore.config import rules
from edgecore.config.addresses import HostPort
from edgecore.config.schema import EdgeCoreConfig
from edgecore.errors import ConfigError

_FAR_AWAY = ("192.0.2.1", 9)
"""RFC 5737 section 3: an address for documentation, which is routed like any distant one."""


class Environment(NamedTuple):
    """The machine as far as defaults depend on it."""

    hostname: str
    """Fit for a Kubernetes name; see ``node_name``."""
    local_ip: str


def this_machine(hostname: Callable[[], str] = socket.gethostname, distant: tuple[str, int] = _FAR_AWAY) -> Environment:
    """Look at the machine that this process runs on. No packet is sent."""
    return Environment(node_name(hostname()), _local_ip(distant))


def node_name(hostname: str) -> str:
    """Make a Kubernetes name of a host name: lower case, other characters replaced, empty parts left out."""
    parts = (re.sub(r"[^a-z0-9-]", "-", part)[:63].strip("-") for part in hostname.lower().split("."))
    return ".".join(part for part in parts if part)[:253].strip(".-") or "edge-node"


def _local_ip(distant: tuple[str, int]) -> str:
    # Connecting a datagram socket only asks the routing table which address would be used.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(distant)
            address: str = probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"
    return address


def default_config(env: Environment) -> EdgeCoreConfig:
    """Return all defaults as they are on a machine (``kubeedge NewDefaultEdgeCoreConfig@v1.3.1``)."""
    config = EdgeCoreConfig()
    hub = config.modules.edge_hub

    def at(port: int) -> str:
        return str(HostPort(env.local_ip, port))

    modules = replace(
        config.modules,
        edge_hub=replace(
            hub,
            http_server=f"https://{at(10002)}",
            quic=replace(hub.quic, server=at(10001)),
            websocket=replace(hub.websocket, server=at(10000)),
        ),
        edged=replace(config.modules.edged, hostname_override=env.hostname, node_ip=env.local_ip),
    )
    return replace(config, modules=modules)


def pod_namespace(environ: Mapping[str, str]) -> str:
    """Return ``$POD_NAMESPACE``, where a pod is told its namespace; ``default`` if that is none."""
    namespace = environ.get("POD_NAMESPACE", "")
    return namespace if rules.NAMESPACE.accepts(namespace) else "default"


def state_directory(environ: Mapping[str, str]) -> Path:
    """Return where a user's programs keep their state: ``$XDG_STATE_HOME/edgecore`` or ``~/.local/state/edgecore``.

    A relative ``XDG_STATE_HOME`` does not count (XDG Base Directory Specification). Raises ``ConfigError`` when
    neither variable says where.
    """
    state_home, home = environ.get("XDG_STATE_HOME", ""), environ.get("HOME", "")
    if state_home.startswith("/"):
        return Path(state_home, "edgecore")
    if home.startswith("/"):
        return Path(home, ".local/state/edgecore")
    raise ConfigError("cannot find your state directory: neither XDG_STATE_HOME nor HOME is set; name one with --root")
