"""Devices as text for people."""

from typing import Any

from edgecore.cli.devices_report import device_text, devices_table

SHORT = {
    "id": "thermometer",
    "name": "thermometer",
    "description": "on the roof",
    "state": "online",
    "last_online": "2026-11-20 10:18:51",
    "twins": 2,
    "differ": 1,
}
TWINS: dict[str, Any] = {
    "temp": {
        "type": "int",
        "optional": False,
        "deleted": False,
        "differs": True,
        "expected": {"value": "20", "timestamp_ms": 1, "version": {"cloud": 100, "edge": 0}},
        "actual": {"value": "19", "timestamp_ms": 1795169934292, "version": {"cloud": 0, "edge": 1}},
    },
    "gone": {
        "type": "deleted",
        "optional": True,
        "deleted": True,
        "differs": False,
        "expected": None,
        "actual": {"value": None, "timestamp_ms": None, "version": {"cloud": 0, "edge": 2}},
    },
}


def test_each_device_has_a_line() -> None:
    assert devices_table([SHORT, {"id": "new", "state": ""}]) == (
        "ID            STATE     LAST-ONLINE           TWINS   DIFFER   DESCRIPTION\n"
        "thermometer   online    2026-11-20 10:18:51   2       1        on the roof\n"
        "new           unknown   -                     0       0\n"
    )


def test_a_node_without_devices_says_so() -> None:
    assert devices_table([]) == "the node has no devices\n"
    assert devices_table([], headers=False) == ""


def test_one_device_is_shown_with_deleted_twins_and_attributes() -> None:
    device = {**SHORT, "twins": TWINS, "attributes": {"maker": {"value": "acme", "type": "string", "optional": True}}}
    assert device_text(device) == (
        "device thermometer: online\n"
        "  reported its state at 2026-11-20 10:18:51 (the node's local time)\n"
        "  on the roof\n"
        "\n"
        "TWIN   TYPE      EXPECTED   ACTUAL   DIFFERS   EXPECTED-VERSION   ACTUAL-VERSION   REPORTED\n"
        "gone   deleted   -          -        no        -                  0/2              -\n"
        "temp   int       20         19       yes       100/0              0/1              2026-11-20T10:18:54Z\n"
        "\n"
        "ATTRIBUTE   TYPE     VALUE\n"
        "maker       string   acme\n"
    )


def test_a_twin_that_was_set_here_is_explained() -> None:
    expected = {"value": "30", "timestamp_ms": 1, "version": {"cloud": 100, "edge": 1}}
    gone = {**TWINS["gone"], "set_here": True}
    text = device_text(
        {**SHORT, "twins": {"temp": {**TWINS["temp"], "expected": expected, "set_here": True}, "x": gone}}
    )
    assert text.split("\n\n")[2].splitlines() == [
        (
            "temp: a program on MQTT has set what is expected of it, so the node heeds no wish of the cloud"
            " for it any more, as KubeEdge does;"
        ),
        "  the cloud can again once it has deleted the device and added it anew",
    ]
    assert "\nx: a program on MQTT deleted it, so the node heeds no wish" in text


def test_text_of_others_moves_no_cursor() -> None:
    told = devices_table([{**SHORT, "description": "a\x1b[2Jb"}])
    assert "\x1b" not in told


def test_a_device_that_has_nothing_is_shown_as_unknown_without_twins() -> None:
    assert device_text({"id": "a"}) == "device a: state unknown\n  without twins\n"
