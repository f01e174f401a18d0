from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgecore.modules.edgemesh import tables
from edgecore.modules.edgemesh.fakeip import AddressRow
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.store.store import Store, open_store

WEB = ServiceKey("default", "web")
API = ServiceKey("prod", "api")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = open_store(tmp_path / "edgecore.db", tables.SCHEMA)
    yield store
    await store.close()


async def test_an_empty_file_has_no_addresses_and_no_pool(store: Store) -> None:
    assert tables.read_addresses(store) == []
    assert tables.read_pool(store) is None


async def test_the_tables_of_an_existing_file_are_kept(store: Store, tmp_path: Path) -> None:
    await store.write(tables.address_taken(WEB, "127.251.0.1"))
    await store.close()

    again = open_store(tmp_path / "edgecore.db", tables.SCHEMA)

    assert tables.read_addresses(again) == [AddressRow("127.251.0.1", WEB, None)]
    await again.close()


async def test_an_address_that_is_taken_belongs_to_the_last_that_took_it(store: Store) -> None:
    await store.write(tables.address_taken(WEB, "127.251.0.1"), tables.address_taken(API, "127.251.0.1"))

    assert tables.read_addresses(store) == [AddressRow("127.251.0.1", API, None)]


async def test_a_released_address_has_the_time_of_its_release(store: Store) -> None:
    await store.write(tables.address_taken(WEB, "127.251.0.1"), tables.address_released(WEB, "127.251.0.1", 5_000))

    assert tables.read_addresses(store) == [AddressRow("127.251.0.1", WEB, 5_000)]


async def test_a_release_by_a_service_that_does_not_have_the_address_changes_nothing(store: Store) -> None:
    await store.write(tables.address_taken(API, "127.251.0.1"), tables.address_released(WEB, "127.251.0.1", 5_000))

    assert tables.read_addresses(store) == [AddressRow("127.251.0.1", API, None)]


async def test_taking_a_released_address_ends_its_release(store: Store) -> None:
    await store.write(tables.address_taken(WEB, "127.251.0.1"), tables.address_released(WEB, "127.251.0.1", 5_000))
    await store.write(tables.address_taken(WEB, "127.251.0.1"))

    assert tables.read_addresses(store) == [AddressRow("127.251.0.1", WEB, None)]


async def test_rows_come_newest_first_and_then_the_released_oldest_first(store: Store) -> None:
    for number in range(1, 5):
        await store.write(tables.address_taken(ServiceKey("bulk", f"s{number}"), f"127.251.0.{number}"))
    await store.write(tables.address_released(ServiceKey("bulk", "s1"), "127.251.0.1", 9_000))
    await store.write(tables.address_released(ServiceKey("bulk", "s3"), "127.251.0.3", 8_000))

    assert [row.address for row in tables.read_addresses(store)] == [
        "127.251.0.4",
        "127.251.0.2",
        "127.251.0.3",
        "127.251.0.1",
    ]


async def test_a_forgotten_address_has_no_row(store: Store) -> None:
    await store.write(tables.address_taken(WEB, "127.251.0.1"), tables.address_forgotten("127.251.0.1"))

    assert tables.read_addresses(store) == []


async def test_the_pool_used_last_is_remembered(store: Store) -> None:
    await store.write(tables.pool_used("127.251.0.0/16"))
    await store.write(tables.pool_used("127.250.0.0/16"))

    assert tables.read_pool(store) == "127.250.0.0/16"
