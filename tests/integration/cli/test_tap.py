"""``edgecore tap`` and ``edgecore top`` against a control server with the node's own route handlers."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.gates import Gates
from edgecore.beehive.message import Route
from edgecore.cli import main
from edgecore.clock import SystemClock
from edgecore.control.routes import ControlRequest
from edgecore.control.server import ControlServer
from edgecore.ids import random_ids
from edgecore.routes.tap import tap_routes
from tests.support.terminal import Terminal

INSERT = Route("edgecontroller", "resource", "insert", "default/service/web")
DELETE = Route("edgecontroller", "resource", "delete", "default/service/web")


class Place:
    """A bus whose module ``edgemesh`` takes what it is sent, behind a control socket."""

    def __init__(self, directory: Path) -> None:
        self.bus = Bus(SystemClock(), random_ids())
        self.gates = Gates(self.bus)
        self.socket = directory / "edgecore.sock"
        self.meta, self._mesh = self.bus.register("metaManager", "meta"), self.bus.register("edgemesh", "mesh")
        self.contents: list[Any] = []
        self.uptime_s = 0.0

        async def status(_request: ControlRequest) -> dict[str, Any]:
            self.uptime_s += 1
            return {"node": "edge-1", "version": "0", "state": "ok", "uptime_s": self.uptime_s}

        routes = {**tap_routes(self.bus, self.gates), ("GET", "/v1/status"): status}
        self.server = ControlServer(self.socket, routes)

    async def take(self) -> None:
        async for message in self._mesh:
            self.contents.append(message.content)

    async def post(self, *contents: Any, route: Route = DELETE) -> None:
        for content in contents:
            await self.meta.post("edgemesh", route, content)

    async def run(self, *arguments: str, contents: tuple[Any, ...] = (), route: Route = DELETE) -> int:
        """Run the command, and once it listens send ``contents``."""
        running = asyncio.ensure_future(asyncio.to_thread(main, [*arguments, "--control", str(self.socket)]))
        while not self.bus.taps and not running.done():
            await asyncio.sleep(0.002)
        await self.post(*contents, route=route)
        return await running


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    with capture_logs():  # they would go to standard output
        place = Place(tmp_path)
        await place.server.start()
        taking = asyncio.ensure_future(place.take())
        yield place
        await place.server.stop()
        place.bus.close()
        await taking


async def test_messages_are_shown_a_line_each_until_there_were_enough(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await place.run("tap", "--op", "delete", "--count", "2", contents=(1, 2, 3)) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[1:5] for row in rows[1:]] == [
        ["metaManager", "edgemesh", "delete", "default/service/web"],
        ["metaManager", "edgemesh", "delete", "default/service/web"],
    ]


async def test_json_has_the_message_as_an_object(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert await place.run("tap", "--json", "--count", "1", "--follow", contents=({"a": 1},)) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["from"], told["to"], told["hop"], told["message"]["content"]) == (
        "metaManager",
        "edgemesh",
        1,
        {"a": 1},
    )


async def test_each_held_message_is_decided_by_a_line_of_the_input(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("go\ndrop\nwhat\n[3, 3]\n"))

    code = await place.run("tap", "--break", "to=edgemesh op=delete", contents=(1, 2, 3, 4))

    while len(place.contents) < 3:
        await asyncio.sleep(0.002)
    printed = capsys.readouterr()
    assert (code, place.contents) == (0, [1, [3, 3], 4])
    assert "held 2: delete default/service/web, from metaManager to edgemesh" in printed.out
    assert [line for line in printed.out.splitlines() if line.startswith("held ") and "web" not in line] == [
        "held 1: went on",
        "held 2: dropped",
        "held 3: went on, changed",
    ]
    assert "cannot understand 'what'" in printed.err
    assert place.gates.holds == ()


async def test_what_to_do_with_each_can_be_said_beforehand(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("tap", "--break", "resource=*/web", "--then", "drop", "--count", "1", "--json")
    assert await place.run(*arguments, contents=(1,)) == 0
    held, ended = map(json.loads, capsys.readouterr().out.splitlines())
    assert (held["message"]["content"], ended) == (1, {"ended": 1, "how": "drop"})
    assert place.contents == []


async def test_what_the_node_does_not_take_in_its_place_ends_the_command_and_the_hold(
    place: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "other.json"
    path.write_text('{"header": {"msg_id": 7}, "route": {}}')
    assert await place.run("tap", "--break", "to=edgemesh", "--then", str(path), contents=(1,)) == 1
    assert "cannot take this in the place of message" in capsys.readouterr().err
    while not place.contents:
        await asyncio.sleep(0.002)
    assert place.contents == [1]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--to", "edgemsh"], 1, "there is no such module; there are edgemesh, metaManager"),
        (["--break", "edgemesh"], 2, "conditions are to=, from=, op=, resource=, id="),
        (["--break", "to=edgemesh", "--op", "delete"], 2, "in one text"),
        (["--then", "drop"], 2, "for --break"),
        (["--count", "0"], 2, "no number of messages"),
        (["--break", "to=edgemesh", "--timeout", "0"], 1, "cannot hold messages for"),
        (["--break", "to=edgemesh", "--then", "no-such-file"], 1, "--then takes go, drop, or a file"),
    ],
)
async def test_wrong_usage_is_said_in_words(
    place: Place, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    assert await place.run("tap", *arguments) == code
    assert words in capsys.readouterr().err


async def test_a_node_that_ends_is_told(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    running = asyncio.ensure_future(place.run("tap"))
    while not place.bus.taps:
        await asyncio.sleep(0.002)
    await place.server.stop()
    assert await running == 1
    assert "the process is stopping" in capsys.readouterr().err


async def test_a_person_at_a_terminal_decides_and_is_let_go_when_the_node_ends(place: Place) -> None:
    terminal = Terminal("tap", "--break", "to=edgemesh", "--control", str(place.socket))
    await terminal.until(lambda text: "Ctrl-C lets everything go" in text)
    await place.post(1)
    await terminal.until(lambda text: "[g/d/e/q]" in text)
    terminal.press(b"d\n")
    await terminal.until(lambda text: "held 1: dropped" in text)

    await place.post(2)
    await terminal.until(lambda text: text.count("[g/d/e/q]") == 2)
    place.gates.close()
    await place.server.stop()

    await terminal.until(lambda text: "edgecore: cannot" in text)
    assert await terminal.close() == (1, True)
    assert place.contents == [2]


async def test_top_prints_one_screen(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    running = asyncio.to_thread(main, ["top", "--once", "--interval", "0.05", "--control", str(place.socket)])
    assert await running == 0
    assert capsys.readouterr().out.splitlines()[0] == "node edge-1  ok  edgecore 0  up 2 s"


async def test_top_of_a_node_that_is_not_there_is_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asyncio.to_thread(main, ["top", "--once", "--control", str(tmp_path / "none.sock")]) == 1
    assert "no such socket" in capsys.readouterr().err
