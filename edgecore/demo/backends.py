"""Two small HTTP servers that stand for the pods of the recording."""

import http.server
import sys
import threading
from types import TracebackType
from typing import Any

from edgecore.errors import ListenError


class _Answer(http.server.BaseHTTPRequestHandler):
    """Says which backend answered."""

    protocol_version = "HTTP/1.1"
    server_version = "edgecore-demo-backend"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer any path."""
        host, port = self.connection.getsockname()[:2]
        body = f"backend {host}:{port} answers {self.command} {self.path}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature of http.server
        """Keep quiet: the demonstration shows what matters."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over connections that break, as they do when the node is stopped in the middle."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Backends:
    """Servers on the given addresses, from ``with`` to the end of its block. Raises ``ListenError``."""

    def __init__(self, addresses: list[tuple[str, int]]) -> None:
        self._servers: list[_Server] = []
        for host, port in addresses:
            try:
                self._servers.append(_Server((host, port), _Answer))
            except OSError as error:
                self._close()
                detail = f"{error.strerror}; the demo's backends need this port: stop what listens there (ss -ltnp)"
                raise ListenError(f"{host}:{port}", "failed", detail) from error

    def __enter__(self) -> "Backends":
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for server in self._servers:
            server.shutdown()
        self._close()

    def _close(self) -> None:
        for server in self._servers:
            server.server_close()
