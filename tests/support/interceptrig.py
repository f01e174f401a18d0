"""A node's host with a container, and another machine, in namespaces; servers that say who they are; clients."""

import json
import subprocess
import sys
from typing import Any

from edgecore.modules.edgemesh.intercept.keeper.protocol import Command
from edgecore.modules.edgemesh.intercept.rules import routes
from edgecore.modules.edgemesh.intercept.rules.interception import Interception
from netns import Net, Nets

_SERVER = """
import socket, sys, threading
host, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind((host, port))
server = socket.create_server((host, port))
def answer():
    while True:
        peer = datagrams.recvfrom(2000)[1]
        datagrams.sendto(name + b" " + peer[0].encode(), peer)
def serve(connection, text):
    connection.sendall(text)
    while data := connection.recv(2000):
        connection.sendall(data)
threading.Thread(target=answer, daemon=True).start()
print("ready", flush=True)
while True:
    connection, peer = server.accept()
    threading.Thread(target=serve, args=(connection, name + b" " + peer[0].encode()), daemon=True).start()
"""

_CLIENT = """
import errno, json, socket, sys, time
said = []
for transport, host, port in json.loads(sys.argv[1]):
    kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM, "icmp": socket.SOCK_RAW}[transport]
    with socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP if transport == "icmp" else 0) as client:
        client.settimeout(float(sys.argv[2]))
        client.setsockopt(socket.SOL_IP, 11, 1)  # IP_RECVERR
        try:
            client.connect((host, port))
            if transport != "tcp":
                client.send(b"?" if transport == "udp" else bytes((8, 0, 0xF7, 0xFD, 0, 1, 0, 1)))  # an echo request
            said.append(client.recv(100).decode())
        except TimeoutError:
            said.append("timeout")
        except OSError as error:
            said.append(errno.errorcode[error.errno])
print(json.dumps(said))
"""

_TALKER = """
import socket, sys
client = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
print(client.recv(100).decode(), flush=True)
for line in sys.stdin:
    client.sendall(line.encode())
    print(client.recv(100).decode().strip(), flush=True)
"""

_DATAGRAM_TALKER = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.connect((sys.argv[1], int(sys.argv[2])))
client.settimeout(0.5)
for line in sys.stdin:
    client.send(line.encode())
    try:
        print(client.recv(100).decode(), flush=True)
    except TimeoutError:
        print("timeout", flush=True)
"""


class InterceptRig:
    """``host`` (10.0.0.1, docker0) with ``box`` (172.17.0.2) and ``other`` (172.17.0.3), and ``machine`` (10.0.0.2)."""

    def __init__(self, nets: Nets, *, forwards: bool = True) -> None:
        self.host, self.machine = nets.make("host"), nets.make("machine")
        nets.join(self.host, self.machine, "10.0.0.1/24", "10.0.0.2/24")
        self.host.bridge("docker0", "172.17.0.1/16")
        self.host.sysctl("net.ipv4.ip_forward", int(forwards))
        self.host.run(["ip", "route", "add", "default", "via", "10.0.0.2"])
        self.box = nets.container(self.host, "docker0", "172.17.0.2/16", "172.17.0.1")
        self.other = nets.container(self.host, "docker0", "172.17.0.3/16", "172.17.0.1")
        self.interception = Interception(
            "edgecore_7", "docker0", "9.251.0.0/16", "169.254.96.16", 0x2A, forwards=forwards
        )

    def do(self, *commands: Command, check: bool = True) -> str:
        """Run commands on the host as a keeper does; return what the last one printed."""
        output = ""
        for command in commands:
            output = self.host.run(command.argv, input=command.stdin, check=check and not command.may_fail).stdout
        return output

    def nft(self, text: str) -> None:
        """Do a text of nft on the host."""
        self.host.run(["nft", "--file", "-"], input=text)

    def listed(self, text: str) -> str:
        """Return as JSON what a text of nft lists. (With --json nft takes no text from its standard input.)"""
        return self.host.run(["nft", "--json", text]).stdout

    def go_live(self) -> None:
        """Make our address and the routes."""
        i = self.interception
        self.do(routes.fall_back(i.subnet), routes.hold_address(i), routes.go_live(i))

    def serve(self, net: Net, host: str, port: int, name: str) -> None:
        """Have a server in ``net`` that tells its name and the address of who asks, by TCP and by UDP."""
        server = net.spawn([sys.executable, "-c", _SERVER, host, str(port), name], stdout=subprocess.PIPE)
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"

    def ask(self, net: Net, *places: tuple[str, str, int], patience_s: float = 5) -> list[str]:
        """Return what clients in ``net`` hear, each at a transport, address and port: the answer or the errno.

        ``icmp`` is a ping; what does not come within ``patience_s`` is a ``timeout``.
        """
        said: list[str] = json.loads(net.python(_CLIENT, json.dumps(places), str(patience_s)))
        return said


class _Lines:
    """A program that answers each line with one."""

    def __init__(self, net: Net, code: str, host: str, port: int) -> None:
        self._process: subprocess.Popen[Any] = net.spawn(
            [sys.executable, "-c", code, host, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def say(self, text: str) -> str:
        """Return the echo; an empty text if the connection is broken."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n")
        return self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line: str = self._process.stdout.readline()
        return line.strip()


class Talker(_Lines):
    """A client that stays connected."""

    def __init__(self, net: Net, host: str, port: int) -> None:
        super().__init__(net, _TALKER, host, port)
        self.greeting = self._line()


class DatagramTalker(_Lines):
    """A client that sends its datagrams from one port; ``say`` returns the answer, or ``timeout``."""

    def __init__(self, net: Net, host: str, port: int) -> None:
        super().__init__(net, _DATAGRAM_TALKER, host, port)
