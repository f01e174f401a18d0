"""Addresses of pods: stable, unique, given again after they are free."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edged.podnetwork import DOCKER0, PodNetwork

SMALL = IPv4Network("10.1.2.0/29")  # .2 to .6 are for pods


def test_the_first_pod_has_the_address_after_the_bridge() -> None:
    assert PodNetwork().take("a") == "172.17.0.2"


def test_a_pod_keeps_its_address() -> None:
    network = PodNetwork()
    first = network.take("a")
    network.take("b")
    assert network.take("a") == first
    assert len(network) == 2


def test_a_released_address_rests_while_others_are_free() -> None:
    network = PodNetwork(SMALL)
    assert network.take("a") == "10.1.2.2"
    network.release("a")
    assert [network.take(uid) for uid in "bcdef"] == ["10.1.2.3", "10.1.2.4", "10.1.2.5", "10.1.2.6", "10.1.2.2"]


def test_an_exhausted_network_gives_none_until_one_is_released() -> None:
    network = PodNetwork(SMALL)
    for uid in "abcde":
        network.take(uid)
    assert network.take("f") is None
    network.release("c")
    assert network.take("f") == "10.1.2.4"


def test_an_address_of_before_is_claimed_once() -> None:
    network = PodNetwork()
    assert network.claim("a", "172.17.1.2")
    assert network.claim("a", "172.17.1.2")
    assert not network.claim("b", "172.17.1.2")
    assert network.take("a") == "172.17.1.2"
    assert network.take("b") == "172.17.1.3"


@pytest.mark.parametrize("address", ["", "10.0.0.1", "172.17.0.0", "172.17.0.1", "172.17.255.255", "::1", "172.17.0"])
def test_what_is_no_address_for_a_pod_cannot_be_claimed(address: str) -> None:
    network = PodNetwork()
    assert not network.claim("a", address)
    assert len(network) == 0


@given(st.lists(st.tuples(st.sampled_from(["take", "claim", "release"]), st.sampled_from("abcdefgh"))))
def test_no_address_belongs_to_two_pods(steps: list[tuple[str, str]]) -> None:
    network, owned = PodNetwork(SMALL), dict[str, str]()
    for step, uid in steps:
        if step == "release":
            network.release(uid)
            owned.pop(uid, None)
        elif step == "claim":
            if network.claim(uid, "10.1.2.4"):
                owned[uid] = "10.1.2.4"
        elif (address := network.take(uid)) is not None:
            assert owned.setdefault(uid, address) == address
        assert len(set(owned.values())) == len(owned) == len(network)
        assert all(IPv4Address(address) in SMALL for address in owned.values())


def test_the_network_is_that_of_docker0() -> None:
    assert str(DOCKER0) == "172.17.0.0/16"
