"""The recorded traffic of a real cloud, taken through ``process``, the mesh and the directory."""

from collections.abc import Callable
from ipaddress import IPv4Network

import pytest

from edgecore.beehive.message import Message
from edgecore.modules.edgemesh.directory import ServiceDirectory
from edgecore.modules.edgemesh.fakeip import FakeIpPool
from edgecore.modules.edgemesh.mesh import Mesh
from edgecore.modules.edgemesh.msgprocess import Rejected, process
from edgecore.modules.edgemesh.names import Endpoint, Refusal, ServiceKey
from tests.support.upstreams import chosen, fresh_table

NGINX = ServiceKey("default", "nginx-svc")
FIRST = Endpoint("10.66.0.2", 8000)
SECOND = Endpoint("10.66.0.1", 8000)

Read = Callable[[str], list[Message]]


class Replay:
    """A mesh that is fed recordings."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.mesh = Mesh(fresh_table(), FakeIpPool(IPv4Network("127.251.0.0/16"), 128.0))
        self.table = self.mesh.table
        self.directory = ServiceDirectory(self.table, "cluster.local")
        self.rejected: list[str] = []

    def play(self, recording: str) -> list[tuple[Endpoint, ...]]:
        """Feed one recording; return the backends of nginx-svc port 12345 whenever they became others."""
        seen: list[tuple[Endpoint, ...]] = []
        for message in self._read(recording):
            self.feed(message)
            entry = self.table.get(NGINX)
            backends = entry.by_port[12345, "tcp"].backends if entry is not None else ()
            endpoints = tuple(backend.endpoint for backend in backends if backend.endpoint is not None)
            if not seen or seen[-1] != endpoints:
                seen.append(endpoints)
        return seen

    def feed(self, message: Message) -> None:
        for change in process(message):
            if isinstance(change, Rejected):
                self.rejected.append(change.text)
            else:
                self.mesh.apply(change, 0.0)


@pytest.fixture
def replay(recorded_messages: Read) -> Replay:
    return Replay(recorded_messages)


def test_fake_ips_follow_the_order_in_which_the_services_came(replay: Replay) -> None:
    replay.play("b_services_endpoints_pods.jsonl")

    assert [(str(entry.key), entry.address) for entry in replay.table] == [
        ("default/nginx-svc", "127.251.0.1"),
        ("default/noname-svc", "127.251.0.2"),
        ("default/tcp-svc", "127.251.0.3"),
        ("default/headless-svc", "127.251.0.4"),
        ("default/named-svc", "127.251.0.5"),
        ("kube-system/sys-svc", "127.251.0.6"),
        ("default/nopods-svc", "127.251.0.7"),
        ("default/udp-svc", "127.251.0.8"),
        ("default/ext-svc", None),
    ]


def test_the_backends_of_a_service_follow_its_pod_lists(replay: Replay) -> None:
    assert replay.play("b_services_endpoints_pods.jsonl") == [(), (FIRST,), (FIRST, SECOND)]


def test_the_backends_go_with_the_pods_and_the_service(replay: Replay) -> None:
    replay.play("b_services_endpoints_pods.jsonl")

    # The first pod is told to go, and goes, before a pod list says so: by the messages of this node's pods.
    assert replay.play("b2_deletes.jsonl") == [(FIRST, SECOND), (SECOND,), ()]
    assert replay.table.get(NGINX) is None
    assert replay.table.at_address("127.251.0.1") is None


def test_a_pod_list_of_null_has_requests_refused_with_503(replay: Replay) -> None:
    replay.play("b_services_endpoints_pods.jsonl")
    for message in replay._read("b2_deletes.jsonl"):
        replay.feed(message)
        if message.route.resource == "default/podlist/nginx-svc" and message.content is None:
            break

    refusal = chosen(replay.directory, NGINX, 12345)

    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.reason) == (503, "no_pods")
    assert "default/nginx-svc" in refusal.text


def test_requests_go_to_both_pods_in_turn(replay: Replay) -> None:
    replay.play("b_services_endpoints_pods.jsonl")

    assert [chosen(replay.directory, NGINX, 12345) for _ in range(4)] == [FIRST, SECOND, FIRST, SECOND]


def test_every_recorded_port_is_served(replay: Replay) -> None:
    replay.play("b_services_endpoints_pods.jsonl")

    not_served = {entry.key.name: route.not_served for entry in replay.table for route in entry.routes}
    assert not_served == {
        "nginx-svc": "",
        "noname-svc": "",
        "tcp-svc": "",
        "headless-svc": "",
        "named-svc": "",
        "sys-svc": "",
        "nopods-svc": "",
        "udp-svc": "",
    }


def test_each_recorded_port_is_treated_as_its_name_says(replay: Replay) -> None:
    replay.play("b_services_endpoints_pods.jsonl")

    handling = {entry.key.name: route.plan.handling for entry in replay.table for route in entry.routes}
    assert handling == {
        "nginx-svc": "http",
        "noname-svc": "sniff",
        "tcp-svc": "bytes",
        "headless-svc": "http",
        "named-svc": "http",
        "sys-svc": "http",
        "nopods-svc": "http",
        "udp-svc": "datagrams",
    }


def test_pods_without_a_container_port_of_that_name_are_out(replay: Replay) -> None:
    replay.play("b_services_endpoints_pods.jsonl")

    entry = replay.table.get(ServiceKey("default", "named-svc"))
    assert entry is not None
    reasons = [backend.reason for backend in entry.by_port[9003, "tcp"].backends]
    assert reasons == ["no_container_port", "no_container_port"]


def test_a_service_created_after_a_deletion_gets_the_next_unused_address(replay: Replay) -> None:
    replay.play("b3_service_endpoints_delete.jsonl")

    assert len(replay.table) == 0
    assert replay.mesh.pool.allocate(NGINX, 0.0) == "127.251.0.3"  # web-svc had .1, web2-svc .2


def test_no_recorded_message_is_rejected(replay: Replay) -> None:
    for name in ("b_services_endpoints_pods.jsonl", "b2_deletes.jsonl", "b3_service_endpoints_delete.jsonl"):
        replay.play(name)

    assert replay.rejected == []
