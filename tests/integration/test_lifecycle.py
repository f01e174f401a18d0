"""A whole node in this process: each module crashes in turn, starts late, hangs; it stops under load; it reloads."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.app import Node
from edgecore.beehive import resource as r
from edgecore.beehive.message import Route
from edgecore.beehive.runner import ModuleRunner
from edgecore.config.host import Environment
from edgecore.config.load import LoadedConfig, parse
from edgecore.errors import BusClosed, ListenError

HERE = Environment("edge-1", "127.0.0.1")
PATIENCE_S = 20.0
MODULES = (r.EDGEHUB, r.METAMANAGER, r.EDGEMESH, r.EDGED, r.TWIN, r.EVENTBUS, r.SERVICEBUS)
FLOOD = 100_000


def text(directory: Path, **more: Any) -> str:
    values = {
        "database": {"dataSource": str(directory / "edgecore.db")},
        "modules": {
            "eventBus": {"mqttServerExternal": "tcp://127.0.0.1:9"},
            "serviceBus": {"enable": True},
            "edgeHub": {"websocket": {"server": "ws://127.0.0.1:9"}},
            "edged": {"hostnameOverride": "edge-1", "registerNode": False},
            "edgeMesh": {"rootlessSubNet": "127.219.0.0/16", "dns": {"upstreams": ["127.0.0.1:9"]}, **more},
        },
    }
    return json.dumps(values)


class Rig:
    """A node, made and not started, whose file can be written anew."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.text = text(directory)
        self.node = Node(self.read(), reread=self.read)

    def read(self) -> LoadedConfig:
        return parse(self.text, "edgecore.yaml", env=HERE)

    @property
    def runner(self) -> ModuleRunner:
        return self.node.runner

    def module(self, name: str) -> Any:
        return next(module for module in self.runner.modules if module.name == name)

    async def until(self, what: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not what():
            assert time.monotonic() < deadline, self.runner.states()
            await asyncio.sleep(0.02)

    def states(self) -> dict[str, str]:
        return {name: state["state"] for name, state in self.runner.states().items()}

    def restarts(self) -> dict[str, int]:
        return {name: state["restarts"] for name, state in self.runner.states().items() if state["restarts"]}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    with capture_logs():
        await rig.node.stop()


def before_start(rig: Rig, change: Callable[[Any], None], name: str) -> None:
    """Have ``change`` be made to a module after it is made and before it is started."""
    make = rig.node._make

    def make_and_change(wanted: str, *rest: Any) -> Any:
        module = make(wanted, *rest)
        if wanted == name:
            change(module)
        return module

    rig.node._make = make_and_change  # type: ignore[method-assign]


@pytest.mark.parametrize("name", MODULES)
async def test_module_that_crashes_is_run_again_and_the_others_do_not_notice(rig: Rig, name: str) -> None:
    with capture_logs() as logs:
        await rig.node.start()
        await rig.until(lambda: set(rig.states().values()) == {"running"})
        mailbox = rig.node.bus.mailboxes[name]
        mailbox.queue.append(None)  # type: ignore[arg-type] - what no peer can send: any module fails at it
        mailbox.wake()
        await rig.until(lambda: rig.states()[name] == "restarting")
        status = rig.runner.states()[name]
        await rig.until(lambda: rig.states()[name] == "running")
        await rig.until(lambda: not mailbox.queue)

    assert "NoneType" in status["error"]
    assert status["again_in_s"] is not None
    assert rig.restarts() == {name: 1}
    crashes = [(entry["module"], entry["again_in_s"]) for entry in logs if entry["event"] == "module_crashed"]
    assert crashes == [(name, 0.5)]
    page = rig.node.metrics.render().decode()
    assert f'edgecore_module_restarts_total{{module="{name}"}} 1.0' in page
    assert f'edgecore_module_state{{module="{name}",state="running"}} 1.0' in page
    assert set(rig.states().values()) == {"running"}


@pytest.mark.parametrize("name", MODULES)
async def test_module_whose_first_start_fails_runs_a_moment_later(rig: Rig, name: str) -> None:
    def fail_once(module: Any) -> None:
        start = module.start

        async def failing() -> None:
            module.start = start
            raise ListenError("127.0.0.1:53", "in_use", "it is taken")

        module.start = failing

    before_start(rig, fail_once, name)
    with capture_logs() as logs:
        await rig.node.start()
        state = rig.states()[name]
        await rig.until(lambda: set(rig.states().values()) == {"running"})

    assert state == "failed"
    assert name in rig.node.bus.mailboxes
    assert [entry["module"] for entry in logs if entry["event"] == "module_started_at_last"] == [name]


async def test_edgemesh_that_could_not_listen_serves_when_it_can(rig: Rig) -> None:
    def fail_once(module: Any) -> None:
        start = module._plain.start

        async def failing() -> None:
            module._plain.start = start
            raise ListenError("127.0.0.1:40001", "in_use", "it is taken")

        module._plain.start = failing

    before_start(rig, fail_once, r.EDGEMESH)
    with capture_logs():
        await rig.node.start()
        await rig.until(lambda: rig.states()[r.EDGEMESH] == "running")
        await rig.until(lambda: rig.module(r.EDGEMESH).status()["recovered"])
        host, _, port = str(rig.module(r.EDGEMESH).status()["plain_listener"]).rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET http://nobody.default.svc/ HTTP/1.1\r\nHost: nobody.default.svc\r\n\r\n")
        answer = await asyncio.wait_for(reader.readline(), PATIENCE_S)
        writer.close()
        await writer.wait_closed()

    assert answer.startswith(b"HTTP/1.1 5")
    assert rig.module(r.EDGEMESH).status()["dns"]["listening"]


@pytest.mark.parametrize("name", MODULES)
async def test_module_that_hangs_in_its_stop_does_not_hang_the_node(rig: Rig, name: str) -> None:
    def hang(module: Any) -> None:
        stop = module.stop

        async def hanging() -> None:
            await asyncio.gather(stop(), asyncio.Event().wait())

        module.stop = hanging

    before_start(rig, hang, name)
    with capture_logs() as logs:
        await rig.node.start()
        began = time.monotonic()
        await rig.node.stop()

    assert time.monotonic() - began < 5
    assert [entry["modules"] for entry in logs if entry["event"] == "modules_would_not_stop"] == [[name]]


async def test_node_with_very_many_messages_under_way_stops_within_five_seconds(rig: Rig) -> None:
    with capture_logs():
        await rig.node.start()
        sender = rig.node.bus.register("flood", "flood")
        sent: list[asyncio.Future[None]] = []
        for number in range(FLOOD):
            route = Route("edgecontroller", "resource", "insert", f"default/configmap/m{number}")
            work: Awaitable[None] = sender.post(r.METAMANAGER, route, {"metadata": {"name": f"m{number}"}})
            sent.append(asyncio.ensure_future(work))
        await asyncio.sleep(0.2)
        assert sum(not each.done() for each in sent) > 0
        began = time.monotonic()
        await rig.node.stop()
        took = time.monotonic() - began
        outcomes = await asyncio.gather(*sent, return_exceptions=True)

    assert took < 5
    assert {type(outcome) for outcome in outcomes} <= {type(None), BusClosed}


async def test_node_whose_start_is_cancelled_leaves_nothing(rig: Rig) -> None:
    def hang(module: Any) -> None:
        async def hanging() -> None:
            await asyncio.Event().wait()

        module.start = hanging

    before_start(rig, hang, r.EDGED)
    with capture_logs():
        starting = asyncio.ensure_future(rig.node.start())
        await rig.until(lambda: rig.states().get(r.EDGED) == "starting")
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)

    assert set(rig.states().values()) == {"stopped"}
    assert not (rig.directory / "edgecore.sock").exists()


async def test_reload_changes_how_backends_are_chosen_and_tells_what_needs_a_restart(rig: Rig) -> None:
    with capture_logs():
        await rig.node.start()
        rig.text = text(rig.directory, lbStrategy="LeastRequest", listenPort=40007)
        told = await rig.node.reloader.reload()

        outcomes = {each["key"]: each["outcome"] for each in told["keys"]}
        assert outcomes == {"modules.edgeMesh.lbStrategy": "applied", "modules.edgeMesh.listenPort": "restart"}
        assert rig.module(r.EDGEMESH)._table._defaults.strategy == "LeastRequest"
        assert (await rig.node.reloader.reload())["keys"] == [
            each for each in told["keys"] if each["outcome"] == "restart"
        ]
        rig.text = "modules: ["
        refused = await rig.node.reloader.reload()
    assert refused["state"] == "refused"
    assert refused["error"].startswith("cannot read edgecore.yaml as YAML: ")
    assert set(rig.states().values()) == {"running"}
