"""Names in mode intercept: programs without any flags ask the host's name server, and rules lead them to the node."""

import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.namespaces("dig", "getent", "curl")
BY_IPTABLES = pytest.mark.namespaces("iptables")

HOST, OTHER, BRIDGE, BOX = "10.9.0.1", "10.9.0.2", "172.17.0.1", "172.17.0.2"
OURS = "169.254.96.16"
"""What the node listens at on docker0 (``intercept.interfaceAddress``)."""
NAME = "web.default.svc.cluster.local"
OUTSIDE, OUTSIDE_IP = "outside.example", "203.0.113.7"
RESOLV_CONF = f"# office\nnameserver {OTHER}\noptions attempts:1"
PATIENCE_S = 20.0
ROOT = Path(__file__).parents[2]

NAME_SERVER = """
import socket, sys, threading

def reply(query):
    end = query.index(b"\\0", 12) + 5
    is_a = query[end - 4:end - 2] == b"\\0\\1"
    head = query[:2] + b"\\x85\\x80\\0\\1" + (b"\\0\\1" if is_a else b"\\0\\0") + b"\\0\\0\\0\\0"
    answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\0\\0\\4" + socket.inet_aton(sys.argv[1])
    return head + query[12:end] + (answer if is_a else b"")

def by_tcp():
    while True:
        peer = listener.accept()[0]
        with peer:
            query = peer.recv(2048)[2:]
            answer = reply(query)
            peer.sendall(len(answer).to_bytes(2, "big") + answer)

listener = socket.create_server(("0.0.0.0", 53))
threading.Thread(target=by_tcp, daemon=True).start()
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("0.0.0.0", 53))
print("ready", flush=True)
while True:
    query, peer = sock.recvfrom(2048)
    sock.sendto(reply(query), peer)
"""
BACKEND = """
import http.server, sys

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Answer)
print("ready", flush=True)
server.serve_forever()
"""
FORWARDER = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    query, peer = sock.recvfrom(2048)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(3)
        asking.sendto(query, (sys.argv[1], 53))
        try:
            sock.sendto(asking.recv(2048), peer)
        except OSError:
            pass
"""
TAKEN = """
import socket, sys, time
socks = [socket.create_server((sys.argv[1], 53)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
socks[1].bind((sys.argv[1], 53))
print("ready", flush=True)
time.sleep(600)
"""


class Place:
    """Two machines: one with docker0, a container and the node, one with the name server and the backend."""

    def __init__(self, nets: Any, programs: Any, words: Any, tmp_path: Path) -> None:
        self.host, other = nets.make("node"), nets.make("other")
        nets.join(self.host, other, f"{HOST}/24", f"{OTHER}/24")
        self.host.bridge("docker0", f"{BRIDGE}/16")
        self.host.sysctl("net.ipv4.ip_forward", 1)
        self.box = nets.container(self.host, "docker0", f"{BOX}/16", BRIDGE)
        other.run(["ip", "route", "add", "172.17.0.0/16", "via", HOST])
        self.resolv_conf = tmp_path / "resolv.conf"
        self.resolv_conf.write_bytes(RESOLV_CONF.encode())
        nsswitch = tmp_path / "nsswitch.conf"
        nsswitch.write_text("hosts: files dns\n")
        for net in (self.host, self.box):
            net.run(["mount", "--bind", self.resolv_conf, "/etc/resolv.conf"])
            if Path("/etc/nsswitch.conf").exists():
                net.run(["mount", "--bind", nsswitch, "/etc/nsswitch.conf"])
        for code, *arguments in ((NAME_SERVER, OUTSIDE_IP), (BACKEND,)):
            self.begin(other, code, *arguments)
        self._programs, self._words = programs, words
        programs.prefix = [*self.host.enter, "env", "--chdir", str(ROOT)]

    def commands(self, *arguments: object) -> Any:
        """Run a command of the node beside it."""
        return self._programs.run("edgecore", *arguments)

    def begin(self, net: Any, code: str, *arguments: str) -> None:
        """Start a program that says when it is ready."""
        started = net.spawn([sys.executable, "-c", code, *arguments], stdout=-1)
        assert started.stdout.readline() == b"ready\n"

    def node(self, tool: str = "auto", **dns: Any) -> Any:
        """Start a cloud and a node that has a service."""
        cloud = self._programs.cloud()
        settings = {f"edgeMesh__dns__{key}": value for key, value in ({"upstreams": []} | dns).items()}
        settings["edgeMesh__intercept__tool"] = tool
        node = self._programs.node(
            cloud=cloud, edgeMesh__mode="intercept", edgeMesh__listenInterface="docker0", **settings
        )
        node.wait_for("link", lambda status: status["link"].get("state") == "connected" and node.ready())
        cloud.send(*self._words.arrival("web", 12345, (OTHER, 8080)))
        node.service("web")
        return node


@pytest.fixture
def place(nets: Any, programs: Any, words: Any, tmp_path: Path) -> Place:
    return Place(nets, programs, words, tmp_path)


def dig(net: Any, name: str, *flags: str) -> str:
    """Ask as a person does; ``dig`` reads the resolv.conf."""
    return net.run(["dig", "+short", "+tries=1", "+time=3", *flags, name], check=False).stdout.strip()


def until(look: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("tool", "workers"), [("auto", 1), ("auto", 2), pytest.param("iptables", 1, marks=BY_IPTABLES)]
)
def test_host_and_container_find_services_and_all_other_names(place: Place, tool: str, workers: int) -> None:
    assert dig(place.host, OUTSIDE) == OUTSIDE_IP
    node = place.node(tool, workers=workers)
    fake_ip = node.find("web")["fake_ip"]

    for net in (place.host, place.box):
        for flags in ((), ("+tcp",)):
            assert dig(net, NAME, *flags) == fake_ip
            assert dig(net, OUTSIDE, *flags) == OUTSIDE_IP
        assert net.run(["getent", "ahostsv4", NAME]).stdout.split()[0] == fake_ip
        assert net.run(["getent", "ahostsv4", OUTSIDE]).stdout.split()[0] == OUTSIDE_IP
        assert net.run(["curl", "--silent", "--fail", f"http://{NAME}:12345/"], env=node_env()).stdout == "hello"
    led = node.status()["mesh"]["dns"]["led"]
    assert (led["servers"], led["listener"], led["problem"]) == ([OTHER], f"{OURS}:53", "")
    asked = place.commands("dns", "query", NAME, "--config", node.config)
    assert asked.stdout.splitlines()[-1] == f"asked by: questions to {OTHER} are led to {OURS}:53"
    examined = place.commands("doctor", "--config", node.config)
    assert f"questions to {OTHER}, named in /etc/resolv.conf, are led to the node" in examined.stdout
    assert [one["address"] for one in node.status()["mesh"]["dns"]["upstreams"]] == [f"{OTHER}:53"]
    assert place.resolv_conf.read_bytes() == RESOLV_CONF.encode()


def node_env() -> dict[str, str]:
    """Return an environment without proxies."""
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


@pytest.mark.parametrize(
    ("tool", "number"),
    [
        ("auto", 15),
        ("auto", 9),
        pytest.param("iptables", 15, marks=BY_IPTABLES),
        pytest.param("iptables", 9, marks=BY_IPTABLES),
    ],
)
def test_after_the_end_of_the_node_the_name_server_itself_answers(place: Place, tool: str, number: int) -> None:
    node = place.node(tool)
    assert dig(place.host, NAME)
    node.stop(number)

    until(lambda: dig(place.host, NAME) == OUTSIDE_IP)  # the other server has but one answer
    until(lambda: dig(place.box, OUTSIDE) == OUTSIDE_IP)
    assert place.resolv_conf.read_bytes() == RESOLV_CONF.encode()


def test_another_program_at_port_53_is_left_alone(place: Place) -> None:
    place.begin(place.host, TAKEN, "0.0.0.0")
    node = place.node()
    assert node.status()["mesh"]["dns"]["led"]["listener"] == f"{OURS}:10053"
    assert dig(place.host, NAME) == dig(place.box, NAME) == node.find("web")["fake_ip"]


@pytest.mark.parametrize("servers", [("127.0.0.1",), ("127.0.0.1", OTHER)])
def test_a_forwarder_of_the_host_whose_questions_are_led_too_makes_no_circle(
    place: Place, servers: tuple[str, ...]
) -> None:
    place.begin(place.host, FORWARDER, OTHER)
    place.resolv_conf.write_text("".join(f"nameserver {server}\n" for server in servers))
    node = place.node()
    assert node.status()["mesh"]["dns"]["led"]["servers"] == list(servers)
    for name in (OUTSIDE, f"other.{OUTSIDE}"):
        assert dig(place.host, name) == OUTSIDE_IP
    assert dig(place.host, NAME) == node.find("web")["fake_ip"]


def test_a_resolv_conf_that_changes_is_followed(place: Place) -> None:
    node = place.node()
    place.resolv_conf.write_text("nameserver 10.9.0.99\n")
    until(lambda: dig(place.host, NAME) == node.find("web")["fake_ip"])
    place.resolv_conf.write_text(f"nameserver fd00::53\nnameserver {OTHER}\n")
    until(lambda: node.status()["mesh"]["dns"]["led"]["reason"] == "ipv6_first")
    assert node.status()["state"] == "ok"


def test_without_the_setting_the_name_server_is_asked_as_ever(place: Place) -> None:
    node = place.node(intercept=False)
    assert dig(place.host, NAME) == OUTSIDE_IP
    assert node.status()["mesh"]["dns"]["led"]["reason"] == "off"
    assert dig(place.box, NAME, f"@{OURS}") == node.find("web")["fake_ip"]
