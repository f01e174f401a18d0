"""What the defaults take from the machine."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.config.host import Environment, default_config, node_name, pod_namespace, state_directory, this_machine
from edgecore.config.rules import NODE_NAME
from edgecore.errors import ConfigError


@pytest.mark.parametrize(
    ("hostname", "expected"),
    [
        ("vm", "vm"),
        ("My_Box", "my-box"),
        ("Foos-MacBook.local", "foos-macbook.local"),
        ("-a-..b.", "a.b"),
        ("", "edge-node"),
        ("___", "edge-node"),
        ("münchen", "m-nchen"),
    ],
)
def test_a_host_name_becomes_a_node_name(hostname: str, expected: str) -> None:
    assert node_name(hostname) == expected


@given(st.text(max_size=400))
def test_every_host_name_becomes_a_name_that_kubernetes_takes(hostname: str) -> None:
    assert NODE_NAME.accepts(node_name(hostname))


def test_the_local_address_is_the_one_that_reaches_the_distant_one() -> None:
    machine = this_machine(hostname=lambda: "Box", distant=("127.0.0.1", 9))
    assert machine == Environment("box", "127.0.0.1")


def test_a_machine_without_a_route_has_the_loopback_address() -> None:
    assert this_machine(distant=("255.255.255.255", 9)).local_ip == "127.0.0.1"


def test_the_local_address_is_in_every_default_that_needs_one() -> None:
    modules = default_config(Environment("vm", "192.0.2.2")).modules
    assert modules.edged.node_ip == "192.0.2.2"
    assert modules.edge_hub.websocket.server == "192.0.2.2:10000"
    assert modules.edge_hub.quic.server == "192.0.2.2:10001"
    assert modules.edge_hub.http_server == "https://192.0.2.2:10002"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"POD_NAMESPACE": "prod"}, "prod"),
        ({"POD_NAMESPACE": "No Namespace"}, "default"),
        ({"POD_NAMESPACE": ""}, "default"),
        ({}, "default"),
    ],
)
def test_the_namespace_is_the_pod_s_or_default(environ: dict[str, str], expected: str) -> None:
    assert pod_namespace(environ) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/edgecore"),
        ({"HOME": "/h"}, "/h/.local/state/edgecore"),
        ({"XDG_STATE_HOME": "", "HOME": "/h"}, "/h/.local/state/edgecore"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/edgecore"),
    ],
)
def test_the_state_directory_follows_the_xdg_rules(environ: dict[str, str], expected: str) -> None:
    assert state_directory(environ) == Path(expected)


def test_without_a_home_the_error_names_the_way_out() -> None:
    with pytest.raises(ConfigError, match="--root"):
        state_directory({})
