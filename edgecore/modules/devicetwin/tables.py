"""The tables ``device``, ``device_attr`` and ``device_twin``, as the Go edgecore makes them, and the values in them.

The Go tables have no index but their ids, so the id of each row is kept here, and rows are written by it. Ids are given
here as well: a row is found again before the commit that makes it.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import structlog

from edgecore.errors import ContentError
from edgecore.modules.devicetwin.decision import DropAttribute, DropDevice, PutAttribute, PutDevice, PutTwin, Row
from edgecore.modules.devicetwin.devices import Attribute, Device, Twin
from edgecore.modules.devicetwin.rows import (
    ATTRIBUTE_COLUMNS,
    DEVICE_COLUMNS,
    TWIN_COLUMNS,
    attribute_row,
    device_row,
    read_attribute,
    read_device,
    read_twin,
    twin_row,
)
from edgecore.store.kubeedge import DEVICES
from edgecore.store.store import Statement, Store

log = structlog.get_logger("devicetwin")

SCHEMA = DEVICES

_DEVICE = ", ".join(DEVICE_COLUMNS)
_TWIN = ", ".join(TWIN_COLUMNS)
_ATTRIBUTE = ", ".join(ATTRIBUTE_COLUMNS)


def _put(table: str, columns: tuple[str, ...]) -> str:
    """Return the statement that writes a row by its id, which is its first column."""
    places = ", ".join("?" * len(columns))
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns[1:])
    given = ", ".join(columns)
    return f"INSERT INTO {table} ({given}) VALUES ({places}) ON CONFLICT (id) DO UPDATE SET {changes}"  # noqa: S608


_PUT_DEVICE = _put("device", DEVICE_COLUMNS)
_PUT_TWIN = _put("device_twin", ("id", *TWIN_COLUMNS))
_PUT_ATTRIBUTE = _put("device_attr", ("id", *ATTRIBUTE_COLUMNS))
_DROPS = (
    "DELETE FROM device WHERE id = ?",
    "DELETE FROM device_attr WHERE deviceid = ?",
    "DELETE FROM device_twin WHERE deviceid = ?",
)


class _Ids:
    """The ids of the rows of one table, by device and name."""

    def __init__(self, table: str) -> None:
        self.table = table
        self._known: dict[str, dict[str, int]] = {}
        self._last = 0

    def load(self, store: Store) -> None:
        sql = f"SELECT coalesce(max(id), 0) FROM {self.table}"  # noqa: S608 - one of two tables of ours
        used = store.rows("SELECT seq FROM sqlite_sequence WHERE name = ?", (self.table,))
        self._last = max(store.rows(sql)[0][0], *(int(seq or 0) for (seq,) in used), 0)
        self._known.clear()

    def note(self, device_id: str, name: str, row_id: int) -> None:
        self._known.setdefault(device_id, {})[name] = row_id

    def of(self, device_id: str, name: str) -> int:
        """Return the id of a row, a new one where there is no row."""
        known = self._known.setdefault(device_id, {})
        if name not in known:
            self._last += 1
            known[name] = self._last
        return known[name]

    def forget(self, device_id: str, name: str = "") -> int:
        """Return the id that a row had, 0 if there was none; without a name those of the device are forgotten."""
        if not name:
            self._known.pop(device_id, None)
            return 0
        return self._known.get(device_id, {}).pop(name, 0)


class DeviceTables:
    """The rows of the devices."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._twins = _Ids("device_twin")
        self._attributes = _Ids("device_attr")

    def load(self) -> dict[str, Device]:
        """Return every device that is on disk; a row that holds none is logged. Raises ``StoreError``."""
        self._twins.load(self._store)
        self._attributes.load(self._store)
        return self._read("", ())

    def load_one(self, device_id: str) -> Device | None:
        """Return a device as it is on disk; ``None``: it is not there. Raises ``StoreError``."""
        self._twins.forget(device_id)
        self._attributes.forget(device_id)
        return self._read("WHERE {} = ?", (device_id,)).get(device_id)

    def write(self, rows: Iterable[Row], also: Iterable[Statement] = ()) -> asyncio.Future[None]:
        """Store ``rows`` and what ``also`` writes together; the future fails with ``StoreError`` if that is refused.

        Its caller bounds how many are under way.
        """
        return self._store.submit(*self._statements(rows), *also)

    def _statements(self, rows: Iterable[Row]) -> Iterator[Statement]:
        for row in rows:
            match row:
                case PutDevice(device):
                    yield Statement(_PUT_DEVICE, device_row(device))
                case PutTwin(device_id, name, twin):
                    row_id = self._twins.of(device_id, name)
                    yield Statement(_PUT_TWIN, (row_id, *twin_row(device_id, name, twin)))
                case PutAttribute(device_id, name, attribute):
                    row_id = self._attributes.of(device_id, name)
                    yield Statement(_PUT_ATTRIBUTE, (row_id, *attribute_row(device_id, name, attribute)))
                case DropAttribute(device_id, name):
                    row_id = self._attributes.forget(device_id, name)
                    yield Statement("DELETE FROM device_attr WHERE id = ?", (row_id,))
                case DropDevice(device_id):
                    self._twins.forget(device_id)
                    self._attributes.forget(device_id)
                    yield from (Statement(drop, (device_id,)) for drop in _DROPS)

    def _read(self, where: str, params: tuple[str, ...]) -> dict[str, Device]:
        twins: dict[str, dict[str, Twin]] = {}
        attributes: dict[str, dict[str, Attribute]] = {}
        for row_id, *columns in self._select(f"id, {_TWIN}", "device_twin", where.format("deviceid"), params):
            try:
                device_id, name, twin = read_twin(tuple(columns))
            except ContentError as error:
                log.warning("bad_device_row", table="device_twin", row=row_id, detail=str(error))
                continue
            twins.setdefault(device_id, {})[name] = twin
            self._twins.note(device_id, name, row_id)
        for row_id, *columns in self._select(f"id, {_ATTRIBUTE}", "device_attr", where.format("deviceid"), params):
            try:
                device_id, name, attribute = read_attribute(tuple(columns))
            except ContentError as error:
                log.warning("bad_device_row", table="device_attr", row=row_id, detail=str(error))
                continue
            attributes.setdefault(device_id, {})[name] = attribute
            self._attributes.note(device_id, name, row_id)
        devices: dict[str, Device] = {}
        for row in self._select(_DEVICE, "device", where.format("id"), params):
            try:
                device = read_device(row)
            except ContentError as error:
                log.warning("bad_device_row", table="device", detail=str(error))
                continue
            devices[device.id] = device._replace(
                twins=twins.get(device.id, {}), attributes=attributes.get(device.id, {})
            )
        return devices

    def _select(self, columns: str, table: str, where: str, params: tuple[str, ...]) -> list[tuple[Any, ...]]:
        sql = f"SELECT {columns} FROM {table} {where} ORDER BY id"  # noqa: S608 - the words are ours
        return self._store.rows(sql, params)
