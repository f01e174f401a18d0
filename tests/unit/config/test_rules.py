"""What settings may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.config import rules
from edgecore.config.rules import Rule


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (rules.PORT, 1),
        (rules.PORT, 65535),
        (rules.SECONDS, 0.001),
        (rules.SECONDS, 86400),
        (rules.LISTEN, "auto"),
        (rules.LISTEN, "127.0.0.1:0"),
        (rules.LISTEN, "[::1]:53"),
        (rules.WEBSOCKET_SERVER, "ws://127.0.0.1:1"),
        (rules.WEBSOCKET_SERVER, "cloud.example:10000"),
        (rules.NAME_SERVERS, ()),
        (rules.NAME_SERVERS, ("192.0.2.53", "[::1]:53", "127.0.0.1:5353")),
        (rules.ZONE_SERVERS, ()),
        (rules.ZONE_SERVERS, ("corp.example=10.0.0.53", "lab.example=10.0.0.54,10.0.0.55:5353")),
        (rules.PORT_TARGETS, ()),
        (rules.PORT_TARGETS, ("8080=192.0.2.20:80", "9000=[::1]:9000", "1=printer.example:631")),
        (rules.WEB_ADDRESS, ""),
        (rules.WEB_ADDRESS, "https://cloud.example"),
        (rules.WEB_ADDRESS, "http://[::1]:10002"),
        (rules.SUBNET, "10.7.0.0/16"),
        (rules.LOOPBACK_SUBNET, "127.1.0.0/16"),
        (rules.FILE, "/a/b"),
        (rules.SOCKET_FILE, "auto"),
        (rules.NODE_NAME, "edge-1.lab"),
        (rules.NAMESPACE, "default"),
        (rules.CLUSTER_DOMAIN, ""),
        (rules.CLUSTER_DOMAIN, "cluster.local"),
        (rules.URL_SEGMENT, "e632-A_.~"),
    ],
)
def test_a_good_value_is_accepted(rule: Rule, value: object) -> None:
    assert rule.accepts(value)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (rules.PORT, 0),
        (rules.PORT, 65536),
        (rules.POSITIVE, 2**31),
        (rules.SECONDS, 0),
        (rules.SECONDS, -1),
        (rules.SECONDS, 86401),
        (rules.NOT_EMPTY, ""),
        (rules.IP_ADDRESS, "localhost"),
        (rules.LISTEN, "localhost:53"),
        (rules.LISTEN, ":53"),
        (rules.LISTEN, "127.0.0.1"),
        (rules.HOST_PORT, "cloud:0"),
        (rules.WEBSOCKET_SERVER, "http://cloud:10000"),
        (rules.WEBSOCKET_SERVER, "wss://cloud:10000/events"),
        (rules.NAME_SERVERS, ("dns.example",)),
        (rules.NAME_SERVERS, ("192.0.2.53", "192.0.2.53:0")),
        (rules.ZONE_SERVERS, ("corp.example",)),
        (rules.ZONE_SERVERS, ("corp.example=",)),
        (rules.ZONE_SERVERS, ("corp.example=10.0.0.53", "Corp.Example.=10.0.0.54")),
        (rules.PORT_TARGETS, ("8080",)),
        (rules.PORT_TARGETS, ("8080=192.0.2.20",)),
        (rules.PORT_TARGETS, ("0=192.0.2.20:80",)),
        (rules.PORT_TARGETS, ("65536=192.0.2.20:80",)),
        (rules.PORT_TARGETS, ("8080=192.0.2.20:0",)),
        (rules.PORT_TARGETS, ("8080=192.0.2.20:80", "8080=192.0.2.21:80")),
        (rules.WEB_ADDRESS, "cloud.example:10002"),
        (rules.WEB_ADDRESS, "https://"),
        (rules.WEB_ADDRESS, "https://[::1"),
        (rules.WEB_ADDRESS, "https://user@cloud"),
        (rules.SUBNET, "10.7.0.0/24"),
        (rules.LOOPBACK_SUBNET, "9.251.0.0/16"),
        (rules.LOOPBACK_SUBNET, "127.0.0.0/16"),
        (rules.FILE, ""),
        (rules.FILE, "edgecore.db"),
        (rules.FILE, "./edgecore.db"),
        (rules.FILE, "~/edgecore.db"),
        (rules.FILE, "/var/lib/"),
        (rules.SOCKET_FILE, "edgecore.sock"),
        (rules.NODE_NAME, ""),
        (rules.NODE_NAME, "Edge"),
        (rules.NODE_NAME, "edge_1"),
        (rules.NODE_NAME, "-edge"),
        (rules.NODE_NAME, "edge."),
        (rules.NODE_NAME, "edge\n"),
        (rules.NODE_NAME, "a." * 126 + "ab"),
        (rules.NAMESPACE, "a.b"),
        (rules.NAMESPACE, "a" * 64),
        (rules.CLUSTER_DOMAIN, ".local"),
        (rules.URL_SEGMENT, "a/b"),
        (rules.URL_SEGMENT, ""),
    ],
)
def test_a_bad_value_is_refused(rule: Rule, value: object) -> None:
    assert not rule.accepts(value)


@given(st.text())
def test_a_rule_for_text_answers_whatever_the_text_is(text: str) -> None:
    for rule in (rules.LISTEN, rules.HOST_PORT, rules.WEBSOCKET_SERVER, rules.WEB_ADDRESS, rules.SUBNET, rules.FILE):
        assert rule.accepts(text) in (True, False)
    assert rules.NAME_SERVERS.accepts((text,)) in (True, False)


def test_a_relative_path_is_refused_with_the_reason() -> None:
    assert "started from any directory" in str(rules.FILE)
