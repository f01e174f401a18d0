"""The settings of a test's edges, and putting changes into settings."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.testing.edge import defaults, merged

TREES = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=3),
    lambda children: st.dictionaries(st.sampled_from("abc"), st.integers(0, 3) | children, max_size=3),
    max_leaves=8,
)


def test_a_change_at_any_depth_leaves_what_is_beside_it() -> None:
    before = {"modules": {"edged": {"nodeIP": "127.0.0.2", "enable": True}}, "kind": "EdgeCore"}
    assert merged(before, {"modules": {"edged": {"nodeIP": "127.0.0.9"}}}) == {
        "modules": {"edged": {"nodeIP": "127.0.0.9", "enable": True}},
        "kind": "EdgeCore",
    }


@given(before=TREES, changes=TREES)
def test_every_change_is_in_the_result_and_nothing_given_is_changed(
    before: dict[str, Any], changes: dict[str, Any]
) -> None:
    copies = copy.deepcopy((before, changes))
    result = merged(before, changes)
    assert merged(result, changes) == result
    assert (before, changes) == copies
    assert result.keys() == before.keys() | changes.keys()


@given(tree=TREES)
def test_no_change_is_no_change(tree: dict[str, Any]) -> None:
    assert merged(tree, {}) == tree


def test_edges_of_one_cloud_have_addresses_of_their_own_on_loopback() -> None:
    addresses = [defaults(number)["modules"]["edged"]["nodeIP"] for number in range(300)]
    assert addresses[:2] == ["127.0.0.2", "127.0.0.3"]
    assert len(set(addresses)) == 300
    assert all(address.startswith("127.0.") for address in addresses)
