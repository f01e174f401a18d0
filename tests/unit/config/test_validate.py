"""The rules of a whole configuration."""

from collections.abc import Callable

import pytest

from edgecore.config.load import LoadedConfig
from edgecore.config.schema import EdgeCoreConfig
from edgecore.config.validate import validate

Read = Callable[[str], LoadedConfig]
Refusal = Callable[[str], str]


def test_the_defaults_keep_every_rule(defaults: EdgeCoreConfig) -> None:
    assert validate(defaults) == []
    assert validate(EdgeCoreConfig()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modules: {edged: {nodeIP: ''}}", 'modules.edged.nodeIP (line 1): found "", allowed: an IP address'),
        ("modules: {edged: {cgroupDriver: other}}", "allowed: one of cgroupfs, systemd"),
        ("modules: {eventBus: {mqttMode: 3}}", "modules.eventBus.mqttMode (line 1): found 3, allowed: one of 0, 1, 2"),
        (
            "modules: {edgeMesh: {lbStrategy: Fair}}",
            "allowed: one of RoundRobin, Random, SessionStickiness, LeastRequest, ConsistentHash",
        ),
        (
            "modules: {edgeMesh: {listenPort: 70000}}",
            "listenPort (line 1): found 70000, allowed: a whole number from 1",
        ),
        ("modules: {edgeMesh: {subNet: 10.0.0.0/8}}", 'subNet (line 1): found "10.0.0.0/8", allowed: an IPv4 network'),
        ("modules: {edgeMesh: {rootlessSubNet: 9.251.0.0/16}}", "inside 127.0.0.0/8"),
        (
            "modules: {edgeHub: {heartbeat: 0}}",
            "heartbeat (line 1): found 0, allowed: a whole number of seconds from 1",
        ),
        ("modules: {edgeHub: {websocket: {server: cloud}}}", 'found "cloud", allowed: host:port'),
        ("modules: {edged: {hostnameOverride: Edge_1}}", 'found "Edge_1", allowed: a Kubernetes name'),
        ("database: {dataSource: edge.db}", 'found "edge.db", allowed: an absolute path of a file (the node may be'),
        ("database: {dataSource: ''}", 'database.dataSource (line 1): found "", allowed: an absolute path of a file'),
        ("bus: {sendTimeout: 0}", "bus.sendTimeout (line 1): found 0.0, allowed: a number of seconds above 0"),
    ],
)
def test_a_broken_rule_is_told(text: str, said: str, refusal: Refusal) -> None:
    assert said in refusal(text)


@pytest.mark.parametrize(("websocket", "quic"), [("true", "true"), ("false", "false")])
def test_exactly_one_link_to_the_cloud_is_enabled(websocket: str, quic: str, refusal: Refusal) -> None:
    said = refusal(f"modules: {{edgeHub: {{websocket: {{enable: {websocket}}}, quic: {{enable: {quic}}}}}}}")
    expected = f"found {websocket} here and in modules.edgeHub.quic.enable, allowed: true in exactly one of them"
    assert f"modules.edgeHub.websocket.enable (line 1): {expected}" in said


@pytest.mark.parametrize(
    "text",
    [
        "modules: {edged: {enable: false, nodeIP: ''}}",
        "modules: {edgeHub: {enable: false, websocket: {enable: false}}}",
        "modules: {edgeHub: {quic: {server: ''}}}",
        "modules: {edgeMesh: {enable: false, subNet: '', dns: {listen: ''}}}",
    ],
)
def test_the_settings_of_what_is_disabled_are_not_judged(text: str, read: Read) -> None:
    assert read(text).config


def test_the_node_name_is_judged_even_when_edged_is_disabled(refusal: Refusal) -> None:
    assert "hostnameOverride" in refusal("modules: {edged: {enable: false, hostnameOverride: Edge_1}}")


def test_the_socket_is_not_the_database(refusal: Refusal) -> None:
    said = refusal("database: {dataSource: /srv/x}\ncontrol: {socket: /srv/x}")
    assert 'control.socket (line 2): found "/srv/x", which is the database' in said
