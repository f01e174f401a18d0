"""What is other in a configuration, and taking over some of it."""

from msgspec.structs import replace

from edgecore.config.changes import Changed, changes, taking_over
from edgecore.config.host import Environment
from edgecore.config.keys import leaves
from edgecore.config.load import parse
from edgecore.config.schema import EdgeCoreConfig

HERE = Environment("edge-1", "192.0.2.2")
START = parse("kind: EdgeCore", "a.yaml", env=HERE).config


def config(text: str) -> EdgeCoreConfig:
    return parse(text, "a.yaml", env=HERE).config


def test_a_configuration_is_as_itself() -> None:
    assert changes(START, config("kind: EdgeCore")) == ()


def test_each_key_that_is_other_is_told_with_both_values_and_whether_a_node_can_go_by_it() -> None:
    now = config("{observe: {logLevel: debug}, modules: {edgeMesh: {listenPort: 40002, lbStrategy: Random}}}")

    assert changes(START, now) == (
        Changed("modules.edgeMesh.lbStrategy", '"RoundRobin"', '"Random"', True),
        Changed("modules.edgeMesh.listenPort", "40001", "40002", False),
        Changed("observe.logLevel", '"info"', '"debug"', True),
    )


def test_a_secret_is_not_told() -> None:
    (change,) = changes(START, config("{modules: {edgeHub: {token: 0123456789abcdef}}}"))

    assert (change.key, change.before, change.now) == ("modules.edgeHub.token", "***", "***")


def test_what_nothing_reads_is_no_change() -> None:
    assert changes(START, config("{modules: {edged: {cniBinDir: /opt/other}}}")) == ()


def test_only_the_keys_that_are_named_are_taken_over() -> None:
    now = config("{observe: {logLevel: debug}, modules: {edgeMesh: {listenPort: 40002, lbStrategy: Random}}}")

    taken = taking_over(START, now, ["modules.edgeMesh.lbStrategy"])

    mesh = replace(START.modules.edge_mesh, lb_strategy="Random")
    assert taken == replace(START, modules=replace(START.modules, edge_mesh=mesh))
    assert taking_over(START, now, [change.key for change in changes(START, now)]) == now


def test_what_a_node_can_go_by_at_once_is_read_by_a_part_of_it() -> None:
    assert {path for path, setting in leaves(EdgeCoreConfig) if setting.key.reload and not setting.key.used} == set()
