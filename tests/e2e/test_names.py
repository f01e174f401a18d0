"""Pods with names of their own and ExternalNames, from the manifest at the stub to what the nodes answer."""

import http.server
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from cloudhub_stub.testing.cloud import Cloud
from cloudhub_stub.testing.edge import Edge
from shells import ROOT

pytestmark = [pytest.mark.needs_dig, pytest.mark.needs_curl]

MANIFESTS = ROOT / "examples/manifests/names"
DOMAIN = "default.svc.cluster.local"
OUTSIDE = "192.0.2.7"
PATIENCE_S = 20.0


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.connection.getsockname()[0].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the name in http.server


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for them


def serve(address: str, port: int) -> Callable[[], None]:
    """Let something that says its address stand for the containers of a node; return what ends it."""
    server = Server((address, port), Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()

    def stop() -> None:
        server.shutdown()
        thread.join()
        server.server_close()

    return stop


def answer_questions(sock: socket.socket) -> None:
    """Answer every question with one A record, until the socket is shut."""
    while True:
        try:
            query, peer = sock.recvfrom(4096)
        except OSError:
            return
        if not query:
            return
        question = query[12 : query.index(b"\0", 12) + 5]
        record = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04" + socket.inet_aton(OUTSIDE)
        sock.sendto(query[:2] + b"\x81\x80\0\x01\0\x01\0\0\0\0" + question + record, peer)


@pytest.fixture
def name_server() -> Iterator[str]:
    """A name server that knows every name outside; its address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=answer_questions, args=(sock,))
        thread.start()
        host, port = sock.getsockname()
        yield f"{host}:{port}"
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as end:
            end.sendto(b"", (host, port))
        thread.join()


@pytest.fixture
def cloud(name_server: str) -> Iterator[Cloud]:
    """A cloud of two nodes. Not below ``tmp_path``: the path of a control socket may not be long."""
    settings = {"modules": {"edgeMesh": {"dns": {"upstreams": [name_server]}}}}
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="names-")))
        yield stack.enter_context(Cloud.start(place, edges=2, settings=settings))


def run(*command: object) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def dig(edge: Edge, name: str, *more: str) -> list[str]:
    host, port = edge.dns
    return run("dig", f"@{host}", "-p", port, "+time=5", "+tries=1", "+short", f"{name}.{DOMAIN}", *more).splitlines()


def curl(name: str, address: str) -> str:
    host = f"{name}.{DOMAIN}"
    return run("curl", "-sS", "--noproxy", "*", "--resolve", f"{host}:12345:{address}", f"http://{host}:12345/")


def apply(cloud: Cloud, port: int) -> None:
    """Apply the example with the port of an ordinary user."""
    for file in sorted(MANIFESTS.iterdir()):
        cloud.apply(file.read_text().replace("hostPort: 80\n", f"hostPort: {port}\n"))


def named(edge: Edge) -> dict[str, str]:
    """Return the fake IPs of the pods of ``nginx`` that can be reached, by their host names."""
    return {pod["hostname"]: pod["fake_ip"] for pod in edge.service("nginx")["named_pods"] if pod["ready"]}


def test_pods_with_names_and_names_outside_go_from_manifest_to_dig_and_curl(
    cloud: Cloud, free_port: Callable[[], int]
) -> None:
    port = free_port()
    with ExitStack() as stack:
        for edge in cloud.edges:
            stack.callback(serve(edge.address, port))
        apply(cloud, port)
        for edge in cloud.edges:
            cloud.wait_for(lambda _, edge=edge: named(edge).keys() == {"web-0", "web-1"}, PATIENCE_S)
        where = {name: cloud.edge(cloud.get("Pod", name)["spec"]["nodeName"]).address for name in ("web-0", "web-1")}
        assert len(set(where.values())) == 2

        for edge in cloud.edges:
            for name in ("web-0", "web-1"):
                (address,) = dig(edge, f"{name}.nginx")
                assert address == named(edge)[name]
                assert {curl(f"{name}.nginx", address) for _ in range(3)} == {where[name]}
            (address,) = dig(edge, "nginx")
            assert {curl("nginx", address) for _ in range(2)} == set(where.values())
            assert dig(edge, "outside") == ["example.com.", OUTSIDE]
            assert edge.service("outside")["external_name"] == "example.com"
            assert edge.service("outside")["fake_ip"] is None

        _a_restart_keeps_them(cloud, where)
        _a_pod_that_is_made_anew_has_its_address(cloud, port)
        _a_pod_that_is_gone_has_no_name(cloud)
        _types_change(cloud)


def _a_restart_keeps_them(cloud: Cloud, where: dict[str, str]) -> None:
    edge = cloud.edges[0]
    before = named(edge)
    edge.stop()
    edge.start()
    assert named(edge) == before
    for name, address in before.items():
        assert dig(edge, f"{name}.nginx") == [address]
        assert cloud.wait_for(lambda _, name=name, address=address: curl(f"{name}.nginx", address)) == where[name]


def _a_pod_that_is_made_anew_has_its_address(cloud: Cloud, port: int) -> None:
    edge = cloud.edges[1]
    before = named(edge)
    cloud.delete("Pod", "web-0")
    cloud.wait_for(lambda _: named(edge).keys() == {"web-1"}, PATIENCE_S)
    apply(cloud, port)
    cloud.wait_for(lambda _: named(edge) == before, PATIENCE_S)
    assert dig(edge, "web-0.nginx") == [before["web-0"]]


def _a_pod_that_is_gone_has_no_name(cloud: Cloud) -> None:
    cloud.delete("Pod", "web-1")
    for edge in cloud.edges:
        cloud.wait_for(lambda _, edge=edge: dig(edge, "web-1.nginx") == [], PATIENCE_S)
        assert len(dig(edge, "web-0.nginx")) == 1


def _types_change(cloud: Cloud) -> None:
    service, external = (MANIFESTS / "service.yaml").read_text(), (MANIFESTS / "external.yaml").read_text()
    cloud.apply(external.replace("name: outside", "name: nginx"))
    cloud.apply(service.replace("name: nginx", "name: outside"))
    for edge in cloud.edges:
        cloud.wait_for(lambda _, edge=edge: dig(edge, "nginx") == ["example.com.", OUTSIDE], PATIENCE_S)
        cloud.wait_for(lambda _, edge=edge: dig(edge, "outside") == [edge.service("outside")["fake_ip"]], PATIENCE_S)
        assert dig(edge, "web-0.nginx") == []
