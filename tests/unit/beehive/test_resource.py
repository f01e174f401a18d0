"""Resource paths and the words that travel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive import resource
from edgecore.beehive.resource import EdgeResource, parse_edge


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("default/pod/nginx", EdgeResource("default", "pod", "nginx")),
        ("default/pod", EdgeResource("default", "pod", "")),
        ("node/connection", EdgeResource("node", "connection", "")),
        ("namespace/servicelist/service", EdgeResource("namespace", "servicelist", "service")),
        ("//", EdgeResource("", "", "")),
        ("/", EdgeResource("", "", "")),
        ("", None),
        ("podstatus", None),
        ("a/b/c/d", None),
        ("device/led-1/twin/cloud_updated", None),
    ],
)
def test_resource_of_two_or_three_parts_is_split(text: str, parsed: EdgeResource | None) -> None:
    assert parse_edge(text) == parsed


@given(st.text())
def test_any_text_is_split_or_refused(text: str) -> None:
    parsed = parse_edge(text)
    assert (parsed is None) == (text.count("/") not in {1, 2})


_parts = st.text(st.characters(exclude_characters="/", codec="utf-8"))


@given(_parts, _parts, _parts)
def test_resource_written_and_split_is_the_same(namespace: str, kind: str, name: str) -> None:
    original = EdgeResource(namespace, kind, name)
    assert parse_edge(str(original)) == original


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("INSERT", "insert"),
        ("DELETE", "delete"),
        ("QUERY", "query"),
        ("UPDATE", "update"),
        ("RESPONSE", "response"),
        ("ERROR", "error"),
        ("KEEPALIVE", "keepalive"),
        ("META_INTERNAL_SYNC", "meta-internal-sync"),
        ("POD", "pod"),
        ("CONFIGMAP", "configmap"),
        ("SECRET", "secret"),
        ("NODE", "node"),
        ("PODLIST", "podlist"),
        ("PODSTATUS", "podstatus"),
        ("NODESTATUS", "nodestatus"),
        ("SERVICE", "service"),
        ("SERVICELIST", "servicelist"),
        ("ENDPOINTS", "endpoints"),
        ("ENDPOINTSLIST", "endpointslist"),
        ("LISTENER", "listener"),
        ("PERSISTENT_VOLUME", "persistentvolume"),
        ("PERSISTENT_VOLUME_CLAIM", "persistentvolumeclaim"),
        ("VOLUME_ATTACHMENT", "volumeattachment"),
        ("VOLUME", "volume"),
        ("EDGEHUB", "websocket"),
        ("METAMANAGER", "metaManager"),
        ("GROUP_HUB", "hub"),
        ("GROUP_META", "meta"),
        ("GROUP_MESH", "mesh"),
        ("GROUP_RESOURCE", "resource"),
        ("NODE_CONNECTION", "node/connection"),
        ("CLOUD_CONNECTED", "cloud_connected"),
        ("CLOUD_DISCONNECTED", "cloud_disconnected"),
        ("OK", "OK"),
        ("PING", "ping"),
    ],
)
def test_word_is_the_one_that_travels(name: str, word: str) -> None:
    assert getattr(resource, name) == word


def test_the_operations_of_the_transport_and_of_volumes_are_those_of_kubeedge() -> None:
    assert {"config", "ping", "pong"} == resource.CONTROL_OPERATIONS
    assert {
        "createvolume",
        "deletevolume",
        "controllerpublishvolume",
        "controllerunpublishvolume",
    } == resource.VOLUME_OPERATIONS
