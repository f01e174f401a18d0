"""A mesh to be explained: the real tables and names, with places, cloud and name servers that are told what to be."""

from collections.abc import Callable, Iterable
from typing import Any, cast

import pytest

from edgecore import kube
from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.directory import ServiceDirectory
from edgecore.modules.edgemesh.dns.byhand.handquery import HandQuery
from edgecore.modules.edgemesh.dns.resolver.resolved import How
from edgecore.modules.edgemesh.dns.resolver.resolver import Resolver
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.explain.asked import parse
from edgecore.modules.edgemesh.explain.explain import explain
from edgecore.modules.edgemesh.explain.explanation import Explanation, Step
from edgecore.modules.edgemesh.explain.sight import Cloud, Node, Sight
from edgecore.modules.edgemesh.intercept.places import Plane
from edgecore.modules.edgemesh.intercept.rootless import NotBound, Place
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.proxy.figures.figures import read
from edgecore.modules.edgemesh.published import publish
from edgecore.modules.edgemesh.services import ServiceEntry, ServiceTable
from edgecore.modules.edgemesh.upstream.spec import Transport
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from tests.support.upstreams import fresh_table

POOL = "127.251.0.0/16"
PLAIN = "127.0.0.1:40001"
NXDOMAIN, SERVFAIL = 3, 2


class FakePlaces:
    """Serves every place, but those that it is told not to."""

    def __init__(self) -> None:
        self.problems: dict[int, str] = {}
        """By port number."""
        self.planes: dict[int, Plane] = {}

    def set(self, service: ServiceKey, address: str, ports: Iterable[tuple[int, Transport]]) -> None: ...

    def remove(self, service: ServiceKey) -> None: ...

    def problem(self, place: Place) -> str | None:
        return self.problems.get(place.port)

    def plane(self, place: Place) -> Plane:
        return self.planes.get(place.port, "proxy")

    def why_proxy(self, place: Place) -> str:
        return "" if self.plane(place) == "kernel" else "rootless"

    @property
    def not_bound(self) -> tuple[NotBound, ...]:
        return ()

    async def stop(self) -> None: ...


class FakeResolver:
    """Answers every name outside with ``rcode``, by a server at 192.0.2.53; none answers if that is SERVFAIL."""

    def __init__(self) -> None:
        self.rcode = NXDOMAIN

    async def resolve(self, packet: bytes, _query: object, *, is_tcp: bool) -> tuple[bytes, How]:
        how = How("miss", server=("192.0.2.53", 53)) if self.rcode != SERVFAIL else How("failed", reason="no_reply")
        return packet[:2] + bytes((0x81, 0x80 | self.rcode)) + packet[4:], how


class World:
    """See the module. ``explain`` says what the real thing says of it."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.table: ServiceTable = fresh_table(clock)
        self.names = NameTable()
        self.places = FakePlaces()
        self.resolver = FakeResolver()
        self.cloud = Cloud("connected", url="ws://cloud")
        self.origins: dict[str, dict[str, Any]] = {}
        self.settings: dict[str, str] = {"modules.edgeMesh.lbStrategy": "RoundRobin"}
        self.given: frozenset[str] = frozenset()
        self.processes = 1
        self.led: dict[str, Any] | None = None
        """What ``Hijack.told`` says."""
        self.sight: dict[str, Any] = {}
        """Other values of the sight than usual."""
        self._used = 0

    def put(self, service: kube.Service, *pods: kube.Pod, endpoints: kube.Endpoints | None = None) -> ServiceEntry:
        """Have a service with these pods; none at all: nobody has said which it has."""
        key = ServiceKey(*service.key)
        entry = self.table.put(key, service)
        if pods:
            self.table.set_pods(key, pods)
        if endpoints is not None:
            self.table.set_endpoints(key, endpoints)
        if not entry.is_external:
            self._used += 1
            self.table.set_address(key, f"127.251.0.{self._used}").is_stored = True
        self.publish(entry)
        return entry

    def publish(self, entry: ServiceEntry) -> None:
        published = publish(entry)
        assert published is not None
        self.names.set(published)

    def name_pod(self, entry: ServiceEntry, pod: kube.Pod) -> None:
        """Have a pod of a service have a name of its own."""
        self.table.name_pods(entry, {pod.spec.hostname: (pod,)})
        self._used += 1
        self.table.set_address(entry.key.pod(pod.spec.hostname), f"127.251.0.{self._used}").is_stored = True
        self.publish(entry)

    def said(self, row: str, age_s: float = 1.0, **values: Any) -> None:
        """Have a message of the cloud behind a row of ``meta``."""
        told = {"source": "edgecontroller", "operation": "insert", "resource": row, "at_ms": 1000}
        self.origins[row] = {"row": row, "message_id": f"id of {row}", "age_s": age_s, **told, **values}

    def upstream(self, name: str, port: int) -> Upstream:
        found = self.table.upstreams.get((ServiceKey("default", name), port, "tcp"))
        assert found is not None
        return found

    async def explain(self, what: str, namespace: str = "", host: str = "") -> Explanation:
        asked = parse(what, namespace)
        query = HandQuery(self.names, cast("Resolver", self.resolver), lambda: self.led)
        told = None if asked.is_address else await query.ask(asked.host)
        return explain(asked, told, self._sight(), self._node(), host=host)

    def _sight(self) -> Sight:
        figures = {upstream.spec.key: read(upstream) for upstream in self.table.upstreams}
        sight = Sight(self.table, figures, self.places, self.clock.monotonic(), pool=POOL, plain=PLAIN)
        return sight._replace(**self.sight)

    def _node(self) -> Node:
        directory = ServiceDirectory(self.table, "cluster.local")
        given, processes = self.given, self.processes
        dns = ("127.0.0.1:10053",)
        return Node(directory, self.origins.get, self.cloud, self.settings, given=given, processes=processes, dns=dns)


@pytest.fixture
def world(vclock: VirtualClock) -> World:
    return World(vclock)


@pytest.fixture
def web(world: World, make_service: Callable[..., kube.Service], make_pod: Callable[..., kube.Pod]) -> ServiceEntry:
    """The service ``web`` with two pods that run."""
    service = make_service(ServiceKey("default", "web"), ("http", 80, 8000))
    pods = [make_pod(name, host, (8000, 31000)) for name, host in (("web-a", "10.0.0.1"), ("web-b", "10.0.0.2"))]
    return world.put(service, *pods)


def step(explanation: Explanation, word: str, number: int = 0) -> Step:
    """Return a step; of several that have the word, this one."""
    return [one for one in explanation.steps if one.step == word][number]


@pytest.fixture(name="step")
def _step() -> Callable[..., Step]:
    return step
