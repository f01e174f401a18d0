"""Two machines in network namespaces: one with docker0, a container and a node in mode intercept, one with backends."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HOST, OTHER, BRIDGE, BOX = "10.9.0.1", "10.9.0.2", "172.17.0.1", "172.17.0.2"
MORE = "10.9.0.3", "10.9.0.4"
"""Further addresses of the other machine."""
SUBNET = "9.251.0.0/16"
FALLBACK = f"unreachable {SUBNET} proto 251 metric 65000 "
ROOT = Path(__file__).parents[2]
PATIENCE_S = 20.0

BACKEND = """
import http.server, socket, sys, threading

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass

def echo():
    while True:
        data, peer = sock.recvfrom(2048)
        sock.sendto(data.upper(), peer)

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("0.0.0.0", 8080))
threading.Thread(target=echo, daemon=True).start()
def lines(host):
    listener = socket.create_server((host, 8081), backlog=1024)
    while True:
        peer = listener.accept()[0]
        threading.Thread(target=say, args=(host, peer), daemon=True).start()

def say(host, peer):
    with peer:
        try:
            peer.sendall(host.encode())
            while data := peer.recv(2048):
                peer.sendall(data.upper())
        except OSError:
            pass

for host in sys.argv[1:]:
    threading.Thread(target=lines, args=(host,), daemon=True).start()
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Answer)
print("ready", flush=True)
server.serve_forever()
"""
ASK_UDP = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(3)
sock.connect((sys.argv[1], int(sys.argv[2])))
sock.send(b"hello")
print(sock.recv(2048).decode())
"""
TALK = """
import socket, sys
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
sock.recv(100)
print("open", flush=True)
for line in sys.stdin:
    try:
        sock.sendall(line.encode())
        print(sock.recv(2048).decode().strip(), flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""
KIND = """
import errno, socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 9).close()
    print("open")
except OSError as error:
    print(errno.errorcode.get(error.errno, type(error).__name__))
"""
DIAL = """
import socket, sys, time
began = time.monotonic()
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).close()
    print("open")
except OSError as error:
    print("refused" if time.monotonic() - began < 1 else "late", error)
"""


class Place:
    """Two machines: one with docker0, a container and the node, one with the backend."""

    def __init__(self, nets: Any, programs: Any, words: Any) -> None:
        self.host, self.other = nets.make("node"), nets.make("other")
        ends = nets.join(self.host, self.other, f"{HOST}/24", f"{OTHER}/24")
        self.host.bridge("docker0", f"{BRIDGE}/16")
        self.host.sysctl("net.ipv4.ip_forward", 1)  # as Docker does; without it nobody would tell a container anything
        self.box = nets.container(self.host, "docker0", f"{BOX}/16", BRIDGE)
        for host in MORE:
            self.other.run(["ip", "addr", "add", f"{host}/24", "dev", ends[1]])
        started = self.other.spawn([sys.executable, "-c", BACKEND, OTHER, *MORE], stdout=-1)
        assert started.stdout.readline() == b"ready\n"
        chains = {"nat": ("PREROUTING", "OUTPUT"), "filter": ("INPUT", "FORWARD", "OUTPUT")}
        for table, chain in ((table, chain) for table, names in chains.items() for chain in names):
            for flag in ("-A", "-D"):  # the tables of iptables are there from the first rule on
                self.host.run(["iptables", "-t", table, flag, chain, "-j", "RETURN"])
        self.before = self.rules()
        self.words = words
        self.cloud: Any = None
        self.programs = programs
        programs.prefix = [*self.host.enter, "env", "--chdir", str(ROOT)]

    def node(self, **settings: Any) -> Any:
        """Start a node, and have it know a service."""
        if self.cloud is None:
            self.cloud = self.programs.cloud()
        wanted = {"mode": "intercept", "intercept__checkInterval": 0.5, "dns__intercept": False} | settings
        node = self.programs.node(cloud=self.cloud, **{f"edgeMesh__{key}": value for key, value in wanted.items()})
        node.wait_for("link", lambda status: status["link"].get("state") == "connected" and node.ready())
        return node

    def serve(self, node: Any, protocol: str = "TCP", name: str = "web") -> str:
        """Have the service known, and return its fake IP."""
        service, *others = self.words.arrival(name, 80, (OTHER, 8080))
        if protocol != "TCP":
            port = service["content"]["spec"]["ports"][0]
            port.update(protocol=protocol, name=f"{protocol.lower()}-x")
            others[0]["content"][0]["spec"]["containers"][0]["ports"][0]["protocol"] = protocol
        self.cloud.send(service, *others)
        fake_ip: str = node.service(name)["fake_ip"]
        return fake_ip

    def lines(self, node: Any, *hosts: str) -> str:
        """Have a service known that the kernel balances, one that says lines back, and return its fake IP."""
        service, pods = self.words.arrival("lines", 80, *((host, 8081) for host in hosts or (OTHER,)))
        service["content"]["spec"]["ports"][0]["name"] = "tcp-x"
        self.cloud.send(service, pods)
        fake_ip: str = node.service("lines")["fake_ip"]
        until(lambda: node.status()["mesh"]["intercept"]["balanced"])
        return fake_ip

    def change(self, name: str, hosts: Sequence[str]) -> Any:
        """Return the message by which the backends of ``lines`` are others."""
        return self.words.arrival(name, 80, *((host, 8081) for host in hosts))[1]

    def talker(self, net: Any, fake_ip: str) -> "Talker":
        """Open a connection that stays."""
        return Talker(net, fake_ip)

    def rules(self) -> str:
        """Return what there is of rules, routes and addresses."""
        listed = [
            self.host.run(command.split()).stdout for command in ("nft list ruleset", "ip route", "iptables-save")
        ]
        lines = "\n".join(listed).splitlines()
        return "\n".join(line for line in lines if not line.startswith(("#", ":", "*", "COMMIT")))

    def added(self) -> list[str]:
        """Return the lines that were not there before the node."""
        before = self.before.splitlines()
        return [line for line in self.rules().splitlines() if line not in before]


class Talker:
    """An open connection."""

    def __init__(self, net: Any, fake_ip: str) -> None:
        self._client = net.spawn([sys.executable, "-c", TALK, fake_ip, "80"], stdin=-1, stdout=-1, text=True)
        assert self._client.stdout.readline() == "open\n"

    def say(self) -> str:
        """Return ``HELLO``, or the name of the exception."""
        self._client.stdin.write("hello\n")
        self._client.stdin.flush()
        return str(self._client.stdout.readline().strip())


def curl(net: Any, fake_ip: str, port: int = 80) -> str:
    done = net.run(["curl", "--silent", "--noproxy", "*", "--max-time", "5", f"http://{fake_ip}:{port}/"], check=False)
    return str(done.stdout) or f"curl: {done.returncode}"


def dial(net: Any, fake_ip: str, port: int = 80) -> str:
    """Return how a connection ends: ``open``, ``refused`` within a second, or ``late``."""
    return str(net.python(DIAL, fake_ip, str(port))).split()[0]


def kind(net: Any, fake_ip: str, port: int = 80) -> str:
    """Return how a connection ends: ``open``, or the name of the error."""
    return str(net.python(KIND, fake_ip, str(port))).strip()


REFUSED = ("ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH")
"""What the kernel says at once; that nobody answers ARP would be EHOSTUNREACH too, but after three seconds."""


def until(look: Callable[[], Any], patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def programs_of(*names: str) -> list[str]:
    """Return the files behind commands, wherever they are found."""
    found = {str(Path(folder, name).resolve()) for folder in ("/usr/sbin", "/sbin", "/usr/bin") for name in names}
    return sorted(path for path in found if Path(path).exists())


def libraries() -> list[str]:
    """Return the files of libnftables."""
    folders = ("/usr/lib", "/lib", "/usr/lib64", "/usr/local/lib")
    return sorted({str(path.resolve()) for folder in folders for path in Path(folder).rglob("libnftables.so.1")})


HIDDEN: dict[str, Callable[[], list[str]]] = {
    "nft": lambda: programs_of("nft"),
    "libnftables": libraries,
    "iptables": lambda: programs_of("iptables", "iptables-save", "iptables-restore"),
}
"""The files that make up each tool, so that a test can hide them."""
