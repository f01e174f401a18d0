from ipaddress import IPv4Network

import pytest

from edgecore.modules.edgemesh.fakeip import AddressRow, FakeIpPool
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.recovery import recover

WEB = ServiceKey("default", "web")
API = ServiceKey("prod", "api")
NEW = ServiceKey("prod", "new")
NOW = 1000.0
NOW_MS = 1_700_000_000_000


@pytest.fixture
def pool() -> FakeIpPool:
    return FakeIpPool(IPv4Network("127.251.0.0/16"), 128.0)


def released(seconds_ago: float) -> int:
    return NOW_MS - int(seconds_ago * 1000)


def test_every_service_gets_its_stored_address_back(pool: FakeIpPool) -> None:
    rows = [AddressRow("127.251.0.7", WEB, None), AddressRow("127.251.9.0", API, None)]

    found = recover(pool, rows, {WEB: None, API: None}, NOW, NOW_MS)

    assert (pool.address_of(WEB), pool.address_of(API)) == ("127.251.0.7", "127.251.9.0")
    assert found.stored == {WEB, API}
    assert (found.refused, found.gone, found.useless) == ((), (), ())


def test_a_service_without_stored_address_takes_that_of_its_listener_row(pool: FakeIpPool) -> None:
    found = recover(pool, [], {WEB: "127.251.0.3"}, NOW, NOW_MS)

    assert pool.address_of(WEB) == "127.251.0.3"
    assert found.stored == frozenset()  # our table does not have it yet


def test_the_stored_address_holds_against_the_listener_row(pool: FakeIpPool) -> None:
    recover(pool, [AddressRow("127.251.0.7", WEB, None)], {WEB: "9.251.0.3"}, NOW, NOW_MS)

    assert pool.address_of(WEB) == "127.251.0.7"


# X20: the Go code cuts the first and the last character off whatever the row holds.


@pytest.mark.parametrize("row", ["9.251.0.1", '"127.251.0.1"', "", "x", "127.251.0.0", "unreadable", "\N{SNOWMAN}"])
def test_a_listener_row_that_is_no_address_of_the_pool_stops_nothing(pool: FakeIpPool, row: str) -> None:
    found = recover(pool, [], {WEB: row, API: "127.251.0.4"}, NOW, NOW_MS)

    assert [refusal.reason for refusal in found.refused] == ["outside_pool"]
    assert (pool.address_of(WEB), pool.address_of(API)) == (None, "127.251.0.4")


def test_of_two_listener_rows_with_one_address_the_first_holds(pool: FakeIpPool) -> None:
    found = recover(pool, [], {WEB: "127.251.0.4", API: "127.251.0.4"}, NOW, NOW_MS)

    assert pool.owner("127.251.0.4") == WEB
    assert [refusal.reason for refusal in found.refused] == ["taken"]


def test_a_listener_row_does_not_take_the_stored_address_of_another(pool: FakeIpPool) -> None:
    recover(pool, [AddressRow("127.251.0.4", API, None)], {WEB: "127.251.0.4", API: None}, NOW, NOW_MS)

    assert pool.owner("127.251.0.4") == API


def test_an_address_released_lately_rests_on(pool: FakeIpPool) -> None:
    found = recover(pool, [AddressRow("127.251.0.1", WEB, released(100))], {}, NOW, NOW_MS)

    assert found.useless == ()
    assert pool.allocate(NEW, NOW + 27) == "127.251.0.2"


def test_an_address_released_lately_is_given_once_it_has_rested(pool: FakeIpPool) -> None:
    recover(pool, [AddressRow("127.251.0.1", WEB, released(100))], {}, NOW, NOW_MS)
    for number in range(255):
        pool.allocate(ServiceKey("bulk", f"s{number}"), NOW)

    assert pool.allocate(NEW, NOW + 28) == "127.251.0.1"


def test_a_row_released_long_ago_is_useless_and_its_address_free(pool: FakeIpPool) -> None:
    row = AddressRow("127.251.0.1", WEB, released(128))

    found = recover(pool, [row], {}, NOW, NOW_MS)

    assert found.useless == (row,)
    assert pool.allocate(NEW, NOW) == "127.251.0.1"


def test_an_address_released_in_the_future_rests_its_whole_time_and_no_longer(pool: FakeIpPool) -> None:
    recover(pool, [AddressRow("127.251.0.1", WEB, released(-3600))], {}, NOW, NOW_MS)
    for number in range(255):
        pool.allocate(ServiceKey("bulk", f"s{number}"), NOW)

    assert pool.allocate(API, NOW + 127) == "127.251.1.1"
    for number in range(255):
        pool.allocate(ServiceKey("more", f"s{number}"), NOW)
    assert pool.allocate(NEW, NOW + 128) == "127.251.0.1"


def test_the_address_of_a_service_that_is_there_no_more_rests_from_now_on(pool: FakeIpPool) -> None:
    row = AddressRow("127.251.0.1", WEB, None)

    found = recover(pool, [row], {}, NOW, NOW_MS)

    assert found.gone == (row,)
    assert pool.allocate(NEW, NOW + 127) == "127.251.0.2"


def test_rows_of_another_pool_are_useless(pool: FakeIpPool) -> None:
    rows = [AddressRow("127.250.0.1", WEB, None), AddressRow("127.250.0.2", API, released(1))]

    found = recover(pool, rows, {WEB: None}, NOW, NOW_MS)

    assert found.useless == tuple(rows)
    assert pool.address_of(WEB) is None


def test_of_two_stored_addresses_of_one_service_the_first_row_holds(pool: FakeIpPool) -> None:
    rows = [AddressRow("127.251.0.8", WEB, None), AddressRow("127.251.0.7", WEB, None)]

    found = recover(pool, rows, {WEB: None}, NOW, NOW_MS)

    assert pool.address_of(WEB) == "127.251.0.8"
    assert found.useless == (rows[1],)


def test_a_service_that_comes_back_while_its_address_rests_takes_it_by_its_listener_row(pool: FakeIpPool) -> None:
    recover(pool, [AddressRow("127.251.0.1", WEB, released(1))], {WEB: "127.251.0.1"}, NOW, NOW_MS)

    assert pool.address_of(WEB) == "127.251.0.1"


def test_a_pod_has_the_address_back_that_our_table_says(pool: FakeIpPool) -> None:
    pod = WEB.pod("web-0")

    found = recover(pool, [AddressRow("127.251.0.7", pod, None)], {WEB: None, pod: None}, NOW, NOW_MS)

    assert (pool.address_of(pod), found.stored) == ("127.251.0.7", {pod})


@pytest.mark.parametrize("released_at_ms", [None, NOW_MS - 1000])
def test_the_address_of_a_pod_that_is_not_there_is_kept_for_its_name_as_long_as_it_rests(
    pool: FakeIpPool, released_at_ms: int | None
) -> None:
    pod = WEB.pod("web-0")

    recover(pool, [AddressRow("127.251.0.7", pod, released_at_ms)], {WEB: None}, NOW, NOW_MS)

    assert pool.take_back(WEB.pod("web-1")) is None
    assert pool.take_back(pod) == "127.251.0.7"
