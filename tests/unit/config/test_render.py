"""Configurations as YAML: what is printed, and that it reads back as the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from edgecore.config.host import Environment, default_config
from edgecore.config.keys import Section, leaves, settings
from edgecore.config.load import LoadedConfig, parse
from edgecore.config.render import below, full_text, minimal_text
from edgecore.config.schema import EdgeCoreConfig
from edgecore.config.validate import validate

Read = Callable[[str], LoadedConfig]
ENV = Environment("vm", "192.0.2.2")

# What `edgecore --minconfig` of KubeEdge v1.3.1 prints, by section.
KUBEEDGE_MINIMAL = {
    "": {"apiVersion", "kind"},
    "database": {"dataSource"},
    "modules.edgeHub": {"heartbeat", "httpServer", "tlsCaFile", "tlsCertFile", "tlsPrivateKeyFile", "token"},
    "modules.edgeHub.websocket": {"enable", "handshakeTimeout", "readDeadline", "server", "writeDeadline"},
    "modules.edged": {
        *("cgroupDriver", "cgroupRoot", "cgroupsPerQOS", "clusterDNS", "clusterDomain", "devicePluginEnabled"),
        *("dockerAddress", "gpuPluginEnabled", "hostnameOverride", "interfaceName", "nodeIP", "podSandboxImage"),
        *("remoteImageEndpoint", "remoteRuntimeEndpoint", "runtimeType"),
    },
    "modules.eventBus": {"mqttMode", "mqttQOS", "mqttRetain", "mqttServerExternal", "mqttServerInternal"},
}


def paths(tree: dict[str, Any], path: str = "") -> set[str]:
    found = set()
    for name, value in tree.items():
        place = f"{path}.{name}" if path else name
        found |= paths(value, place) if isinstance(value, dict) else {place}
    return found


def test_the_full_text_has_every_key_but_the_empty_ones_of_kubeedge(defaults: EdgeCoreConfig) -> None:
    printed = paths(yaml.safe_load(full_text(defaults)))
    sparse = {"modules.edgeHub.quic.enable", "modules.edged.networkPluginName"}
    sparse |= {"modules.edged.edgeCoreCgroups", "modules.edged.systemCgroups"}
    assert printed == {path for path, _ in leaves(EdgeCoreConfig)} - sparse


def test_the_minimal_text_has_the_keys_of_kubeedge_and_nothing_of_ours(defaults: EdgeCoreConfig) -> None:
    expected = {f"{place}.{key}".lstrip(".") for place, keys in KUBEEDGE_MINIMAL.items() for key in keys}
    assert paths(yaml.safe_load(minimal_text(defaults, defaults))) == expected


def test_keys_are_sorted_after_three_comment_lines_and_an_empty_one(defaults: EdgeCoreConfig) -> None:
    for text in (full_text(defaults), minimal_text(defaults, defaults)):
        lines = text.splitlines()
        assert [line[:1] for line in lines[:4]] == ["#", "#", "#", ""]
        top = [line.split(":")[0] for line in lines[4:] if not line.startswith(" ")]
        assert top == sorted(top)


def test_text_and_numbers_are_written_as_kubeedge_writes_them(defaults: EdgeCoreConfig) -> None:
    lines = [line.strip() for line in full_text(defaults).splitlines()]
    for line in ('token: ""', "nodeIP: 192.0.2.2", "server: 192.0.2.2:10000", "volumeStatsAggPeriod: 60000000000"):
        assert line in lines


def test_text_that_looks_like_something_else_is_quoted(defaults: EdgeCoreConfig) -> None:
    for name in ("1e3", "0123", "12", "y", "on", "null", "1.5", "0x1f", "1:30"):
        edged = replace(defaults.modules.edged, cgroup_root=name)
        text = full_text(replace(defaults, modules=replace(defaults.modules, edged=edged)))
        assert f'cgroupRoot: "{name}"' in text


def test_files_below_a_root_keep_no_default_place(defaults: EdgeCoreConfig) -> None:
    moved = below(defaults, Path("/srv/node"))
    hub, stream = moved.modules.edge_hub, moved.modules.edge_stream
    assert moved.database.data_source == "/srv/node/edgecore.db"
    assert moved.control_socket == Path("/srv/node/edgecore.sock")
    assert hub.tls_ca_file == stream.tls_tunnel_ca_file == "/srv/node/ca/rootCA.crt"
    assert hub.tls_cert_file == stream.tls_tunnel_cert_file == "/srv/node/certs/server.crt"
    assert hub.tls_private_key_file == stream.tls_tunnel_private_key_file == "/srv/node/certs/server.key"


def test_the_minimal_text_below_a_root_has_no_more_keys(defaults: EdgeCoreConfig) -> None:
    moved = below(defaults, Path("/srv/node"), minimal=True)
    assert paths(yaml.safe_load(minimal_text(moved, defaults))) == paths(
        yaml.safe_load(minimal_text(defaults, defaults))
    )


def test_what_differs_from_the_defaults_is_in_the_minimal_text(defaults: EdgeCoreConfig) -> None:
    changed = replace(defaults, bus=replace(defaults.bus, send_timeout=0.5))
    assert yaml.safe_load(minimal_text(changed, defaults))["bus"] == {"sendTimeout": 0.5}


def test_what_is_printed_loads_again_without_warning_and_is_the_same(read: Read, defaults: EdgeCoreConfig) -> None:
    moved = below(defaults, Path("/srv/node"))
    for config in (defaults, moved):
        for text in (full_text(config), minimal_text(config, defaults)):
            loaded = read(text)
            assert loaded.config == config
            assert loaded.warnings == ()


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12)


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    return {
        bool: st.booleans(),
        int: st.integers(-(2**63), 2**63) | st.integers(0, 70_000),
        float: st.floats(0, 100_000),
        str: TEXT | st.sampled_from(["1e3", "0x1", "y", "~", "null", "- a", "a: b", "#", "/a/b", "a.b", "127.0.0.1:5"]),
        tuple[str, ...]: st.lists(TEXT | st.just("127.0.0.1:53"), max_size=3).map(tuple),
    }[kind]


@st.composite
def changed(draw: st.DrawFn) -> EdgeCoreConfig:
    """Draw the defaults with some settings changed, wherever the rules take the change."""
    config = default_config(ENV)
    for path in draw(st.lists(st.sampled_from([path for path, _ in leaves(EdgeCoreConfig)]), min_size=1, max_size=6)):
        candidate = with_value(config, path.split("."), draw)
        config = candidate if not validate(candidate) else config
    return config


def with_value(section: Section, path: list[str], draw: st.DrawFn) -> Any:
    setting = next(setting for setting in settings(type(section)) if setting.name == path[0])
    old = getattr(section, setting.attribute)
    new = with_value(old, path[1:], draw) if isinstance(old, Section) else draw(values_of(setting.kind))
    return replace(section, **{setting.attribute: new})


@given(changed())
def test_any_configuration_reads_back_from_both_forms(config: EdgeCoreConfig) -> None:
    for text in (full_text(config), minimal_text(config, default_config(ENV))):
        loaded = parse(text, "printed", env=ENV)
        assert loaded.config == config
        assert loaded.warnings == ()
