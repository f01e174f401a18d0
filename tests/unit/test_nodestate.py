import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from edgecore import __version__
from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.runner import ModuleRunner
from edgecore.clock import VirtualClock, settle
from edgecore.errors import ListenError
from edgecore.ids import NewId
from edgecore.modules.metamanager.steps import Put
from edgecore.modules.metamanager.tables import SCHEMA, MetaTable, Origin
from edgecore.nodestate import NodeState
from edgecore.observe.ledger import ACKNOWLEDGED, UP, Ledger
from edgecore.observe.metrics import Metrics
from edgecore.store.store import Statement, Store, open_store

CONNECTED = {"state": "connected", "error": ""}
MESH: dict[str, Any] = {
    "dns": {"listening": ["127.0.0.1:10053", "127.0.0.1:10054"]},
    "plain_listener": "127.0.0.1:40001",
    "ports_not_bound": [],
}
NOT_BOUND = {"service": "default/web", "address": "127.251.0.1", "port": 80, "reason": "in_use", "text": "taken"}


class FakeModule:
    """A module that says of itself what it is told to."""

    def __init__(self, name: str, status: dict[str, Any], failure: Exception | None = None) -> None:
        self.name = name
        self.group = "g"
        self._status = status
        self._failure = failure

    async def start(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None: ...

    def status(self) -> dict[str, Any]:
        return self._status


class Rig:
    """The parts of a node, with doubles for modules."""

    def __init__(self, clock: VirtualClock, new_id: NewId, metrics: Metrics, store: Store) -> None:
        self.clock = clock
        self.bus = Bus(clock, new_id)
        self.metrics = metrics
        self.store = store
        self.ledger = Ledger(clock.monotonic)
        self.runner = ModuleRunner((), clock, self.bus)
        self.state = NodeState(
            "edge-1", bus=self.bus, runner=self.runner, metrics=metrics, ledger=self.ledger, store=store
        )

    async def start(self, *modules: FakeModule) -> NodeState:
        for module in modules:
            self.bus.register(module.name, module.group)
        self.runner = ModuleRunner(modules, self.clock, self.bus)
        self.state = NodeState(
            "edge-1", bus=self.bus, runner=self.runner, metrics=self.metrics, ledger=self.ledger, store=self.store
        )
        await self.runner.start()
        await settle()
        return self.state


@pytest.fixture
async def rig(vclock: VirtualClock, ids: NewId, metrics: Metrics, tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(vclock, ids, metrics, open_store(tmp_path / "n.db", ("CREATE TABLE IF NOT EXISTS t (x)",)))
    yield rig
    await rig.runner.stop(rig.bus.close)
    await rig.store.close()


async def test_a_node_whose_modules_run_and_whose_link_is_up_is_ok(rig: Rig) -> None:
    state = await rig.start(FakeModule("websocket", CONNECTED), FakeModule("edgemesh", MESH), FakeModule("edged", {}))

    status = state.status()

    assert (status["node"], status["version"]) == ("edge-1", __version__)
    assert (status["state"], status["reasons"]) == ("ok", [])
    assert [module["state"] for module in status["modules"]] == ["running"] * 3


async def test_the_uptime_is_that_of_the_clock(rig: Rig) -> None:
    state = await rig.start()

    await rig.clock.advance(61.5)

    assert state.status()["uptime_s"] == 61.5


async def test_link_and_mesh_have_keys_of_their_own_and_other_modules_are_parts(rig: Rig) -> None:
    state = await rig.start(
        FakeModule("websocket", CONNECTED), FakeModule("edgemesh", MESH), FakeModule("edged", {"registered": True})
    )

    status = state.status()

    assert (status["link"], status["mesh"]) == (CONNECTED, MESH)
    assert status["parts"] == {"edged": {"registered": True}}


async def test_a_module_that_could_not_start_is_a_reason_with_its_error(rig: Rig) -> None:
    failure = ListenError("127.0.0.1:53", "no_permission", "permission denied")

    state = await rig.start(FakeModule("edged", {}, failure))

    assert state.status()["state"] == "degraded"
    assert state.status()["reasons"] == [
        "module edged is failed: cannot listen on 127.0.0.1:53: permission denied",
    ]


async def test_a_module_that_is_only_registered_waits(rig: Rig) -> None:
    rig.bus.register("edged", "edged")

    (module,) = rig.state.status()["modules"]

    assert (module["name"], module["group"], module["state"]) == ("edged", "edged", "waiting")
    assert rig.state.status()["reasons"] == ["module edged is waiting"]


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ({"state": "connecting", "error": ""}, "the link to the cloud is connecting"),
        ({"state": "waiting", "error": "refused"}, "the link to the cloud is waiting: refused"),
    ],
)
async def test_a_link_that_is_not_up_is_a_reason(rig: Rig, link: dict[str, str], reason: str) -> None:
    state = await rig.start(FakeModule("websocket", link))

    assert state.status()["reasons"] == [reason]


async def test_a_node_without_hub_and_mesh_is_ok(rig: Rig) -> None:
    state = await rig.start(FakeModule("edged", {}))

    status = state.status()

    assert (status["state"], status["link"], status["mesh"]) == ("ok", {}, {})


async def test_each_port_that_is_not_bound_is_a_reason(rig: Rig) -> None:
    state = await rig.start(FakeModule("edgemesh", MESH | {"ports_not_bound": [NOT_BOUND, NOT_BOUND | {"port": 81}]}))

    assert state.status()["reasons"] == [
        "port 127.251.0.1:80 of default/web is not bound: taken",
        "port 127.251.0.1:81 of default/web is not bound: taken",
    ]


async def test_a_resolv_conf_that_could_not_be_changed_is_a_reason(rig: Rig) -> None:
    told = {"path": "/etc/resolv.conf", "wanted": True, "server": None, "problem": "cannot change it: denied; do this"}
    state = await rig.start(FakeModule("edgemesh", MESH | {"dns": MESH["dns"] | {"resolv_conf": told}}))

    assert state.status()["reasons"] == ["cannot change it: denied; do this"]


async def test_questions_that_cannot_be_led_here_are_a_reason(rig: Rig) -> None:
    led = {"wanted": True, "servers": [], "problem": "cannot lead questions here: no mark"}
    state = await rig.start(FakeModule("edgemesh", MESH | {"dns": MESH["dns"] | {"led": led}}))

    assert state.status()["reasons"] == ["cannot lead questions here: no mark"]


async def test_an_address_that_dns_does_not_listen_at_is_a_reason(rig: Rig) -> None:
    missing = {"address": "127.0.0.1:53", "reason": "in_use", "text": "cannot listen on 127.0.0.1:53: in use"}
    state = await rig.start(FakeModule("edgemesh", MESH | {"dns": MESH["dns"] | {"not_listening": [missing]}}))

    assert state.status()["state"] == "degraded"
    assert state.status()["reasons"] == [
        "DNS cannot listen on 127.0.0.1:53: in use; it is tried again until it can (modules.edgeMesh.dns.listen)"
    ]


async def test_the_origin_of_a_row_is_its_message_and_how_long_ago_that_was(rig: Rig) -> None:
    await rig.store.write(*(Statement(sql) for sql in SCHEMA))
    key = "default/service/web"
    origin = Origin("id-1", "edgecontroller", "insert", key, rig.clock.now_ms())
    await MetaTable(rig.store).write([Put(key, "service", "{}")], origin)
    await rig.clock.advance(2.5)

    assert rig.state.origin(key) == {"row": key, **origin._asdict(), "age_s": 2.5}
    assert rig.state.origin("default/service/none") is None


async def test_where_the_mesh_listens_is_beside_where_the_process_does(rig: Rig) -> None:
    state = await rig.start(FakeModule("edgemesh", MESH))
    state.listening = {"control": "/run/edgecore.sock"}

    assert state.status()["listening"] == {
        "control": "/run/edgecore.sock",
        "dns": "127.0.0.1:10053, 127.0.0.1:10054",
        "proxy": "127.0.0.1:40001",
    }


async def test_bad_input_is_listed_by_module_and_reason(rig: Rig) -> None:
    rig.metrics.bad_input("websocket", "too_deep", "cloud")
    rig.metrics.bad_input("websocket", "too_deep", "cloud")

    assert rig.state.status()["bad_input"] == {"websocket/too_deep": 2}


async def test_the_mailbox_of_a_module_is_in_its_entry(rig: Rig) -> None:
    sender, receiver = rig.bus.register("a", "g"), rig.bus.register("b", "g")
    await sender.post("b", Route("a", "g", "insert", "x/y/z"))
    waiting = {module["name"]: module["mailbox"] for module in rig.state.status()["modules"]}
    await receiver.receive()

    taken = {module["name"]: module["mailbox"] for module in rig.state.status()["modules"]}
    assert (waiting["b"]["depth"], waiting["a"]["sent"]) == (1, 1)
    assert (taken["b"]["depth"], taken["b"]["received"], taken["b"]["high_water"]) == (0, 1, 1)
    assert "module" not in taken["b"]


async def test_the_store_is_described_by_path_and_figures(rig: Rig) -> None:
    await rig.store.write(Statement("INSERT INTO t VALUES (1)"))

    store = rig.state.status()["store"]

    assert (store["path"], store["writes"], store["commits"]) == (str(rig.store.path), 1, 1)


async def test_health_is_state_and_reasons(rig: Rig) -> None:
    state = await rig.start(FakeModule("websocket", {"state": "waiting", "error": "refused"}))

    assert state.health() == {"status": "degraded", "reasons": ["the link to the cloud is waiting: refused"]}


async def test_every_debug_page_is_fit_for_json(rig: Rig) -> None:
    state = await rig.start(FakeModule("websocket", CONNECTED), FakeModule("edgemesh", MESH))

    pages = {name: json.loads(json.dumps(page())) for name, page in state.debug().items()}

    assert pages.keys() == {"status", "bus", "ledger", "modules", "store"}
    assert pages["bus"].keys() == pages["modules"].keys() == {"websocket", "edgemesh"}


async def test_prometheus_gets_what_each_module_sent_received_and_lost(rig: Rig) -> None:
    sender, receiver = rig.bus.register("a", "g"), rig.bus.register("b", "g")
    await sender.post("b", Route("a", "g", "insert", "x/y/z"))
    await receiver.receive()
    await sender.post("nobody", Route("a", "g", "insert", "x/y/z"))
    rig.metrics.pull(rig.state.families)

    page = rig.metrics.render().decode()

    assert 'edgecore_messages_sent_total{module="a"} 1.0' in page
    assert 'edgecore_messages_received_total{module="b"} 1.0' in page
    assert 'edgecore_mailbox_high_water{module="b"} 1.0' in page
    assert 'edgecore_messages_dropped_total{module="a",reason="unknown_module"} 1.0' in page


async def test_prometheus_gets_the_figures_of_the_store(rig: Rig) -> None:
    await rig.store.write(Statement("INSERT INTO t VALUES (1)"))
    rig.metrics.pull(rig.state.families)

    page = rig.metrics.render().decode()

    assert "edgecore_store_writes_total 1.0" in page
    assert "edgecore_store_commits_total 1.0" in page
    assert "edgecore_store_failed_total 0.0" in page


async def test_an_unexplained_message_makes_the_node_degraded(rig: Rig) -> None:
    state = await rig.start()
    rig.ledger.open(UP, Message(Header("m")))
    assert state.status()["state"] == "ok"
    await rig.clock.advance(60)
    assert state.status()["reasons"] == ["1 messages of the link cannot be accounted for (edgecore ledger)"]
    assert state.status()["ledger"] == {"under_way": 1, "unexplained": 1}


async def test_the_ledger_and_the_link_are_in_the_metrics(rig: Rig) -> None:
    link = {**CONNECTED, "outbox": 3, "outbox_bytes": 99, "sessions": 2}
    await rig.start(FakeModule("websocket", link))
    rig.ledger.record(UP, Message(), ACKNOWLEDGED)
    rig.metrics.pull(rig.state.families)
    page = rig.metrics.render().decode()
    for line in (
        'edgecore_link_messages_total{direction="edge->cloud",outcome="acknowledged",reason=""} 1.0',
        "edgecore_link_unexplained 0.0",
        "edgecore_cloud_connected 1.0",
        "edgecore_outbox_messages 3.0",
        "edgecore_cloud_sessions_total 2.0",
    ):
        assert line in page
