"""Cluster addresses: the same for the same name, never one for two, as many as the range has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.addresses import ClusterAddresses
from cloudhub_stub.cluster.kinds import ObjectKey
from cloudhub_stub.errors import ApiError, Invalid


def key(name: str, namespace: str = "default") -> ObjectKey:
    return ObjectKey("Service", namespace, name)


def service(name: str, address: str) -> dict[str, object]:
    return {"kind": "Service", "metadata": {"name": name, "namespace": "default"}, "spec": {"clusterIP": address}}


def given_to(addresses: ClusterAddresses, wanted: ObjectKey) -> str:
    address = addresses.free_for(wanted)
    addresses.hold(wanted, address)
    return address


def test_a_name_gets_the_same_address_in_every_process() -> None:
    other = ClusterAddresses()
    given_to(other, key("first"))
    assert ClusterAddresses().free_for(key("web")) == other.free_for(key("web"))


def test_asking_takes_nothing() -> None:
    addresses = ClusterAddresses("10.0.0.0/29")
    assert len({addresses.free_for(key("web")) for _ in range(9)}) == 1


def test_every_address_but_the_ends_and_the_api_servers_is_given_out_once() -> None:
    addresses = ClusterAddresses("10.0.0.0/29")
    found = {given_to(addresses, key(name)) for name in "abcde"}
    assert found == {f"10.0.0.{number}" for number in range(2, 7)}


@pytest.mark.parametrize("network", ["10.0.0.0/29", "10.0.0.0/31", "10.0.0.0/32"])
def test_an_exhausted_range_is_an_error(network: str) -> None:
    addresses = ClusterAddresses(network)
    for number in range(8 if network.endswith("29") else 0):
        addresses.hold(key(f"s{number}"), f"10.0.0.{number}")
    with pytest.raises(ApiError, match=r'cannot give services "web" an address: none is free in 10\.0\.0\.0/'):
        addresses.free_for(key("web"))


def test_services_that_exist_already_have_their_addresses() -> None:
    wanted = ClusterAddresses().free_for(key("web"))
    addresses = ClusterAddresses(services=[service("other", wanted), service("headless", "None"), service("ext", "")])
    assert addresses.free_for(key("web")) != wanted


def test_a_service_that_lost_its_address_to_another_frees_nothing() -> None:
    addresses = ClusterAddresses(services=[service("a", "10.254.0.9"), service("b", "10.254.0.9")])
    addresses.release(key("a"))
    with pytest.raises(Invalid, match="default/b"):
        addresses.check(key("c"), "10.254.0.9")
    addresses.release(key("b"))
    addresses.check(key("c"), "10.254.0.9")


def test_a_released_address_is_free_again() -> None:
    addresses = ClusterAddresses("10.0.0.0/30")
    given_to(addresses, key("a"))
    addresses.release(key("a"))
    assert given_to(addresses, key("b")) == "10.0.0.2"


def test_a_service_with_another_address_holds_the_former_no_more() -> None:
    addresses = ClusterAddresses()
    addresses.hold(key("a"), "10.254.0.9")
    addresses.hold(key("a"), "10.254.0.10")
    addresses.check(key("b"), "10.254.0.9")


def test_the_address_of_the_api_server_can_be_asked_for_by_name() -> None:
    ClusterAddresses().check(key("kubernetes"), "10.254.0.1")


@pytest.mark.parametrize("address", ["10.253.255.255", "10.254.0.0", "10.254.255.255", "10.255.0.0", "127.0.0.1"])
def test_an_address_outside_the_range_is_refused(address: str) -> None:
    with pytest.raises(Invalid, match=rf"spec\.clusterIP: .*{address}.*not in the range .*10\.254\.0\.0/16"):
        ClusterAddresses().check(key("web"), address)


@pytest.mark.parametrize("address", ["none", "10.254.1", "10.254.0.01", "fd00::1", "web"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(Invalid, match='must be empty, "None" or an IPv4 address'):
        ClusterAddresses().check(key("web"), address)


def test_the_address_of_another_service_is_refused_and_the_service_named() -> None:
    addresses = ClusterAddresses()
    addresses.hold(key("web"), "10.254.0.9")
    addresses.check(key("web"), "10.254.0.9")
    with pytest.raises(Invalid, match="is the address of Service default/web already"):
        addresses.check(key("shop"), "10.254.0.9")


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), max_size=40))
def test_no_two_services_ever_have_one_address(steps: list[tuple[str, bool]]) -> None:
    addresses = ClusterAddresses("10.0.0.0/28")
    held: dict[str, str] = {}
    for name, stays in steps:
        if stays:
            held[name] = given_to(addresses, key(name)) if name not in held else held[name]
        else:
            addresses.release(key(name))
            held.pop(name, None)
        assert len(set(held.values())) == len(held)
