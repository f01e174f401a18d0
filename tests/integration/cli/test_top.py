"""``edgecore top`` on a terminal."""

import signal
from pathlib import Path
from typing import Any

from edgecore.control.routes import ControlRequest
from edgecore.control.server import ControlServer
from tests.support.terminal import Terminal


async def test_the_screen_goes_on_when_the_node_is_gone_and_q_and_ctrl_c_leave_the_terminal_as_it_was(
    tmp_path: Path,
) -> None:
    async def status(_request: ControlRequest) -> dict[str, Any]:
        return {"node": "edge-1", "version": "0", "state": "ok", "uptime_s": 5}

    server = ControlServer(tmp_path / "edgecore.sock", {("GET", "/v1/status"): status})
    await server.start()
    arguments = ("top", "--control", str(tmp_path / "edgecore.sock"))
    first, second = Terminal(*arguments), Terminal(*arguments)

    await first.until(lambda text: "up 5 s" in text)
    await second.until(lambda text: "edge-1" in text)
    first.press(b"q")
    assert await first.close() == (0, True)
    await server.stop()
    await second.until(lambda text: "cannot reach" in text)
    second.process.send_signal(signal.SIGINT)
    assert await second.close() == (130, True)
