"""The kernel balances by itself: pods on another machine, clients here and in a container, in network namespaces."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from edgecore.modules.edgemesh.intercept.rules.interception import Spot
from edgecore.modules.edgemesh.intercept.settings import InterceptSettings
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend, PortSpec, Transport
from tests.support import kernelnode
from tests.support.kernelnode import Churn, End, Look, Message, Put, Renew
from tests.support.netns import Net, Nets

pytestmark = pytest.mark.namespaces

PODS = ("10.1.0.2", "10.1.0.3", "10.1.0.4")
WEB = ServiceKey("default", "web")
FAKE_IP = "9.251.0.1"

SERVE = """
import selectors, socket, sys
watch = selectors.DefaultSelector()
for host in sys.argv[1:]:
    tcp = socket.create_server((host, 8080), backlog=1024)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((host, 8080))
    watch.register(tcp, selectors.EVENT_READ, ("tcp", host))
    watch.register(udp, selectors.EVENT_READ, ("udp", host))
print("ready", flush=True)
kept = []
while True:
    for key, _ in watch.select():
        kind, host = key.data
        if kind == "tcp":
            client, _ = key.fileobj.accept()
            client.sendall(host.encode())
            client.setblocking(False)
            watch.register(client, selectors.EVENT_READ, ("client", host))
        elif kind == "udp":
            _, client = key.fileobj.recvfrom(100)
            key.fileobj.sendto(host.encode(), client)
        else:
            try:
                over = not key.fileobj.recv(100)
            except OSError:
                over = True
            if over:
                watch.unregister(key.fileobj)
                key.fileobj.close()
"""

CONNECT = """
import json, socket, sys
heard = []
for _ in range(int(sys.argv[1])):
    try:
        with socket.create_connection(("9.251.0.1", 80), 5) as sock:
            heard.append(sock.recv(100).decode())
    except OSError as error:
        heard.append(type(error).__name__)
print(json.dumps(heard))
"""

CONNECT_FOR = """
import json, socket, sys, time
until, heard = time.monotonic() + float(sys.argv[1]), {}
while time.monotonic() < until:
    try:
        with socket.create_connection(("9.251.0.1", 80), 5) as sock:
            name = sock.recv(100).decode()
    except OSError as error:
        name = type(error).__name__
    heard[name] = heard.get(name, 0) + 1
print(json.dumps(heard))
"""

TALK = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(5)
sock.connect(("9.251.0.1", 80))
for line in sys.stdin:
    sock.send(b"?")
    print(sock.recv(100).decode(), flush=True)
"""

HOLD = """
import socket
sock = socket.create_connection(("9.251.0.1", 80))
print(sock.recv(100), flush=True)
input()
sock.settimeout(0.5)
try:
    print(sock.recv(100))
except TimeoutError:
    print("open")
"""


def spec(*hosts: str, transport: Transport = "tcp", **policy: Any) -> PortSpec:
    backends = tuple(Backend(f"web-{host}", Endpoint(host, 8080)) for host in hosts)
    return PortSpec(WEB, 80, transport, "bytes" if transport == "tcp" else "datagrams", backends, Policy(**policy))


class Machine:
    """The machine with the node, joined to one where the pods are."""

    def __init__(self, nets: Nets) -> None:
        self._nets = nets
        self.net, pods = nets.make("node"), nets.make("pods")
        _, end = nets.join(self.net, pods, "10.1.0.1/24", f"{PODS[0]}/24")
        for host in PODS[1:]:
            pods.run(["ip", "addr", "add", f"{host}/24", "dev", end])
        self._serve(pods)
        self.net.bridge("docker0", "172.17.0.1/16")
        self._node: subprocess.Popen[str] | None = None

    def _serve(self, pods: Net) -> None:
        served = pods.spawn([sys.executable, "-c", SERVE, *PODS], stdout=subprocess.PIPE, text=True)
        assert served.stdout is not None
        assert served.stdout.readline() == "ready\n"

    def container(self) -> Net:
        return self._nets.container(self.net, "docker0", "172.17.0.2/16", "172.17.0.1")

    def start(self) -> None:
        settings = msgspec.json.encode(InterceptSettings(interface="docker0", is_named=True, linger_s=0)).decode()
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._node = self.net.spawn(
            [sys.executable, kernelnode.__file__, settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert self.hear() == "started"

    def say(self, message: Message) -> None:
        assert self._node is not None
        assert self._node.stdin is not None
        self._node.stdin.write(msgspec.json.encode(message).decode() + "\n")
        self._node.stdin.flush()

    def hear(self) -> Any:
        assert self._node is not None
        assert self._node.stdout is not None
        return json.loads(self._node.stdout.readline())

    def tell(self, message: Message) -> Any:
        self.say(message)
        return self.hear()

    def put(self, port: PortSpec) -> None:
        assert self.tell(Put(port, Spot(FAKE_IP, 80, port.transport))) == ["kernel", ""]

    def connect(self, times: int, net: Net | None = None) -> Counter[str]:
        """Connect so often; return who answered how often."""
        return Counter(json.loads((net or self.net).python(CONNECT, str(times))))

    def requests(self) -> dict[str, int]:
        told = self.tell(Look())["backends"]
        return {name.partition(":")[0]: host["requests"] for name, host in told.items()}

    def end(self) -> None:
        if self._node is not None:
            with suppress(OSError, ValueError):
                self.tell(End())
            self._node.wait(20)


@pytest.fixture
def machine(nets: Nets) -> Iterator[Machine]:
    machine = Machine(nets)
    machine.net.sysctl("net.ipv4.ip_forward", 1)
    machine.start()
    yield machine
    machine.end()


def test_connections_go_round_and_are_counted_for_each_backend(machine: Machine) -> None:
    machine.put(spec(*PODS))

    assert machine.connect(30) == dict.fromkeys(PODS, 10)
    assert machine.requests() == {**dict.fromkeys(PODS, 10), "gone": 0}


def test_containers_are_served_as_processes_of_the_host_are(machine: Machine) -> None:
    machine.put(spec(*PODS))

    assert machine.connect(9, machine.container()) == dict.fromkeys(PODS, 3)


def test_a_client_that_is_to_stick_stays_with_its_backend(machine: Machine) -> None:
    machine.put(spec(*PODS, strategy="SessionStickiness"))
    heard = machine.connect(10)
    machine.put(spec(*(host for host in PODS if host not in heard), strategy="SessionStickiness"))
    moved = machine.connect(10)

    assert [*heard.values(), *moved.values()] == [10, 10]
    assert heard.keys() != moved.keys()


def test_a_client_of_datagrams_goes_elsewhere_when_its_backend_is_gone(machine: Machine) -> None:
    machine.put(spec(*PODS, transport="udp"))
    client = machine.net.spawn([sys.executable, "-c", TALK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert client.stdin is not None
    assert client.stdout is not None

    def talk() -> str:
        client.stdin.write("\n")
        client.stdin.flush()
        return str(client.stdout.readline().strip())

    first = {talk() for _ in range(5)}
    machine.put(spec(*(host for host in PODS if host not in first), transport="udp"))
    assert machine.tell(Look())["status"]["flows_ended"] <= 1  # by this look, or by the node itself
    second = {talk() for _ in range(5)}

    assert len(first) == len(second) == 1
    assert not first & second
    assert machine.tell(Look())["backends"][f"{second.pop()}:8080"] == {"requests": 1, "active": 1}


def test_an_open_connection_is_told_and_drains_when_its_backend_goes(machine: Machine) -> None:
    machine.put(spec(PODS[0]))
    client = machine.net.spawn(
        [
            sys.executable,
            "-c",
            HOLD,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdout.readline()
    assert machine.tell(Look())["backends"][f"{PODS[0]}:8080"]["active"] == 1
    machine.put(spec(PODS[1]))
    assert machine.connect(2) == {PODS[1]: 2}
    client.stdin.write("\n")
    client.stdin.flush()

    assert client.stdout.readline() == "open\n"


def test_sums_go_on_when_the_rules_are_made_anew(machine: Machine) -> None:
    machine.put(spec(*PODS))
    machine.connect(9)
    before = machine.requests()
    machine.tell(Renew())
    machine.connect(3)

    assert before == {**dict.fromkeys(PODS, 3), "gone": 0}
    assert machine.requests() == {**dict.fromkeys(PODS, 4), "gone": 0}


def test_no_connection_fails_while_backends_change_a_hundred_times_a_second(machine: Machine) -> None:
    machine.put(spec(*PODS))
    clients = [
        net.spawn([sys.executable, "-c", CONNECT_FOR, "1.5"], stdout=subprocess.PIPE, text=True)
        for net in (machine.net, machine.container())
    ]
    applied = machine.tell(Churn(spec(*PODS), times=100, every_s=0.01))
    heard: Counter[str] = Counter()
    for client in clients:
        assert client.stdout is not None
        heard.update(json.loads(client.stdout.readline()))

    assert set(heard) <= set(PODS), heard
    assert sum(heard.values()) > 0
    assert applied > 10
    machine.requests()
    assert sum(machine.requests().values()) == sum(heard.values())
