"""What ``explain`` says and what a request gets are the same, for many services, the odd ones too."""

import json
import random
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dnslib import QTYPE, DNSRecord

from edgecore.errors import ControlError

Json = dict[str, Any]
Address = tuple[str, int]
SERVICES = 40
SILENCE_S = 0.2
"""So long nobody answers a datagram where nobody is."""
DOMAIN = "default.svc.cluster.local"
HELLO = bytes.fromhex("160301000501000001")
"""How a TLS connection begins."""
PORTS = (
    ("http", "TCP", ""),
    ("tcp-x", "TCP", ""),
    ("", "TCP", ""),
    ("x", "TCP", "http"),
    ("udp-x", "UDP", ""),
    ("sctp", "SCTP", ""),
)


@pytest.fixture
def echo() -> Iterator[Callable[[Address], None]]:
    """``echo(address)``: answer datagrams there with who answers."""
    running: list[tuple[socket.socket, threading.Thread]] = []

    def serve(sock: socket.socket, host: str) -> None:
        while True:
            data, client = sock.recvfrom(100)
            if data == b"end":
                return
            sock.sendto(host.encode(), client)

    def start(address: Address) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(address)
        thread = threading.Thread(target=serve, args=(sock, address[0]))
        thread.start()
        running.append((sock, thread))

    yield start
    for sock, thread in running:
        sock.sendto(b"end", sock.getsockname())
        thread.join()
        sock.close()


class Shop:
    """Makes services, as odd as they can be. Ports are from ``free_port``, for they are listened at on loopback."""

    def __init__(self, rng: random.Random, words: Any, backends: list[Address], free_port: Callable[[], int]) -> None:
        self.rng = rng
        self._words = words
        self._backends = backends
        self._free_port = free_port
        self.ports: dict[str, list[tuple[int, str]]] = {}

    def arrival(self, name: str) -> list[Json]:
        if self.rng.random() < 0.15:
            return [self._words.put(self._alias(name))]
        service = self._service(name)
        messages = [self._words.put(service)]
        pods = [self._pod(f"{name}-{number}", service) for number in range(self.rng.randint(0, 3))]
        if self.rng.random() < 0.9:
            messages.append(self._words.pods(name, pods or None))
        messages += [self._news(pod) for pod in pods if self.rng.random() < 0.1]
        if self.rng.random() < 0.3 and pods:
            unready = [{"ip": "172.17.0.2", "targetRef": {"kind": "Pod", "name": pods[0]["metadata"]["name"]}}]
            subsets = [{"notReadyAddresses": unready, "ports": [{"port": 80}]}]
            metadata = {"name": name, "namespace": "default"}
            messages.append(
                self._words.message("update", f"default/endpoints/{name}", {"metadata": metadata, "subsets": subsets})
            )
        return messages

    def _alias(self, name: str) -> Json:
        to = self.rng.choice([f"s{self.rng.randrange(SERVICES)}.{DOMAIN}", f"{name}.{DOMAIN}", "localhost"])
        self.ports[name] = [(self._free_port(), "TCP")]
        found: Json = self._words.service(name)
        found["spec"] = {"type": "ExternalName", "externalName": to}
        return found

    def _service(self, name: str) -> Json:
        found: Json = self._words.service(name)
        listed: list[Json] = []
        for label, protocol, app in self.rng.sample(PORTS, self.rng.randint(0, 3)):
            again = listed and self.rng.random() < 0.3
            number = listed[0]["port"] if again else self._free_port()
            port = {"name": label, "protocol": protocol, "port": number, "appProtocol": app or None}
            target = self.rng.choice([80, 80, "web", "none", 81])
            listed.append({**port, "targetPort": target})
        found["spec"]["ports"] = listed
        self.ports[name] = [(port["port"], port["protocol"]) for port in listed] or [(self._free_port(), "TCP")]
        if self.rng.random() < 0.3:
            found["spec"]["publishNotReadyAddresses"] = True
        if self.rng.random() < 0.1:
            del found["spec"]["selector"]
        if self.rng.random() < 0.3:
            found["spec"]["clusterIP"] = "None"
        return found

    def _pod(self, name: str, service: Json) -> Json:
        host, number = self.rng.choice(self._backends)
        found: Json = self._words.pod(name, (host, number))
        ways: list[Json] = [
            {"name": "web", "containerPort": 80, "hostPort": number, "protocol": "TCP"},
            {"name": "web", "containerPort": 80, "hostPort": number, "protocol": "UDP"},
            {"name": "other", "containerPort": 80, "hostPort": number},
            {"name": "web", "containerPort": 81, "hostPort": number},
            {"name": "web", "containerPort": 80},
        ]
        found["spec"]["containers"][0]["ports"] = self.rng.sample(ways, self.rng.randint(1, 3))
        match self.rng.randrange(12):
            case 0:
                found["status"]["phase"] = "Pending"
            case 1:
                found["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
            case 2:
                found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            case 3:
                del found["status"]["hostIP"]
            case 4:
                del found["status"]
            case 5 if all(port["targetPort"] in ("web", "none") for port in service["spec"]["ports"]):
                found["spec"]["hostNetwork"] = True
                found["spec"]["containers"][0]["ports"] = [{"name": "web", "containerPort": number}]
            case 6:
                found["spec"] |= {"hostname": "h", "subdomain": service["metadata"]["name"]}
                self.ports[f"h.{service['metadata']['name']}"] = self.ports[service["metadata"]["name"]]
        found["metadata"] |= {"labels": service["spec"].get("selector"), "resourceVersion": "5"}
        return found

    def _news(self, pod: Json) -> Json:
        """Return what this node is told of one of its pods, before the others hear of it."""
        name = pod["metadata"]["name"]
        metadata = {**pod["metadata"], "resourceVersion": self.rng.choice(["4", "6", "10"])}
        newer = {**pod, "metadata": metadata, "status": {**pod.get("status", {}), "phase": "Failed"}}
        message: Json = self._words.message(self.rng.choice(["update", "delete"]), f"default/pod/{name}", newer)
        return message


class Client:
    """Asks as a program would, with no help of ours but DNS; what it gets is a word, and who or why."""

    def __init__(self, node: Any) -> None:
        self._node = node

    def by_name(self, name: str, port: int, way: str) -> tuple[str, str]:
        address = self._address(name)
        if not address:
            return "no_name", ""
        return self.datagram((address, port)) if way == "udp" else self.stream((address, port), name, way)

    def _address(self, name: str) -> str:
        host, _, port = self._node.status()["mesh"]["dns"]["listening"][0].rpartition(":")
        answer = DNSRecord.parse(DNSRecord.question(name).send(host, int(port), timeout=10))
        return next((str(record.rdata) for record in answer.rr if record.rtype == QTYPE.A), "")

    def datagram(self, where: Address) -> tuple[str, str]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(SILENCE_S)
            sock.connect(where)
            try:
                sock.send(b"who?")
                return "answered", sock.recv(100).decode()
            except TimeoutError:
                return "silence", ""
            except ConnectionRefusedError:
                return "refused", ""

    def stream(self, where: Address, host: str, way: str = "http") -> tuple[str, str]:
        try:
            with socket.create_connection(where, 10) as sock:
                request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
                sock.sendall(HELLO + request if way == "https" else request)
                answer = sock.makefile("rb").read().decode()
        except ConnectionRefusedError:
            return "refused", ""
        except ConnectionResetError:
            return "closed", ""
        if not answer:
            return "closed", ""
        if " serves " in answer:
            return "answered", answer.partition("\r\n\r\n")[2].split()[0]
        if "BaseHTTP" in answer:  # the backend, which does not know TLS
            return "answered", ""
        return answer.split()[1], answer


def foreseen(verdict: Json) -> tuple[str, str]:
    """Return what ``Client`` gets if the verdict is right."""
    word, text = verdict["word"], verdict["text"]
    if word == "answered":
        return word, text.rpartition(" at ")[2].partition(":")[0] if " at " in text else ""
    if word in ("no_such_name", "name_servers_fail"):
        return "no_name", ""
    if word == "tls_to_http_port":
        return "400", ""
    for part, outcome in (
        ("(connection refused)", "refused"),
        ("accepted and closed at once", "closed"),
        ("datagrams are dropped", "silence"),
    ):
        if part in text:
            return outcome, ""
    if "answered with 503" in text:
        return "503", word
    return "?", text


def same(expected: tuple[str, str], got: tuple[str, str]) -> bool:
    return expected[0] == got[0] and (not expected[1] or not got[1] or expected[1] in got[1])


def explain(node: Any, what: str, host: str = "") -> Json:
    found: Json = node.control.get("/v1/explain", {"what": what, "namespace": "", "host": host})
    return found


@pytest.fixture
def shop(
    words: Any, backend: Callable[..., Address], echo: Callable[[Address], None], free_port: Callable[[], int]
) -> Shop:
    backends = [backend(f"127.0.0.{last}") for last in (2, 3, 4)]
    for each in backends:
        echo(each)
    seed = random.randrange(1 << 32)  # repeats by the seed that pytest prints
    return Shop(random.Random(seed), words, backends, free_port)


def test_the_verdict_is_what_a_request_gets(programs: Any, shop: Shop, scale: int) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    node.ready()
    messages = [message for number in range(SERVICES) for message in shop.arrival(f"s{number}")]
    cloud.send(*messages)
    node.wait_for("all listeners", lambda status: not pending(status))
    client, wrong, seen = Client(node), [], set()
    for name, ports in [*shop.ports.items(), ("nobody", [(80, "TCP")])]:
        for port, protocol in [*dict.fromkeys(ports), (1, "TCP")]:
            ways = ("udp",) if protocol == "UDP" else ("http", "https", "plain")
            for way in ways:
                full = f"{name}.{DOMAIN}"
                plain = node.status()["mesh"]["plain_listener"] if way == "plain" else ""
                what = plain or f"{'udp' if way == 'udp' else way}://{full}:{port}/"
                host = f"{full}:{port}" if plain else ""
                first, told = explain(node, what, host), explain(node, what, host)
                assert facts(first) == facts(told)  # asking has changed nothing
                where, _, digits = plain.rpartition(":")
                got = client.stream((where, int(digits)), host) if plain else client.by_name(full, port, way)
                (verdict,) = told["verdicts"]
                seen.add(verdict["word"])
                if not same(foreseen(verdict), got) or verdict["works"] != (got[0] == "answered"):
                    wrong.append((what, host, verdict, got))
    assert not wrong, json.dumps(wrong, indent=1)
    assert {"answered", "no_such_name", "port_not_in_service"} <= seen


def pending(status: Json) -> list[Json]:
    services = status["mesh"].get("services", ())
    return [port for one in services for port in one["ports"] if port["state"] == "pending"]


def facts(told: Json) -> list[Any]:
    """All but how old it is, and what name servers do about a name outside: whether one is asked is up to the cache."""
    steps = [step for step in told["steps"] if step["step"] != "dns"]
    text = json.dumps([*steps, *told["verdicts"]])
    found: list[Any] = json.loads(text, object_hook=lambda it: {k: v for k, v in it.items() if k != "age_s"})
    return found


@pytest.mark.parametrize("host", ["web:²", "web:99999", f"web:{'9' * 5000}", "a b", "web\r\nx"])
def test_a_host_header_that_is_none_is_refused(programs: Any, host: str) -> None:
    node = programs.node()
    node.ready()
    with pytest.raises(ControlError, match="it is no NAME or NAME:PORT"):
        explain(node, node.status()["mesh"]["plain_listener"], host)
