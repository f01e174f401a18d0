"""Who may connect."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.upgrade import Upgrade, UpgradeRefused, read_upgrade

GO = [
    ("Host", "127.0.0.1:10000"),
    ("User-Agent", "Go-http-client/1.1"),
    ("Connectionuse", "msg"),
    ("Node_id", "edge-node1"),
    ("Project_id", "e632aba927ea4ac2b575ec1603d56f10"),
]


def test_the_headers_of_the_go_edge_are_taken() -> None:
    assert read_upgrade(GO) == Upgrade("edge-node1", "e632aba927ea4ac2b575ec1603d56f10", "Go-http-client/1.1")


@pytest.mark.parametrize("change", [str.lower, str.upper, str.title])
def test_names_are_compared_without_case(change: Callable[[str], str]) -> None:
    assert isinstance(read_upgrade([(change(name), value) for name, value in GO]), Upgrade)


def test_the_first_of_repeated_headers_counts() -> None:
    repeated = [*GO, ("Connectionuse", "msg"), ("Connectionuse", "str"), ("Node_id", "other")]
    assert read_upgrade(repeated) == read_upgrade(GO)


def test_a_project_may_be_missing() -> None:
    assert read_upgrade([("node_id", "n"), ("ConnectionUse", "msg")]) == Upgrade("n", "")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], "no_node_id"),
        ([("Node_id", "  "), ("ConnectionUse", "msg")], "no_node_id"),
        ([("Node_id", "a/b"), ("ConnectionUse", "msg")], "bad_node_id"),
        ([("Node_id", "n" * 254), ("ConnectionUse", "msg")], "bad_node_id"),
        ([("Node_id", "n")], "bad_connection_use"),
        ([("Node_id", "n"), ("ConnectionUse", "str")], "bad_connection_use"),
    ],
)
def test_what_is_missing_or_wrong_is_named(headers: list[tuple[str, str]], reason: str) -> None:
    refused = read_upgrade(headers)
    assert isinstance(refused, UpgradeRefused)
    assert refused.reason == reason


def test_a_refusal_says_what_to_send() -> None:
    refused = read_upgrade([])
    assert isinstance(refused, UpgradeRefused)
    assert "Node_id: edge-node" in refused.text


@given(st.lists(st.tuples(st.sampled_from(["Node_id", "ConnectionUse", "X"]), st.text(max_size=300)), max_size=5))
def test_an_accepted_name_is_fit_for_a_resource_path(headers: list[tuple[str, str]]) -> None:
    upgrade = read_upgrade(headers)
    if isinstance(upgrade, Upgrade):
        assert 0 < len(upgrade.node) <= 253
        assert "/" not in upgrade.node
