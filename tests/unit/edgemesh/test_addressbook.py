from collections.abc import AsyncIterator, Callable
from ipaddress import IPv4Network
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.clock import VirtualClock, settle
from edgecore.errors import BusClosed, ReplyTimeout, StoreError
from edgecore.modules.edgemesh.addressbook import IN_FLIGHT, RETRY_S, AddressBook
from edgecore.modules.edgemesh.fakeip import FakeIpPool
from edgecore.modules.edgemesh.names import ServiceKey

WEB = ServiceKey("default", "web")
API = ServiceKey("prod", "api")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(start_ms=5_000)


@pytest.fixture
def pool() -> FakeIpPool:
    return FakeIpPool(IPv4Network("127.251.0.0/16"), 128.0)


@pytest.fixture
async def book(store: Any, meta: Any, pool: FakeIpPool, clock: VirtualClock) -> AsyncIterator[AddressBook]:
    book = AddressBook(store, meta, pool, clock)
    yield book
    await book.close()


@pytest.fixture
def stored() -> list[ServiceKey]:
    """The services whose address was said to be stored."""
    return []


@pytest.fixture
def keep(book: AddressBook, pool: FakeIpPool, stored: list[ServiceKey]) -> Callable[[ServiceKey], str]:
    """``keep(service)``: give the service an address, and have it stored."""

    def allocate_and_keep(service: ServiceKey) -> str:
        address = pool.allocate(service, 0.0)
        book.keep(service, address, lambda: stored.append(service))
        return address

    return allocate_and_keep


Keep = Callable[[ServiceKey], str]


async def test_an_address_is_stored_as_listener_row_and_in_our_table(
    keep: Keep, store: Any, meta: Any, stored: list[ServiceKey]
) -> None:
    keep(WEB)
    await settle()

    assert meta.listener_rows == {("default", "web"): "127.251.0.1"}
    assert store.committed == [("INSERT", "127.251.0.1", "default", "web")]
    assert stored == [WEB]


async def test_the_listener_row_is_written_behind_ours_and_deleted_before_it(
    keep: Keep, book: AddressBook, pool: FakeIpPool, store: Any, meta: Any
) -> None:
    """Else a process that ends between the two leaves a listener row of a service that nobody knows any more."""
    store.open.clear()
    address = keep(WEB)
    await settle()
    assert meta.listener_rows == {}
    store.open.set()
    await settle()

    store.open.clear()
    pool.release(WEB, 0.0)
    book.release(WEB, address)
    await settle()

    assert (meta.listener_rows, store.committed) == ({}, [("INSERT", "127.251.0.1", "default", "web")])
    store.open.set()


@pytest.mark.parametrize(("row", "then"), [(None, "127.251.0.1"), ("127.251.9.9", "127.251.0.1"), ("9.251.0.2",) * 2])
async def test_a_listener_row_that_is_missing_is_written_to_confirm_an_address(
    *, book: AddressBook, pool: FakeIpPool, store: Any, meta: Any, row: str | None, then: str
) -> None:
    if row is not None:
        meta.listener_rows["default", "web"] = row
    book.confirm(WEB, pool.allocate(WEB, 0.0))
    await settle()

    assert (meta.listener_rows, store.committed) == ({("default", "web"): then}, [])


async def test_nothing_is_said_to_be_stored_before_the_commit(
    keep: Keep, store: Any, stored: list[ServiceKey], book: AddressBook
) -> None:
    store.open.clear()
    keep(WEB)
    await settle()
    assert (stored, book.unfinished) == ([], 1)

    store.open.set()
    await settle()
    assert (stored, book.unfinished) == ([WEB], 0)


async def test_a_service_whose_commit_takes_long_does_not_hold_up_others(
    keep: Keep, store: Any, stored: list[ServiceKey]
) -> None:
    store.open.clear()
    for number in range(20):
        keep(ServiceKey("bulk", f"s{number}"))
    await settle()
    store.open.set()
    await settle(2)

    assert len(stored) == 20


async def test_a_listener_row_with_an_address_of_another_pool_is_left_alone(
    keep: Keep, store: Any, meta: Any, stored: list[ServiceKey]
) -> None:
    meta.listener_rows["default", "web"] = "9.251.0.2"

    keep(WEB)
    await settle()

    assert meta.listener_rows == {("default", "web"): "9.251.0.2"}
    assert store.committed == [("INSERT", "127.251.0.1", "default", "web")]
    assert stored == [WEB]


async def test_a_listener_row_with_another_address_of_our_pool_is_overwritten(keep: Keep, meta: Any) -> None:
    meta.listener_rows["default", "web"] = "127.251.0.99"

    keep(WEB)
    await settle()

    assert meta.listener_rows == {("default", "web"): "127.251.0.1"}


async def test_a_listener_row_that_is_right_already_is_not_written(keep: Keep, meta: Any) -> None:
    meta.listener_rows["default", "web"] = "127.251.0.1"

    keep(WEB)
    await settle()

    assert meta.calls == [("listener", "default", "web")]


async def test_a_listener_row_that_is_no_text_is_left_alone(keep: Keep, meta: Any, stored: list[ServiceKey]) -> None:
    meta.failures.append(StoreError("cannot read listener row"))

    keep(WEB)
    await settle()

    assert meta.calls == [("listener", "default", "web")]
    assert stored == [WEB]


async def test_a_released_address_is_marked_and_its_listener_row_deleted(
    keep: Keep, book: AddressBook, pool: FakeIpPool, store: Any, meta: Any
) -> None:
    address = keep(WEB)
    await settle()

    pool.release(WEB, 0.0)
    book.release(WEB, address)
    await settle()

    assert store.committed[1:] == [("UPDATE", 5_000, "127.251.0.1", "default", "web")]
    assert meta.listener_rows == {}


async def test_on_release_a_listener_row_with_another_address_is_left_alone(
    keep: Keep, book: AddressBook, pool: FakeIpPool, meta: Any
) -> None:
    meta.listener_rows["default", "web"] = "9.251.0.2"
    address = keep(WEB)
    pool.release(WEB, 0.0)
    book.release(WEB, address)
    await settle()

    assert meta.listener_rows == {("default", "web"): "9.251.0.2"}


async def test_a_release_waits_until_the_address_was_stored(
    keep: Keep, book: AddressBook, store: Any, meta: Any
) -> None:
    store.open.clear()
    address = keep(WEB)
    await settle()
    book.release(WEB, address)
    await settle()
    store.open.set()
    await settle()

    assert [row[0] for row in store.committed] == ["INSERT", "UPDATE"]
    assert meta.listener_rows == {}


async def test_a_release_waits_for_a_write_that_has_to_be_tried_again(
    keep: Keep, book: AddressBook, store: Any, meta: Any, clock: VirtualClock
) -> None:
    meta.failures.append(ReplyTimeout("timeout to get response"))
    address = keep(WEB)
    await settle()
    book.release(WEB, address)
    await settle()
    assert [row[0] for row in store.committed] == ["INSERT"]

    await clock.advance(RETRY_S)

    assert [row[0] for row in store.committed] == ["INSERT", "INSERT", "UPDATE"]
    assert meta.listener_rows == {}


async def test_a_service_that_lost_its_address_during_the_commit_is_not_said_to_be_stored(
    keep: Keep, pool: FakeIpPool, store: Any, stored: list[ServiceKey]
) -> None:
    store.open.clear()
    keep(WEB)
    await settle()
    pool.release(WEB, 0.0)
    store.open.set()
    await settle()

    assert stored == []


async def test_a_service_that_comes_back_at_once_ends_with_its_new_address(
    *, keep: Keep, book: AddressBook, pool: FakeIpPool, store: Any, meta: Any, stored: list[ServiceKey]
) -> None:
    first = keep(WEB)
    pool.release(WEB, 0.0)
    book.release(WEB, first)
    second = keep(WEB)
    await settle()

    assert meta.listener_rows == {("default", "web"): second}
    assert store.committed[-1] == ("INSERT", second, "default", "web")
    assert stored == [WEB]  # once: by then the first address was not its own


async def test_the_release_of_one_service_does_not_wait_for_the_storing_of_another(
    keep: Keep, book: AddressBook, meta: Any, clock: VirtualClock
) -> None:
    address = keep(WEB)
    await settle()
    meta.failures.append(ReplyTimeout("timeout to get response"))
    keep(API)
    await settle()
    book.release(WEB, address)
    await settle()

    assert ("default", "web") not in meta.listener_rows


@pytest.mark.parametrize("failing", ["meta", "store"])
async def test_a_write_that_fails_is_tried_again_and_logged_once(
    *, keep: Keep, meta: Any, store: Any, clock: VirtualClock, stored: list[ServiceKey], failing: str
) -> None:
    if failing == "meta":
        meta.failures += [ReplyTimeout("timeout to get response")] * 2
    else:
        store.failures += [StoreError("cannot write: disk full")] * 2
    with capture_logs() as logs:
        keep(WEB)
        await settle()
        await clock.advance(RETRY_S)
        assert stored == []
        await clock.advance(RETRY_S)

    assert stored == [WEB]
    assert [line["event"] for line in logs] == ["address_not_stored", "address_stored"]
    assert logs[0]["service"] == "default/web"


async def test_a_write_for_an_address_that_the_service_has_lost_is_not_tried_again(
    *, keep: Keep, pool: FakeIpPool, meta: Any, store: Any, clock: VirtualClock, stored: list[ServiceKey]
) -> None:
    store.failures.append(StoreError("cannot write: disk full"))
    keep(WEB)
    await settle()
    pool.release(WEB, 0.0)
    await clock.advance(RETRY_S)

    assert (store.committed, meta.listener_rows, stored) == ([], {}, [])


async def test_a_bus_that_is_closed_ends_the_attempts(keep: Keep, book: AddressBook, meta: Any) -> None:
    meta.failures.append(BusClosed("the bus is closed"))

    keep(WEB)
    await settle()

    assert book.unfinished == 0


async def test_an_error_that_nobody_expects_is_logged_and_ends_the_attempts(
    keep: Keep, book: AddressBook, meta: Any
) -> None:
    meta.failures.append(ZeroDivisionError())
    with capture_logs() as logs:
        keep(WEB)
        await settle()

    assert [(line["event"], line["log_level"]) for line in logs] == [("address_not_stored", "error")]
    assert book.unfinished == 0


async def test_so_many_writes_are_under_way_at_one_time(keep: Keep, store: Any) -> None:
    store.open.clear()
    for number in range(IN_FLIGHT + 10):
        keep(ServiceKey("bulk", f"s{number}"))
    await settle()

    assert store.begun == IN_FLIGHT


async def test_after_close_nothing_is_under_way_and_nothing_begins(
    keep: Keep, book: AddressBook, store: Any, stored: list[ServiceKey]
) -> None:
    store.open.clear()
    keep(WEB)
    await settle()

    await book.close()
    await book.close()
    keep(API)
    store.open.set()
    await settle()

    assert (book.unfinished, store.committed, stored) == (0, [], [])


async def test_the_address_of_a_pod_is_in_our_table_alone(
    keep: Keep, book: AddressBook, store: Any, meta: Any, stored: list[ServiceKey]
) -> None:
    pod = WEB.pod("web-0")

    address = keep(pod)
    await settle()
    assert stored == [pod]
    book.release(pod, address)
    await settle()

    assert store.committed == [
        ("INSERT", address, "default", "web-0.web"),
        ("UPDATE", 5_000, address, "default", "web-0.web"),
    ]
    assert meta.calls == []
