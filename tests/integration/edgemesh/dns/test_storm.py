"""Services that change without a pause, while clients ask: each answer was right while it was on its way."""

import asyncio
import random
import socket
from collections.abc import Callable
from contextlib import closing
from ipaddress import IPv4Network
from typing import Any

import pytest
from dnslib import QTYPE, DNSRecord

from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published, PublishedPod, PublishedPort

SERVICES = 60
CHANGES = 3_000
SCALE_LIMIT = 8
"""Then the addresses that were never given are at an end."""
CLIENTS = 4
DOMAIN = "svc.cluster.local"
MISSING = (3, ())
"""What a name gets that is not there: NXDOMAIN, and no records."""

Answer = tuple[int, tuple[str, ...]]


@pytest.fixture
def names() -> NameTable:
    table = NameTable()
    table.serve_pool(IPv4Network("127.251.0.0/16"))
    return table


class Model:
    """What every name has had, change by change. An address is given once and never to another."""

    def __init__(self, names: NameTable, rng: random.Random) -> None:
        self.version = 0
        self.keys = [ServiceKey(f"ns-{number % 3}", f"s-{number}") for number in range(SERVICES)]
        self.services: dict[ServiceKey, Published] = {}
        self.questions: list[tuple[str, str]] = []
        """Each name and type that anything was ever known of."""
        self._history: dict[tuple[str, str], list[tuple[int, Answer]]] = {}
        self._names = names
        self._rng = rng
        self._addresses = (f"127.251.{number >> 8}.{number & 255}" for number in range(1, 65_000))

    def change(self) -> None:
        """Let one service come, go, or be another."""
        key = self._rng.choice(self.keys)
        known = self.services.get(key)
        self.version += 1
        if known is not None and self._rng.random() < 0.3:
            del self.services[key]
            self._names.remove(key)
            self._note(key, known, None)
            return
        service = self._service(key, known)
        self.services[key] = service
        assert self._names.set(service)
        self._note(key, known, service)

    def possible(self, question: tuple[str, str], since: int) -> list[Answer]:
        """Return what was right at any time from version ``since`` until now."""
        past = self._history.get(question, [(0, MISSING)])
        first = max((place for place, (version, _) in enumerate(past) if version <= since), default=0)
        return [answer for _, answer in past[first:]] + ([MISSING] if past[0][0] > since else [])

    def _service(self, key: ServiceKey, known: Published | None) -> Published:
        rng = self._rng
        if rng.random() < 0.15 and not key.name.endswith("7"):
            other = rng.choice([one for one in self.keys if one.name.endswith("7")])
            return Published(key, None, external_name=f"{other.name}.{other.namespace}.{DOMAIN}")
        keeps = known is not None and known.address is not None and rng.random() < 0.5
        address = known.address if keeps and known is not None else next(self._addresses)
        ports = tuple(
            PublishedPort(f"p{number}", "TCP", rng.randrange(1, 65_536)) for number in range(rng.randrange(3))
        )
        pods = tuple(PublishedPod(f"pod-{number}", next(self._addresses)) for number in range(rng.randrange(3)))
        return Published(key, address, ports, pods)

    def _note(self, key: ServiceKey, before: Published | None, after: Published | None) -> None:
        old, new = _answers(before), _answers(after)
        for question in old.keys() | new.keys():
            if question not in self._history:
                self._history[question] = []
                self.questions.append(question)
            self._history[question].append((self.version, new.get(question, MISSING)))


def _answers(service: Published | None) -> dict[tuple[str, str], Answer]:
    """Return what each name of a service is to be answered with; an alias: its CNAME, whatever it leads to."""
    if service is None:
        return {}
    full = f"{service.key.name}.{service.key.namespace}.{DOMAIN}"
    if service.external_name:
        return {(full, kind): (0, (f"{service.external_name}.",)) for kind in ("A", "AAAA", "SRV", "CNAME")}
    assert service.address is not None
    found: dict[tuple[str, str], Answer] = {(full, kind): (0, ()) for kind in ("A", "AAAA", "SRV", "CNAME")}
    found[full, "A"] = (0, (service.address,))
    targets = [f"{pod.hostname}.{full}" for pod in service.pods] or [full]
    ports = [(port, f"_{port.name}._tcp.{full}") for port in service.ports]
    for port, name in ports:
        found[name, "SRV"] = (0, tuple(sorted(f"0 100 {port.number} {target}." for target in targets)))
    every = sorted(record for _, name in ports for record in found[name, "SRV"][1])
    found[full, "SRV"] = (0, tuple(every))
    for address, name in [(service.address, full), *((pod.address, f"{pod.hostname}.{full}") for pod in service.pods)]:
        found[name, "A"] = (0, (address,))
        found[".".join(reversed(address.split("."))) + ".in-addr.arpa", "PTR"] = (0, (f"{name}.",))
    return found


def told(reply: bytes) -> tuple[Answer, Answer | None]:
    """Return what a reply says; of an alias: its CNAME, and what is said of that."""
    parsed = DNSRecord.parse(reply)
    aliases = tuple(str(rr.rdata) for rr in parsed.rr if rr.rtype == QTYPE.CNAME)
    others = tuple(sorted(str(rr.rdata) for rr in parsed.rr if rr.rtype != QTYPE.CNAME))
    answer = parsed.header.rcode, others
    return ((0, aliases), answer) if aliases else (answer, None)


class Client:
    """Asks eight questions at a time, of names that are there, were there, or share a name with one that is."""

    def __init__(self, address: tuple[str, int], model: Model, rng: random.Random) -> None:
        self.asked = 0
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._sock.connect(address)
        self._model = model
        self._rng = rng

    async def ask(self) -> None:
        """Ask, and compare."""
        model, loop = self._model, asyncio.get_running_loop()
        newest = model.questions[-200:]
        batch = [self._rng.choice(newest if self._rng.random() < 0.7 else model.questions) for _ in range(8)]
        since = model.version
        for number, (name, kind) in enumerate(batch):
            packet = DNSRecord.question(name, kind)
            packet.header.id = number
            self._sock.send(packet.pack())
        for _ in batch:
            async with asyncio.timeout(20):
                reply = await loop.sock_recv(self._sock, 4096)
            question = batch[int.from_bytes(reply[:2], "big")]
            answer, behind = told(reply)
            self._compare(question, answer, since)
            if behind is not None and question[1] != "CNAME":
                self._compare((answer[1][0].removesuffix("."), question[1]), behind, since)
            self.asked += 1

    def _compare(self, question: tuple[str, str], answer: Answer, since: int) -> None:
        possible = self._model.possible(question, since)
        assert answer in possible, f"{question} got {answer}, and was {possible}"

    def close(self) -> None:
        self._sock.close()


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Numbers that follow from the seed of the run."""
    return random.Random(int(request.config.getoption("randomly_seed", default=1)))


async def test_no_answer_is_wrong_while_services_change_without_a_pause(
    running: Callable[..., Any], names: NameTable, rng: random.Random, scale: int
) -> None:
    model = Model(names, rng)
    model.change()
    is_over = False

    async def ask_on(client: Client) -> None:
        while not is_over:
            await client.ask()

    async with running() as server:
        clients = [Client(server.addresses[0], model, rng) for _ in range(CLIENTS)]
        try:
            async with asyncio.TaskGroup() as group:
                for client in clients:
                    group.create_task(ask_on(client))
                for _ in range(CHANGES * min(scale, SCALE_LIMIT)):
                    model.change()
                    await asyncio.sleep(0)
                is_over = True
        finally:
            for client in clients:
                client.close()
    assert all(client.asked > 100 for client in clients)


async def test_name_is_gone_with_its_service_at_the_very_next_question(
    running: Callable[..., Any], names: NameTable, rng: random.Random
) -> None:
    model = Model(names, rng)
    async with running() as server:
        with closing(Client(server.addresses[0], model, rng)) as client:
            for _ in range(200):
                model.change()
                await client.ask()  # nothing changes meanwhile, so there is one right answer
            assert len(model.questions) > 100
            assert client.asked == 1600
