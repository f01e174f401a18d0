"""What commands can have a running node record: ``edgecore record``."""

from pathlib import Path
from typing import Any

from edgecore.control.routes import ControlRefused, ControlRequest, Routes
from edgecore.errors import ConfigError, RecordingError
from edgecore.recording.kinds import kinds_of
from edgecore.recording.recorder.desk import RecordingDesk, Wish


def recording_routes(desk: RecordingDesk) -> Routes:
    """Return the routes. The body of a question is an object; all of them answer ``RecordingDesk.status``.

    | route | answer |
    | --- | --- |
    | ``GET /v1/recording`` | how the recording is |
    | ``POST /v1/recording/start`` | begins one: ``path`` (absolute), ``kinds`` (words), ``redact`` |
    | ``POST /v1/recording/stop`` | ends it |
    | ``POST /v1/recording/note`` | puts ``text`` into it |
    """

    async def show(_request: ControlRequest) -> dict[str, Any]:
        return desk.status()

    async def start(request: ControlRequest) -> dict[str, Any]:
        path = Path(_text(request, "path"))
        if not path.is_absolute():
            raise ControlRefused(400, f"cannot record into {path}: the path is not absolute")
        redact = _body(request).get("redact", True)
        try:
            await desk.start(Wish(path, kinds_of(_text(request, "kinds", "default")), redact is not False))
        except ConfigError as error:
            raise ControlRefused(400, str(error)) from None
        except RecordingError as error:
            raise ControlRefused(409, str(error)) from None
        return desk.status()

    async def stop(_request: ControlRequest) -> dict[str, Any]:
        try:
            await desk.stop()
        except RecordingError as error:
            raise ControlRefused(409, str(error)) from None
        return desk.status()

    async def note(request: ControlRequest) -> dict[str, Any]:
        try:
            desk.note(_text(request, "text"))
        except RecordingError as error:
            raise ControlRefused(409, str(error)) from None
        return desk.status()

    return {
        ("GET", "/v1/recording"): show,
        ("POST", "/v1/recording/start"): start,
        ("POST", "/v1/recording/stop"): stop,
        ("POST", "/v1/recording/note"): note,
    }


def _body(request: ControlRequest) -> dict[str, Any]:
    if not isinstance(request.body, dict):
        raise ControlRefused(400, "cannot read the question: its body is no JSON object")
    return request.body


def _text(request: ControlRequest, name: str, otherwise: str = "") -> str:
    text = _body(request).get(name, otherwise)
    if not isinstance(text, str) or not text:
        raise ControlRefused(400, f"cannot read the question: {name} is no text")
    return text
