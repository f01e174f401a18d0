"""One real request along the way that was explained, as a program of this machine would send it."""

import http.client
import socket
from collections.abc import Callable, Mapping
from typing import Any

from edgecore.clock import SystemClock

Json = Mapping[str, Any]

TIMEOUT_S = 5.0
_SHOWN_BYTES = 64 * 1024


def tried(told: Json) -> list[str]:
    """Return what came of it, in lines; why nothing was sent, if nothing was."""
    asked = _values(told, "asked")
    address = _values(told, "address").get("address")
    ports = [step for step in told.get("steps") or () if step["step"] == "protocol"]
    if asked.get("host_header") and _values(told, "address").get("plain"):
        where = (str(asked["host"]), int(asked["port"]))
        return [_timed(lambda: _http(where, str(asked["host_header"])))]
    if not address or not ports:
        return ["nothing: no connection would come to the mesh"]
    return [_one(str(address), str(step["port"]), str(step["values"]["handling"]), asked) for step in ports]


def _one(address: str, port: str, handling: str, asked: Json) -> str:
    number = int(port.partition("/")[0])
    if handling == "datagrams":
        return f"port {port}: nothing, for nobody knows what to send by UDP"
    if handling == "bytes":
        return f"port {port}: {_timed(lambda: _connect((address, number)))}"
    host = str(asked.get("host"))
    return f"port {port}: {_timed(lambda: _http((address, number), f'{host}:{number}'))}"


def _http(where: tuple[str, int], host: str) -> str:
    connection = http.client.HTTPConnection(*where, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/", headers={"Host": host, "Connection": "close"})
        response = connection.getresponse()
        size = len(response.read(_SHOWN_BYTES))
        return f"GET / was answered with {response.status} {response.reason}, {size} bytes"
    finally:
        connection.close()


def _connect(where: tuple[str, int]) -> str:
    with socket.create_connection(where, TIMEOUT_S):
        return "a connection was accepted"


def _timed(send: Callable[[], str]) -> str:
    clock = SystemClock()
    began = clock.monotonic()
    try:
        text = send()
    except (OSError, http.client.HTTPException) as error:
        text = f"failed: {error or type(error).__name__}"
    return f"{text}, after {1000 * (clock.monotonic() - began):.0f} ms"


def _values(told: Json, word: str) -> Json:
    found = (step.get("values") or {} for step in told.get("steps") or () if step.get("step") == word)
    return next(found, {})
