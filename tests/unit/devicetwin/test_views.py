"""Devices as commands and figures show them."""

from edgecore.modules.devicetwin import views
from edgecore.modules.devicetwin.devices import Attribute, Device, Side, Twin, Version

SAME = Twin(Side("20"), Side("20", 7, Version(0, 3)), type="int")
OTHER = Twin(Side("20", 1, Version(5, 0)), Side("19"), type="int")
SILENT = Twin(Side("20"))
UNWANTED = Twin(None, Side("1"))
GONE = Twin(Side(version=Version(2, 0)), Side(version=Version(0, 1)), True, "deleted")
DEVICE = Device(
    "d", "D", "text", "online", "then", {"maker": Attribute("acme")}, {"a": SAME, "b": OTHER, "c": SILENT, "x": GONE}
)


def test_a_twin_differs_where_the_cloud_wants_something_and_the_device_says_something_else() -> None:
    assert [views.differs(one) for one in (SAME, OTHER, SILENT, UNWANTED, GONE)] == [False, True, True, False, False]


def test_devices_are_counted_by_state_and_twins_by_what_became_of_them() -> None:
    assert views.counts([DEVICE, Device("e")]) == {
        "devices": 2,
        "states": {"online": 1, "unknown": 1},
        "twins": 3,
        "twins_deleted": 1,
        "twins_differ": 2,
        "twins_set_here": 0,
    }


def test_a_twin_is_set_here_where_the_edge_counted_a_change_of_what_is_expected() -> None:
    set_here = Twin(Side("20", 1, Version(5, 1)), Side("20"))
    deleted_here = Twin(Side(version=Version(5, 1)), None, True, "deleted")
    device = Device("e", twins={"a": set_here, "b": deleted_here})
    assert views.counts([DEVICE, device])["twins_set_here"] == 2
    assert {name: twin["set_here"] for name, twin in views.whole(device)["twins"].items()} == {"a": True, "b": True}


def test_in_short_deleted_twins_are_left_out() -> None:
    assert views.in_short(DEVICE) == {
        "id": "d",
        "name": "D",
        "description": "text",
        "state": "online",
        "last_online": "then",
        "twins": 3,
        "differ": 2,
    }


def test_the_whole_has_the_versions_and_deleted_twins() -> None:
    whole = views.whole(DEVICE)
    assert whole["twins"]["x"] == {
        "type": "deleted",
        "optional": True,
        "deleted": True,
        "differs": False,
        "set_here": False,
        "expected": {"value": None, "timestamp_ms": None, "version": {"cloud": 2, "edge": 0}},
        "actual": {"value": None, "timestamp_ms": None, "version": {"cloud": 0, "edge": 1}},
    }
    assert whole["twins"]["c"]["actual"] is None
    assert whole["attributes"] == {"maker": {"value": "acme", "optional": True, "type": "string"}}
