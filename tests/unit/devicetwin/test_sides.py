"""One side of a twin, and whose version counts."""

import pytest

from edgecore.modules.devicetwin.devices import Side, Version
from edgecore.modules.devicetwin.payloads import TwinValue, TwinVersion
from edgecore.modules.devicetwin.sides import Deal, Settled, is_newer, next_version, settle
from edgecore.modules.devicetwin.values import BAD_ENTRY, INT64_MAX, NO_VERSION, NOT_INT

HERE = Side("1", 5, Version(3, 2))
TWO = TwinValue("2")


@pytest.mark.parametrize(
    ("asked", "newer"),
    [((3, 2), False), ((4, 9), False), ((2, 2), True), ((3, 1), True), ((9, 1), True), ((2, 9), True)],
)
def test_a_twin_is_newer_here_where_either_number_is_greater(asked: tuple[int, int], newer: bool) -> None:
    assert is_newer(Version(3, 2), TwinVersion(*asked)) is newer


def test_the_edge_counts_one_and_the_cloud_names_its_own() -> None:
    assert next_version(Version(3, 2), TwinVersion(9, 9), Deal.LOCAL) == Version(3, 3)
    assert next_version(Version(3, 2), TwinVersion(9, 9), Deal.CLOUD) == Version(9, 9)
    assert next_version(Version(3, 2), None, Deal.REMOVED) == Version(3, 2)
    assert next_version(Version(3, INT64_MAX), None, Deal.LOCAL) == Version(3, INT64_MAX)


@pytest.mark.parametrize("kind", list(Deal))
def test_a_side_that_nobody_speaks_of_stays(kind: Deal) -> None:
    assert settle(HERE, None, TwinVersion(9, 9), "int", kind=kind, now_ms=9) == Settled(HERE)


@pytest.mark.parametrize(
    ("wanted", "asked", "settled"),
    [
        (TWO, (3, 2), Settled(Side("2", 9, Version(3, 2)), changed=True)),
        (TWO, (2, 2), Settled(HERE, conflict=True)),
        (TWO, None, Settled(HERE, conflict=True)),
        (TwinValue("1"), (4, 2), Settled(Side("1", 5, Version(4, 2)))),
        (TwinValue("x"), (2, 2), Settled(HERE, fault=NOT_INT)),
        (TwinValue(), (4, 2), Settled(HERE, fault=BAD_ENTRY)),
    ],
)
def test_the_cloud_has_its_way_if_its_word_is_right_and_not_old(
    wanted: TwinValue, asked: tuple[int, int] | None, settled: Settled
) -> None:
    version = TwinVersion(*asked) if asked else None
    assert settle(HERE, wanted, version, "int", kind=Deal.CLOUD, now_ms=9) == settled


def test_a_side_that_is_not_here_needs_a_version_of_the_cloud_and_none_of_a_device() -> None:
    assert settle(None, TWO, None, "int", kind=Deal.CLOUD, now_ms=9) == Settled(None, fault=NO_VERSION)
    new = Settled(Side("2", 9, Version(0, 1)), changed=True)
    assert settle(None, TWO, None, "int", kind=Deal.LOCAL, now_ms=9) == new


def test_a_device_has_its_way_whatever_version_it_names() -> None:
    new = Settled(Side("2", 9, Version(3, 3)), changed=True)
    assert settle(HERE, TWO, TwinVersion(), "int", kind=Deal.LOCAL, now_ms=9) == new
    assert settle(HERE, TwinValue("1"), TwinVersion(9, 9), "int", kind=Deal.LOCAL, now_ms=9) == Settled(HERE)
