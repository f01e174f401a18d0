"""A node that nobody has configured: its own machine alone reaches it, and its cloud alone commands it."""

from ipaddress import ip_address, ip_network

from edgecore.config.host import Environment, default_config
from edgecore.config.schema import EdgeCoreConfig

CONFIG = default_config(Environment("edge-1", "192.0.2.1"))


def test_every_listener_is_on_loopback() -> None:
    assert (CONFIG.observe.listen, CONFIG.control.socket) == ("auto", "auto")
    mesh, bus = CONFIG.modules.edge_mesh, CONFIG.modules.event_bus
    assert [*mesh.dns.listen] == ["auto"]
    assert ip_address(mesh.plain_listen_address).is_loopback
    assert ip_network(mesh.rootless_sub_net).is_loopback
    assert "127.0.0.1" in str(bus.mqtt_server_internal)


def test_what_gives_power_over_the_node_or_its_machine_has_to_be_asked_for() -> None:
    modules = CONFIG.modules
    assert modules.edged.runtime == "simulated"
    assert not modules.service_bus.enable
    assert not modules.event_bus.mirror.enable
    assert not modules.event_bus.inject.enable
    assert not modules.edge_mesh.dns.manage_resolv_conf
    assert modules.event_bus.mirror.redact


def test_the_link_is_one_with_tls() -> None:
    assert CONFIG.modules.edge_hub.websocket.address.scheme == "wss"
    assert EdgeCoreConfig().modules.edge_hub.http_server.startswith("https://")
