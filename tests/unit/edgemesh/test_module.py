import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import IPv4Network
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Route
from edgecore.beehive.port import Port
from edgecore.clock import VirtualClock, settle
from edgecore.errors import InterceptError, ListenError, PoolExhausted, ReplyTimeout, StoreError
from edgecore.ids import seeded_ids
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable, Standing
from edgecore.modules.edgemesh.footing import Footing, Wanted
from edgecore.modules.edgemesh.intercept.rootless import RootlessListeners
from edgecore.modules.edgemesh.module import RECOVERY_RETRY_S, EdgeMesh
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.published import Published, PublishedPod, PublishedPort
from edgecore.observe.metrics import Metrics
from tests.support.upstreams import fresh_table, port_spec

WEB = ServiceKey("default", "web")
API = ServiceKey("prod", "api")
SUBNET = IPv4Network("127.251.0.0/16")


def service_json(key: ServiceKey, *ports: tuple[str, int]) -> dict[str, Any]:
    return {
        "metadata": {"namespace": key.namespace, "name": key.name},
        "spec": {
            "ports": [{"name": name, "port": port, "targetPort": 80} for name, port in ports],
            "selector": {"app": key.name},
        },
    }


class FakeDns:
    """A DNS server that only says whether it runs."""

    def __init__(self) -> None:
        self.running = False

    async def start(self) -> None:
        self.running = True

    async def stop(self) -> None:
        self.running = False

    def status(self) -> dict[str, Any]:
        return {"listening": ["127.0.0.1:10053"] if self.running else []}


class FakeProxy:
    """A proxy whose listeners are those of the test."""

    def __init__(self, listen: Any) -> None:
        self.listen = listen
        self.stopped = False

    async def stop(self) -> None:
        self.stopped = True

    def status(self) -> dict[str, Any]:
        return {"requests": {}, "errors": {"unknown_service": 1}}

    def figures(self) -> dict[Any, Any]:
        return {}


class FakeLock:
    """Locks of one machine; ``taken`` are held by another node."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self.held: list[str] = []

    def __call__(self, subnet: IPv4Network) -> Any:
        if str(subnet) in self.taken:
            return None
        self.held.append(str(subnet))
        return self

    def close(self) -> None:
        self.held.pop()


class Rig:
    """An EdgeMesh on a bus of its own, with doubles behind it. Keyword arguments replace those of its constructor."""

    def __init__(
        self,
        meta: Any,
        store: Any,
        listen: Any,
        *,
        wanted: Wanted | None = None,
        intercepting: Any = None,
        privileged: bool = True,
        **settings: Any,
    ) -> None:
        self.clock = VirtualClock()
        self.bus = Bus(self.clock, seeded_ids(1))
        self.cloud: Port = self.bus.register("cloud", "hub")
        self.meta, self.store, self.listen = meta, store, listen
        self.table = fresh_table()
        self.names = NameTable()
        self.dns = FakeDns()
        self.proxy = FakeProxy(listen)
        self.lock = FakeLock()
        self.metrics = Metrics()
        self.task: asyncio.Task[None] | None = None
        defaults: dict[str, Any] = {
            "ttl_s": 64,
            "plain_address": "127.0.0.1",
            "plain_port": 40001,
        }
        footing = Footing(
            wanted or Wanted(rootless_subnet=SUBNET),
            lambda: RootlessListeners(self.proxy.listen, self.clock, 5.0),
            intercepting,
            try_lock=self.lock,
            may_intercept=lambda: privileged,
        )
        self.mesh = EdgeMesh(
            port=self.bus.register("edgemesh", "mesh"),
            meta=meta,
            store=store,
            clock=self.clock,
            metrics=self.metrics,
            table=self.table,
            names=self.names,
            dns=self.dns,
            proxy=self.proxy,
            footing=footing,
            **(defaults | settings),
        )

    async def run(self) -> None:
        await self.mesh.start()
        self.task = asyncio.create_task(self.mesh.run())
        await settle()

    async def send(self, operation: str, resource: str, content: Any = None) -> None:
        await self.cloud.post("edgemesh", Route("edgecontroller", "resource", operation, resource), content)
        await settle()

    async def put(self, key: ServiceKey, *ports: tuple[str, int]) -> None:
        await self.send("insert", f"{key.namespace}/service/{key.name}", service_json(key, *ports))

    def address(self, key: ServiceKey) -> str | None:
        """Return the address that DNS gives for the service."""
        found = self.names.find((key.name.encode(), key.namespace.encode())).service
        return found.address if found is not None else None

    @property
    def fake_ip_ports(self) -> list[tuple[str, int]]:
        """What is listened at, but for the plain listener."""
        return [(address, port) for address, port in self.listen.listening if address != "127.0.0.1"]

    async def close(self) -> None:
        await self.mesh.stop()
        self.bus.close()
        if self.task is not None:
            await asyncio.gather(self.task, return_exceptions=True)


MakeRig = Callable[..., Awaitable[Rig]]


@pytest.fixture
async def make_rig(meta: Any, store: Any, listen: Any) -> AsyncIterator[Callable[..., Awaitable[Rig]]]:
    rigs: list[Rig] = []

    async def make(**settings: Any) -> Rig:
        rigs.append(Rig(meta, store, listen, **settings))
        return rigs[-1]

    yield make
    for rig in rigs:
        await rig.close()


@pytest.fixture
async def rig(make_rig: MakeRig) -> Rig:
    rig = await make_rig()
    await rig.run()
    return rig


async def test_a_new_service_can_be_asked_for_and_is_listened_for(rig: Rig) -> None:
    content = service_json(WEB, ("http", 12345), ("", 12346))
    content["spec"]["ports"].append({"name": "s", "port": 12347, "protocol": "SCTP"})
    await rig.send("insert", "default/service/web", content)

    assert rig.address(WEB) == "127.251.0.1"
    assert rig.fake_ip_ports == [("127.251.0.1", 12345), ("127.251.0.1", 12346)]


async def test_the_addresses_of_the_pool_have_names(rig: Rig) -> None:
    await rig.put(WEB, ("http", 12345))

    zone = (b"0", b"251", b"127", b"in-addr", b"arpa")
    assert rig.names.find((b"1", *zone)).target[:2] == (b"web", b"default")
    assert rig.names.find((b"9", *zone)).standing is Standing.MISSING


async def test_a_service_is_made_known_only_after_its_address_is_stored(rig: Rig) -> None:
    rig.store.open.clear()
    await rig.put(WEB, ("http", 12345))
    assert (rig.address(WEB), rig.fake_ip_ports) == (None, [])

    rig.store.open.set()
    await settle()

    assert (rig.address(WEB), rig.fake_ip_ports) == ("127.251.0.1", [("127.251.0.1", 12345)])


async def test_a_service_deleted_before_its_address_was_stored_is_never_made_known(rig: Rig) -> None:
    rig.store.open.clear()
    await rig.put(WEB, ("http", 12345))
    await rig.send("delete", "default/service/web")
    rig.store.open.set()
    await settle()

    assert rig.address(WEB) is None
    assert rig.listen.tried == [("127.0.0.1", 40001)]


async def test_ports_that_changed_before_the_address_was_stored_are_the_ones_listened_at(rig: Rig) -> None:
    rig.store.open.clear()
    await rig.put(WEB, ("http", 12345))
    await rig.put(WEB, ("http", 23456))
    assert rig.fake_ip_ports == []
    rig.store.open.set()
    await settle()

    assert rig.fake_ip_ports == [("127.251.0.1", 23456)]


async def test_a_service_that_comes_back_is_not_listened_for_before_its_new_address_is_stored(rig: Rig) -> None:
    await rig.put(WEB, ("http", 12345))
    await rig.send("delete", "default/service/web")
    rig.store.open.clear()

    await rig.put(WEB, ("http", 12345))
    await rig.put(WEB, ("http", 23456))
    assert rig.fake_ip_ports == []
    rig.store.open.set()
    await settle()

    assert rig.fake_ip_ports == [("127.251.0.2", 23456)]


async def test_a_service_that_comes_back_with_its_old_address_is_made_known_after_its_last_commit(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgecore.modules.edgemesh.fakeip._LAST", 1)  # no other address is free
    commits_before: list[list[str]] = []
    monkeypatch.setattr(
        rig.names,
        "set",
        lambda service: commits_before.append([row[0] for row in rig.store.committed]) is None,
    )
    rig.store.committed.clear()
    rig.store.open.clear()
    await rig.put(WEB, ("http", 12345))
    await rig.send("delete", "default/service/web")
    await rig.put(WEB, ("http", 12345))
    rig.store.open.set()
    await settle()

    assert commits_before == [["INSERT", "UPDATE", "INSERT"]]


async def test_a_deleted_service_loses_its_name_and_listeners_before_the_commit(rig: Rig) -> None:
    await rig.put(WEB, ("http", 12345))
    rig.store.open.clear()

    await rig.send("delete", "default/service/web")

    assert (rig.address(WEB), rig.fake_ip_ports) == (None, [])
    rig.store.open.set()
    await settle()
    assert rig.store.committed[-1][0] == "UPDATE"
    assert rig.meta.listener_rows == {}


async def test_changed_ports_of_a_known_service_are_listened_at_at_once(rig: Rig) -> None:
    await rig.put(WEB, ("http", 12345))

    await rig.put(WEB, ("http", 12346))

    assert rig.fake_ip_ports == [("127.251.0.1", 12346)]


async def test_services_are_stored_side_by_side(rig: Rig) -> None:
    rig.store.open.clear()
    for number in range(30):
        await rig.cloud.post(
            "edgemesh",
            Route("edgecontroller", "resource", "insert", f"bulk/service/s{number}"),
            service_json(ServiceKey("bulk", f"s{number}")),
        )
    await settle()

    assert rig.mesh.status()["writes_unfinished"] == 30


@pytest.mark.parametrize(
    ("resource", "content", "reason"),
    [
        ("x", {}, "bad_resource"),
        ("default/gadget/web", {}, "unknown_resource"),
        ("default/service/web", {"spec": {"ports": 3}}, "bad_content"),
        ("default/podlist/web", {"spec": 3}, "bad_content"),
    ],
)
async def test_bad_input_is_counted_and_the_next_message_is_handled(
    rig: Rig, resource: str, content: Any, reason: str
) -> None:
    with capture_logs() as logs:
        await rig.send("insert", resource, content)
    await rig.put(API, ("http", 80))

    assert rig.metrics.bad_input_counts == {("edgemesh", reason): 1}
    (line,) = [line for line in logs if line["event"] == "bad_input"]
    assert (line["peer"], line["resource"]) == ("cloud", resource)
    assert rig.address(API) == "127.251.0.1"


@pytest.mark.parametrize("ports", [[], None])
async def test_a_service_without_ports_is_counted_once_and_resolves(rig: Rig, ports: Any) -> None:
    content = service_json(WEB) | {"spec": {"ports": ports}}
    with capture_logs() as logs:
        for operation in ("insert", "update"):
            await rig.send(operation, "default/service/web", content)

    assert rig.metrics.bad_input_counts == {("edgemesh", "service_without_ports"): 1}
    assert [line["resource"] for line in logs if line["event"] == "bad_input"] == ["default/service/web"]
    assert rig.address(WEB) == "127.251.0.1"
    assert rig.fake_ip_ports == []


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        ({"status": None}, "pod_without_status"),
        ({"status": {"phase": "Running"}}, "pod_without_host_ip"),
        (
            {
                "spec": {"containers": [{"ports": [{"containerPort": 80}]}]},
                "status": {"phase": "Running", "hostIP": "10.0.0.1"},
            },
            "pod_without_host_port",
        ),
    ],
)
async def test_a_pod_that_cannot_be_reached_is_counted_once_and_named(rig: Rig, pod: Any, reason: str) -> None:
    await rig.put(WEB, ("http", 80))
    with capture_logs() as logs:
        for _ in range(2):
            await rig.send("update", "default/podlist/web", [pod | {"metadata": {"name": "web-0"}}])

    assert rig.metrics.bad_input_counts == {("edgemesh", reason): 1}
    (line,) = [line for line in logs if line["event"] == "bad_input"]
    assert line["peer"] == "cloud"
    assert "default/web" in line["text"]
    assert "web-0" in line["text"]


async def test_an_error_that_nobody_expects_leaves_the_next_message_handled(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.put(WEB, ("http", 12345))
    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(rig.names, "remove", lambda service: 1 / 0)
        await rig.send("delete", "default/service/web")
    await rig.put(API)

    assert [line["event"] for line in logs] == ["change_not_applied"]
    assert rig.address(API) is not None


async def test_a_name_that_dns_has_no_room_for_is_logged(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig.names, "set", lambda service: False)
    with capture_logs() as logs:
        await rig.put(WEB, ("http", 12345))

    assert "name_not_served" in [line["event"] for line in logs]
    assert rig.fake_ip_ports == [("127.251.0.1", 12345)]


# Types, and pods with names.


def pod_json(hostname: str, subdomain: str, host_ip: str = "10.0.0.1", phase: str = "Running") -> dict[str, Any]:
    return {
        "metadata": {"name": hostname, "namespace": "default"},
        "spec": {
            "hostname": hostname,
            "subdomain": subdomain,
            "containers": [{"ports": [{"containerPort": 80, "hostPort": 8000}]}],
        },
        "status": {"phase": phase, "hostIP": host_ip},
    }


@pytest.fixture
def told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What DNS is told, and between that what is committed."""
    told: list[tuple[str, Any]] = []
    commit = rig.store.write

    async def write(*statements: Any) -> None:
        await commit(*statements)
        told.extend(("committed", statement.params[0]) for statement in statements)

    monkeypatch.setattr(rig.store, "write", write)
    monkeypatch.setattr(rig.names, "set", lambda service: told.append(("set", service)) is None)
    monkeypatch.setattr(rig.names, "remove", lambda service: told.append(("remove", service)))
    return told


async def test_dns_is_told_of_a_pod_with_a_name_after_its_address_is_stored(
    rig: Rig, told: list[tuple[str, Any]]
) -> None:
    await rig.put(WEB, ("http", 80))
    told.clear()

    await rig.send("update", "default/podlist/web", [pod_json("web-0", "web")])

    published = Published(WEB, "127.251.0.1", (PublishedPort("http", "TCP", 80),))
    pod = PublishedPod("web-0", "127.251.0.2")
    assert told == [
        ("set", published),  # it has a backend
        ("committed", "127.251.0.2"),
        ("set", published._replace(pods=(pod,))),
    ]
    assert rig.fake_ip_ports == [("127.251.0.1", 80), ("127.251.0.2", 80)]
    assert rig.meta.listener_rows == {WEB: "127.251.0.1"}


async def test_a_pod_that_is_gone_loses_name_and_listener_and_then_its_address(
    rig: Rig, told: list[tuple[str, Any]]
) -> None:
    await rig.put(WEB, ("http", 80))
    await rig.send("update", "default/podlist/web", [pod_json("web-0", "web")])
    told.clear()

    await rig.send("update", "default/podlist/web", None)

    assert [what for what, _ in told] == ["set", "committed"]
    assert told[0][1].pods == ()
    assert rig.store.committed[-1][0] == "UPDATE"
    assert rig.fake_ip_ports == [("127.251.0.1", 80)]


async def test_dns_is_told_what_is_new_and_nothing_twice(rig: Rig, told: list[tuple[str, Any]]) -> None:
    await rig.put(WEB, ("http", 80))
    for _ in range(2):
        await rig.put(WEB, ("http", 80))
        await rig.send("update", "default/podlist/web", [pod_json("web", "")])
        await rig.send("update", "default/endpoints/web", {"metadata": {"namespace": "default", "name": "web"}})
    await rig.send("update", "default/podlist/web", [pod_json("web", "", phase="Pending")])

    assert [one.is_ready for what, one in told if what == "set"] == [False, True, False]


async def test_an_external_name_takes_no_address_no_row_and_no_listener(rig: Rig, told: list[tuple[str, Any]]) -> None:
    content = service_json(WEB, ("http", 80))
    content["spec"] |= {"type": "ExternalName", "externalName": "example.com"}
    rig.store.committed.clear()

    await rig.send("insert", "default/service/web", content)

    assert told == [("set", Published(WEB, None, external_name="example.com"))]
    assert (rig.fake_ip_ports, rig.store.committed, rig.meta.listener_rows) == ([], [], {})


async def test_a_service_changes_its_type_and_back(rig: Rig) -> None:
    external = service_json(WEB)
    external["spec"] |= {"type": "ExternalName", "externalName": "example.com"}
    await rig.put(WEB, ("http", 80))

    await rig.send("update", "default/service/web", external)
    assert (rig.address(WEB), rig.fake_ip_ports, rig.meta.listener_rows) == (None, [], {})

    await rig.put(WEB, ("http", 80))
    assert (rig.address(WEB), rig.fake_ip_ports) == ("127.251.0.2", [("127.251.0.2", 80)])
    assert rig.meta.listener_rows == {WEB: "127.251.0.2"}


@pytest.mark.parametrize(
    ("service", "pods", "reason"),
    [
        ({"type": "ExternalName", "externalName": "no name"}, [], "external_name_unusable"),
        ({"clusterIP": "None", "selector": {"app": "web"}}, [pod_json("Web.0", "web")], "pod_without_name"),
    ],
)
async def test_a_name_that_cannot_be_is_counted_once(rig: Rig, service: Any, pods: Any, reason: str) -> None:
    for _ in range(2):
        await rig.send("insert", "default/service/web", service_json(WEB) | {"spec": service})
        await rig.send("update", "default/podlist/web", pods)

    assert rig.metrics.bad_input_counts == {("edgemesh", reason): 1}


async def test_a_dns_server_that_fails_leaves_the_listeners_and_the_storage_to_follow(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.put(WEB, ("http", 80))
    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(rig.names, "remove", lambda service: 1 / 0)
        await rig.send("delete", "default/service/web")

    assert [line["event"] for line in logs] == ["change_not_applied"]
    assert rig.fake_ip_ports == []
    assert rig.store.committed[-1][0] == "UPDATE"


async def test_a_pod_with_a_name_is_reached_as_before_after_a_restart(make_rig: MakeRig, meta: Any, store: Any) -> None:
    meta.stored_services = [json.dumps(service_json(WEB, ("http", 80))).encode()]
    meta.pod_lists = {WEB: json.dumps([pod_json("web-0", "web")]).encode()}
    store.answers = {
        "edgemesh_address": [
            ("127.251.0.9", "default", "web", None),
            ("127.251.0.10", "default", "web-0.web", None),
            ("127.251.0.11", "default", "web-1.web", None),
        ],
        "edgemesh_pool": [("127.251.0.0/16",)],
    }
    rig = await make_rig()

    await rig.run()

    (service,) = rig.mesh.view().states()
    assert [(pod["hostname"], pod["fake_ip"]) for pod in service["named_pods"]] == [("web-0", "127.251.0.10")]
    assert [(row[0], *row[2:]) for row in store.committed] == [("UPDATE", "127.251.0.11", "default", "web-1.web")]
    assert rig.fake_ip_ports == [("127.251.0.9", 80), ("127.251.0.10", 80)]

    # The pod that was away takes what it had.
    await rig.send("update", "default/podlist/web", [pod_json("web-0", "web"), pod_json("web-1", "web")])
    assert ("127.251.0.11", 80) in rig.fake_ip_ports


async def test_what_metamanager_has_is_known_after_the_start(make_rig: MakeRig, meta: Any) -> None:
    meta.stored_services = [json.dumps(service_json(WEB, ("http", 80))).encode()]
    meta.pod_lists = {WEB: b"null"}
    rig = await make_rig()

    await rig.run()

    assert rig.address(WEB) == "127.251.0.1"
    assert rig.fake_ip_ports == [("127.251.0.1", 80)]
    assert rig.mesh.status()["recovered"] is True


async def test_a_stored_address_is_given_back_and_not_stored_again(make_rig: MakeRig, meta: Any, store: Any) -> None:
    meta.stored_services = [json.dumps(service_json(WEB)).encode()]
    store.answers = {
        "edgemesh_address": [("127.251.0.9", "default", "web", None)],
        "edgemesh_pool": [("127.251.0.0/16",)],
    }
    rig = await make_rig()

    await rig.run()

    assert rig.address(WEB) == "127.251.0.9"
    assert store.committed == []


async def test_an_address_of_another_pool_is_logged_and_replaced(make_rig: MakeRig, meta: Any, store: Any) -> None:
    meta.stored_services = [json.dumps(service_json(WEB)).encode()]
    meta.listener_rows = {WEB: "9.251.0.2"}
    store.answers = {"edgemesh_address": [("127.250.0.9", "default", "web", None)]}
    rig = await make_rig()

    with capture_logs() as logs:
        await rig.run()

    assert rig.address(WEB) == "127.251.0.1"
    assert meta.listener_rows == {WEB: "9.251.0.2"}
    assert "address_not_kept" in [line["event"] for line in logs]
    assert ("INSERT", "127.251.0.1", "default", "web") in store.committed


async def test_messages_that_come_during_the_recovery_are_handled_after_it(make_rig: MakeRig, meta: Any) -> None:
    meta.stored_services = [json.dumps(service_json(WEB, ("http", 80))).encode()]
    meta.failures = [ReplyTimeout("timeout to get response")]
    rig = await make_rig()
    await rig.run()

    await rig.put(WEB, ("http", 81))
    await rig.put(API)
    assert len(rig.table) == 0
    await rig.clock.advance(RECOVERY_RETRY_S)

    assert rig.fake_ip_ports == [("127.251.0.1", 81)]
    assert rig.address(API) == "127.251.0.2"


async def test_metamanager_that_does_not_answer_is_asked_again_and_logged(make_rig: MakeRig, meta: Any) -> None:
    meta.failures = [ReplyTimeout("timeout to get response"), ZeroDivisionError()]
    rig = await make_rig()
    with capture_logs() as logs:
        await rig.run()
        await rig.clock.advance(2 * RECOVERY_RETRY_S)

    assert [line["log_level"] for line in logs if line["event"] == "not_recovered"] == ["warning", "error"]
    assert rig.mesh.status()["recovered"] is True


async def test_the_mailbox_is_emptied_while_metamanager_does_not_answer(
    make_rig: MakeRig, meta: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgecore.modules.edgemesh.module.BACKLOG", 2)
    meta.open.clear()
    rig = await make_rig()
    await rig.run()

    for number in range(7):
        await rig.put(ServiceKey("bulk", f"s{number}"))

    assert rig.bus.statistics()["edgemesh"].depth == 0
    assert (rig.mesh.status()["backlog"], rig.mesh.status()["backlog_dropped"]) == (1, 6)


async def test_messages_of_one_resource_are_one_in_the_backlog_and_the_last_holds(
    make_rig: MakeRig, meta: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgecore.modules.edgemesh.module.BACKLOG", 2)
    meta.stored_services = [json.dumps(service_json(API)).encode()]
    meta.open.clear()
    rig = await make_rig()
    await rig.run()

    for port in range(80, 90):
        await rig.put(WEB, ("http", port))
        await rig.put(API)
        await rig.send("delete", "prod/service/api")
    meta.open.set()
    await settle()

    assert [(entry.key, entry.served_ports) for entry in rig.table] == [(WEB, ((89, "tcp"),))]
    assert rig.mesh.status()["backlog_dropped"] == 0


async def test_the_elements_of_a_list_are_applied_after_the_recovery(make_rig: MakeRig, meta: Any) -> None:
    meta.open.clear()
    rig = await make_rig()
    await rig.run()

    await rig.send("insert", "namespace/servicelist/service", [service_json(WEB, ("http", 1)), service_json(API)])
    await rig.send("insert", "namespace/servicelist/service", [service_json(WEB, ("http", 2))])
    meta.open.set()
    await settle()

    assert {entry.key: entry.served_ports for entry in rig.table} == {WEB: ((2, "tcp"),), API: ()}


async def test_an_overflow_is_logged_and_metamanager_asked_for_everything_once_more(
    make_rig: MakeRig, meta: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgecore.modules.edgemesh.module.BACKLOG", 2)
    keys = [ServiceKey("bulk", f"s{number}") for number in range(4)]
    meta.open.clear()
    rig = await make_rig()
    await rig.run()
    with capture_logs() as logs:
        for key in keys:
            meta.stored_services.append(json.dumps(service_json(key)).encode())  # as MetaManager: before it is sent
            await rig.put(key)
        meta.open.set()
        await settle()

    assert [line["changes"] for line in logs if line["event"] == "backlog_dropped"] == [3]
    assert meta.calls.count(("services",)) == 2
    assert [rig.address(key) for key in keys] == [f"127.251.0.{number}" for number in range(1, 5)]
    assert b"edgecore_edgemesh_backlog_dropped_total 3.0" in rig.metrics.render()


async def test_bad_input_during_the_recovery_is_counted_and_replaces_nothing(make_rig: MakeRig, meta: Any) -> None:
    meta.open.clear()
    rig = await make_rig()
    await rig.run()

    await rig.put(WEB, ("http", 80))
    await rig.send("update", "default/service/web", {"spec": {"ports": 3}})
    assert rig.metrics.bad_input_counts == {("edgemesh", "bad_content"): 1}
    meta.open.set()
    await settle()

    assert rig.fake_ip_ports == [("127.251.0.1", 80)]


async def test_until_the_recovery_has_ended_names_and_table_are_not_complete(make_rig: MakeRig, meta: Any) -> None:
    meta.stored_services = [json.dumps(service_json(WEB)).encode()]
    meta.open.clear()
    rig = await make_rig()
    await rig.run()
    assert (rig.names.complete, rig.table.complete) == (False, False)

    meta.open.set()
    await settle()

    assert (rig.names.complete, rig.table.complete) == (True, True)


async def test_a_stop_during_the_recovery_leaves_nothing_entered_and_logs_no_failure(
    make_rig: MakeRig, meta: Any
) -> None:
    meta.stored_services = [json.dumps(service_json(WEB)).encode()]
    meta.open.clear()
    rig = await make_rig()
    await rig.run()
    with capture_logs() as logs:
        await rig.mesh.stop()
        meta.open.set()
        await settle()

    assert (len(rig.table), rig.mesh.status()["recovered"], rig.store.committed[1:]) == (0, False, [])
    assert [line["event"] for line in logs] == []


async def test_useless_rows_are_forgotten_before_their_address_has_a_new_owner(
    make_rig: MakeRig, meta: Any, store: Any
) -> None:
    meta.stored_services = [json.dumps(service_json(WEB)).encode()]
    store.answers = {"edgemesh_address": [("127.251.0.1", "default", "old", -1_000_000)]}
    rig = await make_rig()

    await rig.run()

    assert store.committed[1:] == [("DELETE", "127.251.0.1"), ("INSERT", "127.251.0.1", "default", "web")]


async def test_rows_that_cannot_be_forgotten_are_logged_and_the_recovery_holds(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await make_rig()
    await rig.mesh.start()
    rig.store.failures = [StoreError("cannot write: disk full")]
    with capture_logs() as logs:
        rig.task = asyncio.create_task(rig.mesh.run())
        await settle()

    assert "addresses_not_tidied" in [line["event"] for line in logs]
    assert rig.mesh.status()["recovered"] is True


async def test_a_run_that_is_started_again_does_not_recover_again(rig: Rig) -> None:
    await rig.put(WEB, ("http", 80))
    assert rig.task is not None
    rig.task.cancel()
    await asyncio.gather(rig.task, return_exceptions=True)
    asked = len(rig.meta.calls)

    rig.task = asyncio.create_task(rig.mesh.run())
    await rig.put(API)

    assert rig.address(API) == "127.251.0.2"
    assert ("services",) not in rig.meta.calls[asked:]


async def test_the_pool_that_was_used_last_is_used_again(make_rig: MakeRig, store: Any) -> None:
    store.answers = {"edgemesh_pool": [("127.249.0.0/16",)]}
    rig = await make_rig()

    await rig.run()

    assert rig.mesh.status()["pool"] == "127.249.0.0/16"
    assert store.committed == []


async def test_a_pool_that_another_node_holds_is_left_to_it_and_the_choice_is_stored(make_rig: MakeRig) -> None:
    rig = await make_rig()
    rig.lock.taken = {"127.251.0.0/16"}

    await rig.run()
    await rig.put(WEB)

    assert rig.address(WEB) == "127.250.0.1"
    assert rig.store.committed[0] == ("INSERT", "127.250.0.0/16")


async def test_without_a_free_pool_the_start_fails_and_says_so(make_rig: MakeRig) -> None:
    rig = await make_rig()
    rig.lock.taken = {f"127.{number}.0.0/16" for number in range(256)}

    with pytest.raises(PoolExhausted, match="other nodes of this machine hold"):
        await rig.mesh.start()


async def test_a_start_that_fails_leaves_nothing_open(make_rig: MakeRig, listen: Any) -> None:
    listen.refuse("127.0.0.1", 40001, "no_permission")
    rig = await make_rig()

    with pytest.raises(ListenError):
        await rig.mesh.start()

    assert (rig.lock.held, rig.dns.running, rig.proxy.stopped) == ([], False, True)


class FakeInterception:
    """What would make rules; ``problem``: it fails."""

    def __init__(self, places: Any, problem: Exception | None = None) -> None:
        self.places = places
        self.problem = problem
        self.calls: list[str] = []

    async def start(self) -> None:
        self.calls.append("start")
        if self.problem is not None:
            raise self.problem

    async def stop(self) -> None:
        self.calls.append("stop")

    def status(self) -> dict[str, Any]:
        return {"state": "active"}

    def families(self) -> Any:
        return ()


@pytest.fixture
async def places(listen: Any) -> AsyncIterator[RootlessListeners]:
    places = RootlessListeners(listen, VirtualClock(), 5.0)
    yield places
    await places.stop()


INTERCEPT = Wanted(mode="intercept")
AUTO = Wanted(interface_named=True, rootless_subnet=SUBNET)


async def test_mode_intercept_has_the_fake_ips_of_its_subnet_and_its_own_places(
    make_rig: MakeRig, places: RootlessListeners
) -> None:
    interception = FakeInterception(places)
    rig = await make_rig(wanted=INTERCEPT, intercepting=interception)
    await rig.run()
    await rig.put(WEB, ("http", 80))

    status = rig.mesh.status()
    assert (status["mode"], status["pool"], status["intercept"]) == ("intercept", "9.251.0.0/16", {"state": "active"})
    assert (rig.address(WEB), rig.fake_ip_ports) == ("9.251.0.1", [("9.251.0.1", 80)])

    await rig.mesh.stop()
    assert interception.calls == ["start", "stop"]
    assert rig.fake_ip_ports == []


async def test_mode_intercept_that_cannot_be_fails_the_start_and_holds_no_pool(
    make_rig: MakeRig, places: RootlessListeners
) -> None:
    interception = FakeInterception(places, InterceptError("no_interface", "there is no interface docker0"))
    rig = await make_rig(wanted=INTERCEPT, intercepting=interception)
    with pytest.raises(InterceptError, match="docker0"):
        await rig.run()

    assert rig.mesh.status()["pool"] is None
    assert not rig.lock.held


async def test_mode_intercept_without_the_capability_fails_the_start_and_says_what_to_do(
    make_rig: MakeRig, places: RootlessListeners
) -> None:
    rig = await make_rig(wanted=INTERCEPT, intercepting=FakeInterception(places), privileged=False)
    with pytest.raises(InterceptError, match=r"CAP_NET_ADMIN.*modules\.edgeMesh\.mode"):
        await rig.run()


@pytest.mark.parametrize("wanted", [Wanted(rootless_subnet=SUBNET), Wanted(mode="rootless", interface_named=True)])
async def test_mode_auto_without_a_named_interface_is_rootless(
    make_rig: MakeRig, places: RootlessListeners, wanted: Wanted
) -> None:
    interception = FakeInterception(places)
    rig = await make_rig(wanted=wanted, intercepting=interception)
    with capture_logs() as logs:
        await rig.run()

    assert (rig.mesh.status()["mode"], interception.calls) == ("rootless", [])
    assert not [line for line in logs if line["event"] == "not_intercepting"]


async def test_mode_auto_with_a_named_interface_and_the_capability_intercepts(
    make_rig: MakeRig, places: RootlessListeners
) -> None:
    rig = await make_rig(wanted=AUTO, intercepting=FakeInterception(places))
    await rig.run()

    assert rig.mesh.status()["mode"] == "intercept"


@pytest.mark.parametrize(
    ("privileged", "problem", "why"),
    [
        (False, None, "CAP_NET_ADMIN"),
        (True, InterceptError("refused", "the kernel says no"), "the kernel says no"),
        (True, ListenError("169.254.96.16:40001", "in_use", "address already in use"), "already in use"),
    ],
)
async def test_mode_auto_that_cannot_intercept_is_rootless_and_says_why(
    make_rig: MakeRig, places: RootlessListeners, privileged: bool, problem: Exception | None, why: str
) -> None:
    interception = FakeInterception(places, problem)
    rig = await make_rig(wanted=AUTO, intercepting=interception, privileged=privileged)
    with capture_logs() as logs:
        await rig.run()

    status = rig.mesh.status()
    assert (status["mode"], status["pool"]) == ("rootless", str(SUBNET))
    assert why in status["why_rootless"]
    [line] = [line for line in logs if line["event"] == "not_intercepting"]
    assert why in line["reason"]


async def test_addresses_of_mode_rootless_are_replaced_in_mode_intercept(
    make_rig: MakeRig, places: RootlessListeners, meta: Any, store: Any
) -> None:
    meta.stored_services = [json.dumps(service_json(WEB)).encode()]
    store.answers = {
        "edgemesh_address": [("127.251.0.9", "default", "web", None)],
        "edgemesh_pool": [("127.251.0.0/16",)],
    }
    rig = await make_rig(wanted=INTERCEPT, intercepting=FakeInterception(places))
    await rig.run()

    assert rig.address(WEB) == "9.251.0.1"
    assert ("INSERT", "9.251.0.1", "default", "web") in store.committed


async def test_the_status_says_what_is_listened_at_and_the_view_lists_services(rig: Rig) -> None:
    rig.listen.refuse("127.251.0.1", 80, "no_permission")
    await rig.put(WEB, ("http", 80))

    status = rig.mesh.status()

    assert status["plain_listener"] == "127.0.0.1:40001"
    assert status["dns"] == {"listening": ["127.0.0.1:10053"]}
    assert status["proxy"] == {"requests": {}, "errors": {"unknown_service": 1}}
    assert [service["name"] for service in rig.mesh.view().states()] == ["web"]
    assert [failure["port"] for failure in status["ports_not_bound"]] == [80]
    json.dumps(status)


async def test_the_status_before_the_start_is_that_of_an_empty_mesh(make_rig: MakeRig) -> None:
    mesh = (await make_rig()).mesh
    status = mesh.status()

    assert (status["pool"], status["plain_listener"], list(mesh.view().states())) == (None, None, [])
    json.dumps(status)


async def test_prometheus_gets_the_figures_while_the_mesh_runs(rig: Rig) -> None:
    await rig.put(WEB, ("http", 80))
    assert b"edgecore_edgemesh_services 1.0" in rig.metrics.render()

    await rig.mesh.stop()

    assert b"edgecore_edgemesh_services" not in rig.metrics.render()


async def test_an_exhausted_pool_is_logged_and_the_service_known_without_address(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgecore.modules.edgemesh.fakeip._LAST", 1)
    await rig.put(WEB, ("http", 80))
    with capture_logs() as logs:
        await rig.put(API, ("http", 80))

    assert [(line["event"], line["service"]) for line in logs] == [("pool_empty", "prod/api")]
    assert list(rig.mesh.view().states())[1]["fake_ip"] is None


async def test_stop_closes_all_that_was_opened(rig: Rig) -> None:
    await rig.put(WEB, ("http", 80))

    await rig.mesh.stop()
    await rig.mesh.stop()
    await rig.put(API, ("http", 80))

    assert rig.listen.listening == []
    assert (rig.lock.held, rig.dns.running, rig.proxy.stopped) == ([], False, True)


async def test_run_ends_when_the_bus_is_closed(rig: Rig) -> None:
    rig.bus.close()
    await settle()

    assert rig.task is not None
    assert rig.task.done()


async def test_a_pod_of_this_node_that_fails_is_no_backend_any_more(rig: Rig) -> None:
    await rig.put(WEB, ("http", 80))
    await rig.send("update", "default/podlist/web", [pod_json("web-0", "")])
    pod = pod_json("web-0", "", phase="Failed")
    pod["metadata"]["resourceVersion"] = "9"

    await rig.send("update", "default/pod/web-0", pod)

    (service,) = rig.mesh.view().states()
    assert [backend["reason"] for backend in service["backends"]] == ["not_running"]
    assert service["ready"] is False


async def test_pods_and_endpoints_that_metamanager_has_count_after_the_start(make_rig: MakeRig, meta: Any) -> None:
    meta.stored_services = [
        json.dumps(service_json(WEB, ("http", 80))).encode(),
        json.dumps(service_json(API) | {"spec": {"ports": [{"port": 80}]}}).encode(),
    ]
    meta.pod_lists = {WEB: json.dumps([pod_json("web-0", "")]).encode()}
    failed = pod_json("web-0", "", phase="Failed")
    failed["metadata"]["resourceVersion"] = "9"
    meta.stored_pods = [json.dumps(failed).encode()]
    subset = {"addresses": [{"ip": "10.1.0.1"}], "ports": [{"port": 9000}]}
    meta.stored_endpoints = [
        json.dumps({"metadata": {"namespace": "prod", "name": "api"}, "subsets": [subset]}).encode()
    ]
    rig = await make_rig()

    await rig.run()

    backends = [(one["name"], b["endpoint"]) for one in rig.mesh.view().states() for b in one["backends"]]
    assert backends == [("web", None), ("api", "10.1.0.1:9000")]


async def test_pods_that_come_during_the_recovery_are_applied_after_it(make_rig: MakeRig, meta: Any) -> None:
    meta.stored_services = [json.dumps(service_json(WEB, ("http", 80))).encode()]
    meta.pod_lists = {WEB: json.dumps([pod_json("web-0", "")]).encode()}
    meta.open.clear()
    rig = await make_rig()
    await rig.run()

    await rig.send("insert", "default/pod/web-0", pod_json("web-0", ""))
    await rig.send("delete", "default/pod/web-0", pod_json("web-0", "") | {"metadata": {"uid": "u"}})
    assert rig.mesh.status()["backlog"] == 1
    meta.open.set()
    await settle()

    (service,) = rig.mesh.view().states()
    assert [backend["reason"] for backend in service["backends"]] == ["terminating"]


async def test_backends_that_are_gone_and_still_serve_somebody_are_told(
    make_rig: Callable[..., Awaitable[Rig]],
) -> None:
    rig = await make_rig()
    spec = port_spec(ServiceKey("default", "web"), 80, [Endpoint("10.0.0.1", 80)])
    (host,) = rig.table.upstreams.put(spec).hosts.values()
    host.active = 1
    assert rig.mesh.status()["draining_backends"] == 0

    rig.table.upstreams.remove(spec.key)

    assert rig.mesh.status()["draining_backends"] == 1
