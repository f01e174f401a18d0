"""The whole examination: which checks there are, and what each is told of machine, configuration and node."""

import os
import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from edgecore.addresses import join_address
from edgecore.clock import Clock
from edgecore.config.addresses import ListenAddress
from edgecore.config.host import Environment, default_config
from edgecore.config.load import LoadedConfig, load
from edgecore.config.schema import EdgeCoreConfig
from edgecore.doctor import host, interception, nsswitch, sockets
from edgecore.doctor.files import SQLITE, check_certificates, check_database, check_rows
from edgecore.doctor.finding import Finding
from edgecore.doctor.machine import Machine
from edgecore.doctor.node import a_service, check_dns, check_lookup, check_node, dns_addresses, led_names
from edgecore.doctor.reaching import (
    check_broker,
    check_cloud,
    check_libraries,
    check_open_files,
    check_own_broker,
)
from edgecore.doctor.resolver import check_resolv_conf, host_names_node
from edgecore.errors import ConfigError
from edgecore.modules.edgemesh.dns.byhand.question import TYPES
from edgecore.modules.edgemesh.intercept.capability import has_net_admin
from edgecore.modules.edgemesh.intercept.interface import OWN_INTERFACE
from edgecore.modules.edgemesh.poolclaim import candidates
from edgecore.modules.edgemesh.settings import intercept_settings

CLUSTER_DOMAIN = "cluster.local"
_FIRST_UNPRIVILEGED = "/proc/sys/net/ipv4/ip_unprivileged_port_start"


class Subject(NamedTuple):
    """What to examine by, what is to be said of it, and which of its settings somebody has set."""

    config: EdgeCoreConfig
    findings: list[Finding]
    given: frozenset[str] = frozenset()


def read_config(path: Path | None, env: Environment) -> Subject:
    """Return the configuration to examine by; ``None``: there is none."""
    if path is None:
        text = "there is no configuration; the machine is examined for one with all defaults"
        advice = "edgecore config --min --user > edgecore.yaml; then edgecore doctor --config edgecore.yaml"
        return Subject(default_config(env), [Finding("note", "config", text, advice)])
    try:
        loaded = load(path, env=env)
    except ConfigError as error:
        advice = f"mend {path} (what a key may be: edgecore config --reference); what follows is for all defaults"
        return Subject(default_config(env), [Finding("problem", "config", str(error), advice)])
    return Subject(loaded.config, [*_config_findings(loaded)], loaded.given)


def _config_findings(loaded: LoadedConfig) -> Iterator[Finding]:
    yield Finding("ok", "config", f"{loaded.origin} can be read")
    for problem in loaded.warnings:
        yield Finding("warning", "config", f"{loaded.origin}: {problem}", "edgecore config --reference")


class Examination:
    """All checks of one machine, for a node of one configuration. Nothing is changed by them.

    ``is_configured``: the configuration is a node's own, not that of all defaults. ``given``: the settings that it has.
    """

    def __init__(
        self,
        machine: Machine,
        config: EdgeCoreConfig,
        clock: Clock,
        control: Path | None = None,
        *,
        is_configured: bool = True,
        given: frozenset[str] = frozenset(),
    ) -> None:
        self._machine = machine
        self._config = config
        self._is_configured = is_configured
        self._names_interface = "modules.edgeMesh.listenInterface" in given
        self._now = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
        self._domain = (config.modules.edged.cluster_domain or CLUSTER_DOMAIN).lower()
        self._status, self._why_not = machine.status(control or config.control_socket)

    def findings(self) -> Iterator[Finding]:
        """Yield what is found, the machine first and the node last."""
        yield from self._machine_itself()
        if self._config.modules.edge_mesh.enable:
            yield from self._names()
            yield from self._places()
        yield from self._files()
        if self._status is None and self._is_configured:
            yield from self._peers()
        yield from check_node(self._status, self._why_not)
        if self._status is not None and self._config.modules.edge_mesh.enable:
            yield from self._answers(self._status)

    def _machine_itself(self) -> Iterator[Finding]:
        machine = self._machine
        written = machine.changed_at(self._config.database.data_source)
        newest = None if written is None else datetime.fromtimestamp(written, UTC)
        watched = machine.exists(os.path.dirname(host.SYNCHRONISED))  # noqa: PTH120 - a name below another root
        synchronised = machine.exists(host.SYNCHRONISED) if watched else None
        yield from host.check_python(sys.version_info[:2], platform.python_version())
        yield from check_libraries(*machine.libraries())
        yield from check_open_files(machine.open_files())
        yield from host.check_clock(self._now, is_synchronised=synchronised, newest_file=newest)
        forwarding = machine.text(host.IP_FORWARD)
        if self._intercepts:
            yield from interception.check_forwarding(forwarding) or host.check_ip_forward(forwarding)
            yield from self._interception()
        else:
            yield from host.check_ip_forward(forwarding)
            yield from host.check_leftovers(machine.text(host.ROUTES))

    @property
    def _intercepts(self) -> bool:
        """Whether the node does, or would: ``auto`` does on an interface that is named and there."""
        mesh, told = self._config.modules.edge_mesh, (self._status or {}).get("mesh") or {}
        if told.get("mode"):
            return bool(told["mode"] == "intercept")
        if not mesh.enable or mesh.mode != "auto":
            return mesh.enable and mesh.mode == "intercept"
        return self._names_interface and mesh.listen_interface in self._machine.equipment().interfaces

    def _interception(self) -> Iterator[Finding]:
        """What mode intercept needs; a node that runs says itself what it lacks."""
        mesh, machine = self._config.modules.edge_mesh, self._machine
        settings = intercept_settings(mesh, interface_named=self._names_interface)
        ours = (settings.interface, OWN_INTERFACE)
        yield from interception.check_subnet(settings.subnet, machine.text(host.ROUTES), ours)
        own, is_needed = machine.text("/proc/self/status"), mesh.mode == "intercept"
        if settings.kernel_plane and has_net_admin(own or ""):
            yield from interception.check_forward_policy(machine.dropping_chains(), settings.interface)
        if self._status is None:
            yield from interception.check_interception(settings, machine.equipment(), own, is_needed=is_needed)

    def _names(self) -> Iterator[Finding]:
        dns = self._config.modules.edge_mesh.dns
        addresses = dns_addresses(self._status) if self._status is not None else None
        yield from nsswitch.check_nsswitch(self._machine.text(nsswitch.PATH), self._domain)
        yield from nsswitch.check_hosts_file(self._machine.text(nsswitch.HOSTS_PATH), self._domain)
        file = self._machine.host_file(dns.resolv_conf)
        led = led_names(self._status) if self._status is not None else None
        yield from check_resolv_conf(file, addresses, wanted=dns.manage_resolv_conf, led=led)

    def _places(self) -> Iterator[Finding]:
        """Ports and fake IPs: of a node that runs they are its own, and its status says what it did not get."""
        if self._status is not None:
            return
        machine = self._machine
        wanted = list(wanted_places(self._config))
        found = sockets.listening_sockets({name: machine.text(path) for name, path in sockets.TABLES.items()})
        taken = [one for one in (sockets.in_the_way(place, found) for place in wanted) if one is not None]
        owners = sockets.owners_by_inode(machine.descriptors()) if taken else {}
        yield from sockets.check_ports(wanted, found, owners)
        first, own = machine.text(_FIRST_UNPRIVILEGED), machine.text("/proc/self/status")
        yield from sockets.check_privilege(wanted, first, own)
        pools = candidates(self._config.modules.edge_mesh.rootless_network, None)
        yield from sockets.check_pool(pools, machine.text(sockets.UNIX_TABLE))

    def _files(self) -> Iterator[Finding]:
        machine, hub = self._machine, self._config.modules.edge_hub
        database = self._config.database.data_source
        file = machine.facts(database)
        yield from check_database(file, os.geteuid())
        if file.head is not None and file.head.startswith(SQLITE):
            yield from check_rows(database, machine.database_faults(database))
        yield from host.check_room(machine.room(str(Path(database).parent)))
        if self._is_configured and hub.enable and hub.websocket.enable and hub.websocket.address.scheme == "wss":
            ca, certificate, key = map(machine.facts, (hub.tls_ca_file, hub.tls_cert_file, hub.tls_private_key_file))
            yield from check_certificates(ca, certificate, key, self._now, has_token=bool(hub.token))

    def _peers(self) -> Iterator[Finding]:
        """The cloud and the broker; a node that runs says itself whether it has them."""
        machine, hub, bus = self._machine, self._config.modules.edge_hub, self._config.modules.event_bus
        if hub.enable and hub.websocket.enable:
            cloud = hub.websocket.address
            ca = hub.tls_ca_file if cloud.scheme == "wss" and machine.exists(hub.tls_ca_file) else None
            reached = machine.reach((cloud.host, cloud.port), ca)
            yield from check_cloud("websocket", str(cloud), reached, self._now, "modules.edgeHub.websocket.server")
        if bus.enable and bus.mqtt_mode != 0:
            broker = bus.external_address
            yield check_broker(bus.mqtt_server_external, machine.reach((broker.host, broker.port)))
        if bus.enable and bus.mqtt_mode != 2:
            yield check_own_broker(bus.mqtt_server_internal, machine.broker_problem(bus.internal.python))

    def _answers(self, status: dict[str, Any]) -> Iterator[Finding]:
        addresses = dns_addresses(status)
        for address in addresses:
            answer = self._machine.ask(address, self._domain, TYPES["SOA"])
            yield from check_dns(join_address(*address), f"{self._domain} SOA", answer)
        service = a_service(status, self._domain)
        if service is not None:
            path = self._config.modules.edge_mesh.dns.resolv_conf
            is_named = host_names_node(self._machine.host_file(path).content, addresses, led_names(status))
            found = self._machine.find(service[0])
            yield from check_lookup(*service, found, is_named=is_named, resolv_conf=path)


def wanted_places(config: EdgeCoreConfig) -> Iterator[sockets.Wanted]:
    """Yield where a node of this configuration is to listen, but for the ports of services."""

    def place(what: str, protocol: str, bind: ListenAddress) -> sockets.Wanted:
        return sockets.Wanted(what, protocol, bind.host, bind.port, bind.next_free)

    mesh = config.modules.edge_mesh
    if mesh.enable:
        for bind in mesh.dns.binds:
            yield place("modules.edgeMesh.dns.listen", "udp", bind)
            yield place("modules.edgeMesh.dns.listen", "tcp", bind)
        yield place("modules.edgeMesh.listenPort", "tcp", mesh.plain_bind)
    yield place("observe.listen", "tcp", config.observe.bind)
