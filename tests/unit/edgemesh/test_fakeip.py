from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edgecore.errors import PoolExhausted
from edgecore.modules.edgemesh.fakeip import FakeIpPool
from edgecore.modules.edgemesh.names import ServiceKey

NETWORK = IPv4Network("127.251.0.0/16")
REUSE_AFTER_S = 128.0


def key(number: int) -> ServiceKey:
    return ServiceKey("default", f"svc-{number}")


@pytest.fixture
def pool() -> FakeIpPool:
    return FakeIpPool(NETWORK, REUSE_AFTER_S)


@pytest.fixture
def filled() -> Callable[[int], FakeIpPool]:
    """``filled(n)``: a pool in which services 1 to n have addresses."""

    def fill(services: int) -> FakeIpPool:
        pool = FakeIpPool(NETWORK, REUSE_AFTER_S)
        for number in range(1, services + 1):
            pool.allocate(key(number), 0.0)
        return pool

    return fill


def test_the_first_addresses_follow_each_other_from_0_1(pool: FakeIpPool) -> None:
    assert [pool.allocate(key(number), 0.0) for number in range(3)] == ["127.251.0.1", "127.251.0.2", "127.251.0.3"]


def test_a_service_keeps_its_address(pool: FakeIpPool) -> None:
    first = pool.allocate(key(1), 0.0)

    assert pool.allocate(key(1), 1000.0) == first
    assert len(pool) == 1


def test_owner_and_address_name_each_other(pool: FakeIpPool) -> None:
    address = pool.allocate(key(1), 0.0)

    assert (pool.owner(address), pool.address_of(key(1))) == (key(1), address)


def test_an_address_that_nobody_has_has_no_owner(pool: FakeIpPool) -> None:
    assert pool.owner("127.251.9.9") is None
    assert pool.owner("10.0.0.1") is None
    assert pool.address_of(key(1)) is None


# X19: the subnet is fixed in the Go code, the first step is shorter than the others, and a 16-bit counter wraps.


def test_another_subnet_gives_addresses_of_that_subnet() -> None:
    pool = FakeIpPool(IPv4Network("10.7.0.0/16"), REUSE_AFTER_S)

    assert pool.allocate(key(1), 0.0) == "10.7.0.1"
    assert pool.claim(key(2), "9.251.0.5") is not None


def test_the_last_address_is_255_254_and_then_the_pool_is_exhausted(filled: Callable[[int], FakeIpPool]) -> None:
    pool = filled(65_533)

    assert pool.allocate(key(65_534), 0.0) == "127.251.255.254"
    with pytest.raises(PoolExhausted, match=r"all 65534 addresses of 127\.251\.0\.0/16"):
        pool.allocate(key(65_535), 0.0)
    assert len(pool) == 65_534


def test_an_exhausted_pool_gives_an_address_again_once_one_is_released(filled: Callable[[int], FakeIpPool]) -> None:
    pool = filled(65_534)
    pool.release(key(300), 1.0)

    assert pool.allocate(key(65_535), 1.0) == "127.251.1.44"


def test_a_subnet_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="a fake-IP pool is a /16"):
        FakeIpPool(IPv4Network("10.0.0.0/8"), REUSE_AFTER_S)


def test_a_released_address_goes_behind_the_rest_of_its_step(filled: Callable[[int], FakeIpPool]) -> None:
    pool = filled(10)
    assert pool.release(key(3), 0.0) == "127.251.0.3"

    following = [pool.allocate(key(number), 1000.0) for number in range(100, 100 + 247)]

    assert following[:2] == ["127.251.0.11", "127.251.0.12"]
    assert following[-2:] == ["127.251.1.0", "127.251.0.3"]


def test_steps_hold_256_addresses_each(filled: Callable[[int], FakeIpPool]) -> None:
    pool = filled(512)
    pool.release(key(1), 0.0)

    assert pool.allocate(key(1000), 1000.0) == "127.251.0.1"  # the second step ends at 127.251.2.0: no third was begun


def test_a_released_address_rests_while_others_are_free(filled: Callable[[int], FakeIpPool]) -> None:
    pool = filled(256)
    pool.release(key(7), 10.0)

    assert pool.allocate(key(300), 10.0 + REUSE_AFTER_S - 0.1) == "127.251.1.1"


def test_a_rested_address_is_given_before_a_new_step_is_begun(filled: Callable[[int], FakeIpPool]) -> None:
    pool = filled(256)
    pool.release(key(7), 10.0)

    assert pool.allocate(key(300), 10.0 + REUSE_AFTER_S) == "127.251.0.7"


def test_a_service_that_comes_back_gets_another_address(filled: Callable[[int], FakeIpPool]) -> None:
    pool = filled(1)
    pool.release(key(1), 0.0)

    assert pool.allocate(key(1), 1.0) == "127.251.0.2"


def test_releasing_a_service_without_address_releases_nothing(pool: FakeIpPool) -> None:
    assert pool.release(key(1), 0.0) is None


def test_a_claimed_address_is_skipped_by_the_allocation(pool: FakeIpPool) -> None:
    assert pool.claim(key(9), "127.251.0.2") is None

    assert [pool.allocate(key(number), 0.0) for number in (1, 2)] == ["127.251.0.1", "127.251.0.3"]
    assert pool.allocate(key(9), 0.0) == "127.251.0.2"


def test_a_claimed_address_far_ahead_that_was_released_is_given_once(pool: FakeIpPool) -> None:
    pool.claim(key(0), "127.251.0.5")
    pool.release(key(0), 0.0)

    given = [pool.allocate(key(number), 1000.0) for number in range(1, 257)]

    assert given.count("127.251.0.5") == 1
    assert len(set(given)) == 256


def test_claiming_the_same_address_again_is_no_problem(pool: FakeIpPool) -> None:
    pool.claim(key(1), "127.251.0.9")

    assert pool.claim(key(1), "127.251.0.9") is None


@pytest.mark.parametrize(
    "address",
    [
        "127.251.0.0",
        "127.251.255.255",
        "127.250.0.1",
        "9.251.0.1",
        "",
        "localhost",
        "127.251.0",
        "::1",
        '"127.251.0.1"',
    ],
)
def test_a_claim_of_what_the_pool_does_not_have_is_refused(pool: FakeIpPool, address: str) -> None:
    refused = pool.claim(key(1), address)

    assert refused is not None
    assert refused.reason == "outside_pool"
    assert "127.251.0.0/16" in refused.text
    assert len(pool) == 0


def test_a_claim_of_an_address_that_another_has_is_refused(pool: FakeIpPool) -> None:
    pool.claim(key(1), "127.251.0.9")

    refused = pool.claim(key(2), "127.251.0.9")

    assert refused is not None
    assert refused.reason == "taken"
    assert "default/svc-1 has it" in refused.text
    assert pool.owner("127.251.0.9") == key(1)


def test_a_second_claim_for_one_service_is_refused(pool: FakeIpPool) -> None:
    pool.claim(key(1), "127.251.0.9")

    refused = pool.claim(key(1), "127.251.0.10")

    assert refused is not None
    assert refused.reason == "has_another"


def test_an_address_put_to_rest_is_not_given_before_its_time(pool: FakeIpPool) -> None:
    assert pool.rest("127.251.0.1", key(9), -28.0)

    assert pool.allocate(key(1), 99.0) == "127.251.0.2"


def test_an_address_in_use_or_outside_the_pool_cannot_be_put_to_rest(pool: FakeIpPool) -> None:
    address = pool.allocate(key(1), 0.0)

    assert not pool.rest(address, key(9), 0.0)
    assert not pool.rest("10.0.0.1", key(9), 0.0)


def test_a_resting_address_can_be_claimed_back(pool: FakeIpPool) -> None:
    pool.rest("127.251.0.1", key(9), 0.0)

    assert pool.claim(key(1), "127.251.0.1") is None
    assert pool.allocate(key(2), 1000.0) == "127.251.0.2"


class PoolUnderUse(RuleBasedStateMachine):
    """Any order of operations, against what must hold of the outcome."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = FakeIpPool(NETWORK, REUSE_AFTER_S)
        self.now = 0.0
        self.owned: dict[ServiceKey, str] = {}
        self.released_at: dict[str, float] = {}
        self.fresh_seen: list[str] = []

    services = st.integers(0, 40).map(key)
    addresses = st.integers(0, 0xFFFF).map(lambda number: str(NETWORK[number])) | st.sampled_from(
        ["127.251.0.1", "127.251.0.2", "127.251.1.0", "127.252.0.1", "nothing"],
    )

    @rule(seconds=st.floats(0, 200))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(service=services)
    def allocate(self, service: ServiceKey) -> None:
        address = self.pool.allocate(service, self.now)
        if service in self.owned:
            assert address == self.owned[service]
            return
        assert address not in self.owned.values()
        if address in self.released_at:  # others are free all the time: 41 services are never too many
            assert self.now - self.released_at.pop(address) >= REUSE_AFTER_S
        else:
            assert all(IPv4Address(address) > IPv4Address(before) for before in self.fresh_seen)
            self.fresh_seen.append(address)
        self.owned[service] = address

    @rule(service=services)
    def release(self, service: ServiceKey) -> None:
        address = self.owned.pop(service, None)
        assert self.pool.release(service, self.now) == address
        if address is not None:
            self.released_at[address] = self.now

    @rule(service=services, address=addresses)
    def claim(self, service: ServiceKey, address: str) -> None:
        refused = self.pool.claim(service, address)
        allowed = (
            self.pool.has(address)
            and self.owned.get(service, address) == address
            and all(other == service for other, owned in self.owned.items() if owned == address)
        )
        assert (refused is None) == allowed
        if allowed:
            self.owned[service] = address
            self.released_at.pop(address, None)

    @invariant()
    def the_pool_knows_what_it_gave(self) -> None:
        assert len(self.pool) == len(self.owned)
        for service, address in self.owned.items():
            assert self.pool.owner(address) == service
            assert IPv4Address(address) in NETWORK
            assert address not in {"127.251.0.0", "127.251.255.255"}


TestPoolUnderUse = PoolUnderUse.TestCase
TestPoolUnderUse.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
