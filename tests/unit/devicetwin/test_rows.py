"""Devices, attributes and twins as rows of the tables of the Go program, both ways."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.errors import ContentError
from edgecore.modules.devicetwin.devices import DELETED, Attribute, Device, Side, Twin, Version
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

VERSIONS = st.builds(Version, st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
SIDES = st.none() | st.builds(Side, st.text(), st.integers(0, 2**63 - 1), VERSIONS)
SIDES |= VERSIONS.map(lambda version: Side(version=version))
EMPTIED = st.none() | VERSIONS.map(lambda version: Side(version=version))
TWINS = st.builds(Twin, SIDES, SIDES, st.booleans(), st.sampled_from(["string", "int", "float", "boolean", ""]))
GONE = st.builds(Twin, EMPTIED, EMPTIED, st.booleans(), st.just(DELETED))
COLUMNS = st.none() | st.integers() | st.floats() | st.text() | st.binary() | st.just("{}") | st.just("[" * 2000)


def test_the_columns_are_those_of_the_tables() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in DEVICES:
            connection.execute(statement)
        tables = ("device", "device_attr", "device_twin")
        found = [tuple(row[1] for row in connection.execute(f"PRAGMA table_info({table})")) for table in tables]
    assert found == [DEVICE_COLUMNS, ("id", *ATTRIBUTE_COLUMNS), ("id", *TWIN_COLUMNS)]


def test_a_twin_is_written_as_the_go_program_writes_it() -> None:
    twin = Twin(Side("20", 5, Version(100, 0)), Side("19", 6, Version(0, 1)), False, "int")
    assert twin_row("sensor", "temp", twin) == (
        *("sensor", "temp", "", "20", "19", '{"timestamp":5}', '{"timestamp":6}'),
        *('{"cloud":100,"edge":0}', '{"cloud":0,"edge":1}', 0, "int", "{}"),
    )


def test_a_side_that_is_not_there_is_empty_texts() -> None:
    row = twin_row("sensor", "temp", Twin(expected=Side("20", 5, Version(100, 0)), optional=True))
    assert row[3:9] == ("20", "", '{"timestamp":5}', "", '{"cloud":100,"edge":0}', "")
    assert row[9] == 1


def test_a_twin_that_is_gone_has_no_values_but_its_versions() -> None:
    row = twin_row("sensor", "hum", Twin(actual=Side(version=Version(0, 2)), optional=True, type=DELETED))
    assert row == ("sensor", "hum", "", None, None, None, None, "", '{"cloud":0,"edge":2}', 1, "deleted", "{}")


def test_a_device_and_its_attributes_are_written_as_the_go_program_writes_them() -> None:
    device = Device("led-1", "led-1", "LEDLight", "online", "2026-11-20 10:18:51")
    assert device_row(device) == ("led-1", "led-1", "LEDLight", "online", "2026-11-20 10:18:51")
    assert attribute_row("led-1", "colour", Attribute("red", False)) == (
        *("led-1", "colour", "", "red", 0, "string", "{}"),
    )


@given(TWINS | GONE)
def test_a_twin_is_read_as_it_was_written(twin: Twin) -> None:
    assert read_twin(twin_row("d", "t", twin)) == ("d", "t", twin)


@given(st.builds(Attribute, st.text(), st.booleans(), st.text()))
def test_an_attribute_is_read_as_it_was_written(attribute: Attribute) -> None:
    assert read_attribute(attribute_row("d", "a", attribute)) == ("d", "a", attribute)


@given(st.tuples(st.text(min_size=1), st.text(), st.text(), st.text(), st.text()))
def test_a_device_is_read_as_it_was_written(columns: tuple[str, ...]) -> None:
    assert read_device(device_row(Device(*columns))) == Device(*columns)


def go_twin(**columns: Any) -> tuple[Any, ...]:
    """Return the row that the Go program writes for a new twin, with other columns."""
    row = dict.fromkeys(TWIN_COLUMNS, "") | {"deviceid": "d", "name": "t", "optional": 1, "attr_type": "string"}
    return tuple((row | columns).values())


@pytest.mark.parametrize(
    ("columns", "twin"),
    [
        ({}, Twin(optional=True)),
        ({"optional": 0, "attr_type": None}, Twin(type="")),
        ({"optional": "true"}, Twin(optional=True)),
        ({"expected": "x"}, Twin(Side("x"), None, True)),
        ({"expected": 20, "expected_meta": '{"timestamp":5}'}, Twin(Side("20", 5), None, True)),
        ({"expected": b"\xff", "expected_meta": "nonsense"}, Twin(Side("\ufffd"), None, True)),
        ({"actual": "x", "actual_version": '{"edge":3,"more":1}'}, Twin(None, Side("x", None, Version(0, 3)), True)),
        ({"actual": "x", "actual_version": "nonsense"}, Twin(None, Side("x", None, Version()), True)),
        ({"actual": "x", "actual_version": '{"cloud":"1"}'}, Twin(None, Side("x", None, Version()), True)),
        ({"actual": None, "actual_version": '{"cloud":1}'}, Twin(None, Side(version=Version(1, 0)), True)),
        ({"actual": "old", "attr_type": "deleted"}, Twin(None, None, True, DELETED)),
        ({"attr_type": "deleted", "actual_version": "{}"}, Twin(None, Side(version=Version()), True, DELETED)),
    ],
)
def test_rows_of_a_go_database_are_read(columns: dict[str, Any], twin: Twin) -> None:
    assert read_twin(go_twin(**columns)) == ("d", "t", twin)


@pytest.mark.parametrize("columns", [{"deviceid": None}, {"deviceid": ""}, {"name": None}, {"name": b""}])
def test_a_row_that_names_nothing_is_none(columns: dict[str, Any]) -> None:
    with pytest.raises(ContentError, match="cannot read row of device_twin"):
        read_twin(go_twin(**columns))


def test_a_device_without_an_id_and_an_attribute_of_nobody_are_none() -> None:
    with pytest.raises(ContentError, match="cannot read row of device: it has no id"):
        read_device((None, "n", "", "", ""))
    with pytest.raises(ContentError, match="cannot read row of device_attr"):
        read_attribute(("", "a", "", "", 1, "", ""))


@given(st.lists(COLUMNS, min_size=12, max_size=12))
def test_whatever_lies_in_a_row_it_is_a_twin_or_none(row: list[Any]) -> None:
    try:
        device_id, name, twin = read_twin(row)
    except ContentError:
        return
    assert device_id
    assert name
    assert read_twin(twin_row(device_id, name, twin))[2] == twin
