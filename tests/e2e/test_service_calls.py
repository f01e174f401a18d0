"""The cloud calls HTTP services at a node: whole programs, and a real HTTP server."""

import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudhub_stub.testing.cloud import Cloud
from edgecore.errors import ControlError

ROOT = Path(__file__).parents[2]
LIMIT_BYTES = 5_000_000
HUNG_UP = threading.Event()


class _Service(http.server.BaseHTTPRequestHandler):
    """Says what it was asked, as JSON; ``/large/N`` is N bytes long, ``/slow`` never comes."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        _, kind, *rest = self.path.split("/")
        if kind == "large":
            return self._answer(200, b"x" * int(rest[0]))
        if kind == "slow":
            self.connection.settimeout(30)
            self.rfile.read(1)  # until the client hangs up
            self.close_connection = True
            HUNG_UP.set()
            return None
        lines = [[name, value] for name, value in self.headers.items()]
        said = {"method": self.command, "path": self.path, "header": lines, "body": body.decode("latin-1")}
        return self._answer(404 if kind == "missing" else 200, json.dumps(said).encode())

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names in http.server

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Two", "1")
        self.send_header("X-Two", "2")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the name in http.server


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for them


@pytest.fixture(scope="module")
def service() -> Iterator[int]:
    """The port of the service."""
    server = _Server(("127.0.0.1", 0), _Service)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud with a node that can be called, and one that cannot."""
    bus = {"enable": True, "timeout": 1}
    with Cloud.start(tmp_path_factory.mktemp("cloud"), plain=True) as cloud:
        cloud.start_edge("south", settings={"modules": {"serviceBus": bus}})
        cloud.start_edge("north")
        yield cloud


def command(cloud: Cloud, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloudhub_stub", *arguments, "--state-dir", str(cloud.stub.directory)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_a_service_is_called_with_method_path_header_and_body(cloud: Cloud, service: int) -> None:
    answer = cloud.call(
        "south", f"{service}:/a:b/c?d=10:30", method="PUT", header={"X-A": ["1", "2"]}, body=b"\x00\xff"
    )
    said: dict[str, Any] = json.loads(answer.body)
    assert (answer.status, answer.header["X-Two"]) == (200, ["1", "2"])
    assert (said["method"], said["path"], said["body"]) == ("PUT", "/a:b/c?d=10:30", "\x00\xff")
    assert [value for name, value in said["header"] if name == "X-A"] == ["1", "2"]


def test_the_command_prints_the_body(cloud: Cloud, service: int) -> None:
    done = command(cloud, "call", "south", f"{service}:/x", "-d", "hello")
    said = json.loads(done.stdout)
    assert (done.returncode, said["method"], said["body"]) == (0, "POST", "hello")
    done = command(cloud, "call", "south", f"{service}:/missing")
    assert (done.returncode, done.stderr.strip()) == (3, "the answer has status 404")


def test_a_body_of_the_limit_arrives_and_one_byte_more_does_not(cloud: Cloud, service: int) -> None:
    assert len(cloud.call("south", f"{service}:/large/{LIMIT_BYTES}").body) == LIMIT_BYTES
    answer = cloud.call("south", f"{service}:/large/{LIMIT_BYTES + 1}")
    assert (answer.status, answer.body) == (500, b"error to receive response, err: response body too large")


def test_a_service_that_is_not_there_or_too_slow_is_an_answer_of_the_edge(
    cloud: Cloud, service: int, unused_tcp_port: int
) -> None:
    began = time.monotonic()
    for place in (f"{unused_tcp_port}:/x", f"{service}:/slow"):
        answer = cloud.call("south", place)
        assert (answer.status, answer.body) == (404, b"error to call service")
        assert answer.header == {"Server": ["kubeedge-edgecore"]}
    assert time.monotonic() - began >= 1  # the timeout that is set
    assert HUNG_UP.wait(20)


def test_a_node_without_servicebus_does_not_answer(cloud: Cloud, service: int) -> None:
    with pytest.raises(ControlError, match=r"no answer within 0.5 s; is its serviceBus enabled\?"):
        cloud.call("north", f"{service}:/x", timeout_s=0.5)


def test_every_message_of_calls_is_accounted_for(cloud: Cloud, service: int) -> None:
    for _ in range(20):
        assert cloud.call("south", f"{service}:/x").status == 200
    cloud.wait_for_settled()
    assert cloud.ledger()["unexplained"] == cloud.edge("south").ledger()["unexplained"] == 0
    assert cloud.edge("south").status()["parts"]["servicebus"]["under_way"] == 0


def test_a_publication_waits_for_a_node_that_is_not_there(tmp_path: Path) -> None:
    with Cloud.start(tmp_path, plain=True) as cloud:
        accepted = cloud.publish("nobody", "a/b", "hello")
        assert (accepted["connected"], cloud.status()["queues"]["waiting"]) == (False, {"nobody": 1})
