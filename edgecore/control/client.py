"""The control client: how a command asks a running process, by the standard library alone so that it starts at once."""

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from edgecore.control.routes import LIMIT_BYTES, VERSION, VERSION_HEADER
from edgecore.control.unix_socket import address_of
from edgecore.errors import ControlError

_CHUNK_BYTES = 64 * 1024


class ControlClient:
    """Asks the process that listens on ``path``; each question is a connection of its own.

    ``process`` and ``start_command`` name what should run there, and how to start it, for errors, and ``otherwise`` how
    to do without it. Every method raises ``ControlError``: nobody there, no answer within ``timeout_s``, or a refusal,
    with the text of the process.
    """

    def __init__(
        self,
        path: Path,
        timeout_s: float = 30.0,
        *,
        process: str = "node",
        start_command: str = "edgecore run --config FILE",
        otherwise: str = "",
    ) -> None:
        self.path = path
        self._timeout_s = timeout_s
        self._process = process
        self._start_command = start_command
        self._otherwise = f"; {otherwise}" if otherwise else ""

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Return the answer to ``GET``."""
        return self._ask("GET", f"{path}?{urlencode(query)}" if query else path, None)

    def post(self, path: str, body: Any = None) -> Any:
        """Return the answer to ``POST``; ``body`` is a JSON value."""
        return self._ask("POST", path, body)

    def delete(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Return the answer to ``DELETE``."""
        return self._ask("DELETE", f"{path}?{urlencode(query)}" if query else path, None)

    def stream(self, method: str, path: str, body: Any = None) -> Iterator[Any]:
        """Yield the values of a stream as they come; asks when the first is wanted, and hangs up when closed.

        ``timeout_s`` holds until the process has accepted; after that a stream may be silent for as long as it likes.
        """
        with self._answer(method, path, body) as (response, connected):
            connected.settimeout(None)
            for line in _lines(response):
                item = json.loads(line)
                if isinstance(item, dict) and item.keys() == {"error"}:
                    raise ControlError(str(item["error"]))
                yield item

    def _ask(self, method: str, path: str, body: Any) -> Any:
        with self._answer(method, path, body) as (response, _):
            return json.loads(_whole(response))

    @contextmanager
    def _answer(self, method: str, path: str, body: Any) -> Iterator[tuple[http.client.HTTPResponse, socket.socket]]:
        """Ask; yield an answer that is no refusal, and the connection it comes by; then hang up."""
        with self._errors_explained(), closing(_UnixConnection(self.path, self._timeout_s)) as connection:
            text = b"" if body is None else json.dumps(body).encode()
            if len(text) > LIMIT_BYTES:
                raise ControlError(
                    f"cannot ask {method} {path}: the question has over {LIMIT_BYTES} bytes; ask for less at once"
                )
            connection.request(method, path, text or None, {"Content-Type": "application/json"} if text else {})
            connected = connection.sock
            with connection.getresponse() as response:
                self._check(response)
                yield response, connected

    def _check(self, response: http.client.HTTPResponse) -> None:
        version = response.headers.get(VERSION_HEADER)
        if version is None:
            raise ControlError(
                f"cannot speak to {self.path}: what answers there is no control socket; "
                "name that of a running process with --control"
            )
        if version != VERSION:
            raise ControlError(
                f"cannot speak to the {self._process} at {self.path}: it speaks version {version} of the control"
                f" protocol, this command version {VERSION}; use the commands that came with it"
            )
        if response.status >= http.client.BAD_REQUEST:
            raise ControlError(_refusal(response))

    @contextmanager
    def _errors_explained(self) -> Iterator[None]:
        """Say of every failure what it means and what to do."""
        whom = f"the {self._process} at {self.path}"
        start = f"start it with `{self._start_command}`, or name its socket with --control{self._otherwise}"
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ControlError(f"cannot reach {whom}: no such socket; is it running? {start}") from error
        except ConnectionRefusedError as error:
            raise ControlError(f"cannot reach {whom}: nobody listens there any more; {start}") from error
        except PermissionError as error:
            raise ControlError(
                f"cannot reach {whom}: the socket belongs to another user; ask as the user who runs the {self._process}"
            ) from error
        except TimeoutError as error:
            raise ControlError(
                f"cannot get an answer of {whom}: none within {self._timeout_s:g} s; it is busy or stopped"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise ControlError(f"cannot hear {whom} to the end: {error or type(error).__name__}") from error
        except (ValueError, RecursionError) as error:
            raise ControlError(f"cannot understand {whom}: {error}") from error


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect to the path instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with address_of(self._path) as address:
            self.sock.connect(address)


def _whole(response: http.client.HTTPResponse) -> bytes:
    text = response.read(LIMIT_BYTES + 1)
    if len(text) > LIMIT_BYTES:
        raise ValueError(f"an answer of over {LIMIT_BYTES} bytes")
    if response.length:  # what is missing of Content-Length
        raise http.client.IncompleteRead(text, response.length)
    return text


def _refusal(response: http.client.HTTPResponse) -> str:
    """Return the ``error`` text of a refusal."""
    try:
        return str(json.loads(_whole(response))["error"])
    except (ValueError, KeyError, TypeError):
        return f"cannot do that: the process answers {response.status} {response.reason}"


def _lines(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the lines of a chunked answer as they come.

    Not ``readline``: that takes a connection that broke for the proper end.
    """
    begun: list[bytes] = []
    begun_bytes = 0
    while chunk := response.read1(_CHUNK_BYTES):
        *ends, rest = chunk.split(b"\n")
        if ends:
            yield b"".join((*begun, ends[0]))
            yield from ends[1:]
            begun, begun_bytes = [], 0
        begun.append(rest)
        begun_bytes += len(rest)
        if begun_bytes > LIMIT_BYTES:
            raise ValueError(f"a line of over {LIMIT_BYTES} bytes")
