"""The live screen as text, and in the height of a terminal."""

from typing import Any

import pytest
from rich.console import Console

from edgecore.cli.top_figures import Trouble, figures
from edgecore.cli.top_screen import screen, text

Status = dict[str, Any]


def test_the_screen_says_how_the_node_is(status: Status) -> None:
    status["held"] = [{"hold": 1}]
    rows = text(figures(status, None), [Trouble(1_589_000_001_623, "bad input edgehub/not_json: 3")]).splitlines()

    assert rows[0] == "node edge-1  degraded  edgecore 0.1.0  up 2 h 5 min  1 held (edgecore tap --break)"
    assert rows[1].startswith("link      connected, 0/s in, 0/s out; 0 in the outbox")
    assert rows[5] == "  because port 127.251.0.1:80 of default/nginx-svc is not bound: address already in use"
    assert rows[7].split() == [
        *("MODULE", "STATE", "WAITING", "IN/S", "OUT/S", "LAY", "RESTARTS", "DROPPED", "LAST", "ERROR")
    ]
    assert rows[9].split() == ["edgemesh", "running", "0/1024", "0", "0", "41.7", "ms", "2"]
    assert rows[12].split()[:3] == ["default/nginx-svc", "127.251.0.1", "12345"]
    assert rows[-1] == "04:53:21  bad input edgehub/not_json: 3"


def test_text_has_no_colours_and_every_service(status: Status) -> None:
    (service,) = status["mesh"]["services"]
    status["mesh"]["services"] = [{**service, "name": f"web-{number}"} for number in range(200)]
    shown = text(figures(status, None), [])
    assert "\x1b" not in shown
    assert "default/web-199" in shown


@pytest.mark.parametrize("height", [20, 30, 50])
def test_a_screen_is_no_higher_than_the_terminal_and_counts_what_is_left_out(status: Status, height: int) -> None:
    (service,) = status["mesh"]["services"]
    status["mesh"]["services"] = [{**service, "name": f"web-{number}"} for number in range(200)]
    console = Console(width=100, height=height, color_system=None)
    with console.capture() as capture:
        console.print(screen(figures(status, None), [Trouble(1, "x")] * 9, height=height))
    rows = capture.get().splitlines()
    shown = sum("default/web-" in row for row in rows)
    assert len(rows) <= max(height, 26)
    assert f"and {200 - shown} more services" in rows


def test_a_node_that_is_away_is_told_at_the_top(status: Status) -> None:
    rows = _rows(status, 80, 40, note="away since 08:00:00: cannot reach the node")
    assert rows[0].startswith("node edge-1  away")
    assert rows[1] == "  away since 08:00:00: cannot reach the node"


@pytest.mark.parametrize(
    ("width", "modules", "services"),
    [
        (200, "MODULE STATE WAITING IN/S OUT/S LAY RESTARTS DROPPED LAST ERROR", "REQUESTS/S FAILED/S REQUESTS"),
        (90, "MODULE STATE WAITING IN/S OUT/S LAY RESTARTS DROPPED LAST ERROR", "REQUESTS/S FAILED/S REQUESTS"),
        (60, "MODULE STATE WAITING IN/S OUT/S LAY DROPPED", "PORTS BACKENDS"),
        (40, "MODULE STATE WAITING IN/S OUT/S", "FAKE IP BACKENDS"),
    ],
)
def test_where_there_is_little_room_whole_columns_are_left_out(
    status: Status, width: int, modules: str, services: str
) -> None:
    status["modules"][1]["error"] = "cannot listen on 127.0.0.1:53, for somebody else does"
    rows = _rows(status, width, 40)
    assert max(map(len, rows)) <= width
    (titles,) = (row for row in rows if row.startswith("MODULE"))
    assert " ".join(titles.split()) == modules
    (titles,) = (row for row in rows if row.startswith("SERVICE"))
    assert " ".join(titles.split()).endswith(services)


def test_reasons_that_have_no_room_are_counted(status: Status) -> None:
    status["reasons"] = list("abcde")
    assert "  and 2 more reasons (edgecore status)" in _rows(status, 80, 40)


def _rows(status: Status, width: int, height: int, note: str = "") -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(screen(figures(status, None), [], width=width, height=height, note=note))
    return [row.rstrip() for row in capture.get().splitlines()]
