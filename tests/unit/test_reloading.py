"""Reloading: what becomes of each key, whatever parts of the node and the file do."""

import asyncio

import pytest
from structlog.testing import capture_logs

from edgecore.clock import VirtualClock, settle
from edgecore.config.host import Environment
from edgecore.config.load import LoadedConfig, parse
from edgecore.config.schema import EdgeCoreConfig
from edgecore.errors import EdgecoreError
from edgecore.reloading import APPLY_S, Reloader

HERE = Environment("edge-1", "192.0.2.2")
EDGED, MESH, LOG = "modules.edged.nodeStatusUpdateFrequency", "modules.edgeMesh.lbStrategy", "observe.logLevel"


class Rig:
    """A node of two parts and a log, whose file is ``text``."""

    def __init__(self, clock: VirtualClock) -> None:
        self.text = "kind: EdgeCore"
        self.given: list[tuple[str, EdgeCoreConfig]] = []
        self.fault: Exception | None = None
        self.hangs = False
        parts = {"modules.edged": self._edged, "modules.edgeMesh": self._mesh, "observe": self._log}
        self.reloader = Reloader(self.read().config, self.read, parts, clock)

    def read(self) -> LoadedConfig:
        return parse(self.text, "edgecore.yaml", env=HERE)

    async def _edged(self, config: EdgeCoreConfig) -> None:
        self.given.append(("edged", config))

    async def _log(self, config: EdgeCoreConfig) -> None:
        self.given.append(("log", config))

    async def _mesh(self, config: EdgeCoreConfig) -> None:
        if self.fault is not None:
            raise self.fault
        if self.hangs:
            await asyncio.Event().wait()
        self.given.append(("mesh", config))

    async def reload(self, text: str) -> dict[str, str]:
        """Return the outcome by key, under ``""`` the state."""
        self.text = text
        told = await self.reloader.reload()
        return {"": told["state"]} | {each["key"]: each["outcome"] for each in told["keys"]}


@pytest.fixture
async def rig(vclock: VirtualClock) -> Rig:
    return Rig(vclock)


THREE = "{observe: {logLevel: debug}, modules: {edged: {nodeStatusUpdateFrequency: 5}, edgeMesh: {lbStrategy: Random}}}"


async def test_a_file_that_is_as_before_changes_nothing(rig: Rig) -> None:
    assert await rig.reload("{modules: {edgeMesh: {lbStrategy: RoundRobin}}}") == {"": "unchanged"}
    assert rig.given == []


async def test_each_part_gets_what_is_its_own_once(rig: Rig) -> None:
    with capture_logs() as logs:
        assert await rig.reload(THREE) == {"": "applied", EDGED: "applied", MESH: "applied", LOG: "applied"}

    assert sorted(name for name, _ in rig.given) == ["edged", "log", "mesh"]
    assert rig.reloader.config == rig.read().config
    assert logs[-1] == {
        "event": "config_reloaded",
        "log_level": "info",
        "origin": "edgecore.yaml",
        "applied": [MESH, EDGED, LOG],
        "restart": [],
        "refused": [],
    }
    assert await rig.reload(THREE) == {"": "unchanged"}


async def test_a_key_that_needs_a_restart_is_told_each_time_and_given_to_nobody(rig: Rig) -> None:
    text = "{modules: {edgeMesh: {listenPort: 40009}, metaManager: {podStatusSyncInterval: 7}, edged: {maxPods: 7}}}"
    restart = {
        "modules.edgeMesh.listenPort": "restart",
        "modules.metaManager.podStatusSyncInterval": "restart",  # its part does not run here
        "modules.edged.maxPods": "restart",
    }
    assert await rig.reload(text) == {"": "partly"} | restart
    assert await rig.reload(text) == {"": "partly"} | restart
    assert rig.given == []


async def test_part_never_sees_a_value_that_needs_a_restart(rig: Rig) -> None:
    assert await rig.reload("{modules: {edgeMesh: {listenPort: 40009, lbStrategy: Random}}}") == {
        "": "partly",
        "modules.edgeMesh.listenPort": "restart",
        MESH: "applied",
    }
    ((_, config),) = rig.given
    assert (config.modules.edge_mesh.listen_port, config.modules.edge_mesh.lb_strategy) == (40001, "Random")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(EdgecoreError("cannot do it: no reason"), "cannot do it: no reason"), (ValueError("odd"), "odd")],
)
async def test_what_a_part_refuses_stays_as_it_was_and_the_others_go_on(
    rig: Rig, fault: Exception, reason: str
) -> None:
    rig.fault = fault
    with capture_logs() as logs:
        assert await rig.reload(THREE) == {"": "partly", EDGED: "applied", MESH: "refused", LOG: "applied"}
    assert rig.reloader.config.modules.edge_mesh.lb_strategy == "RoundRobin"
    assert [(entry["section"], entry["error"]) for entry in logs if entry["event"] == "setting_not_applied"] == [
        ("modules.edgeMesh", reason)
    ]
    rig.fault = None
    assert await rig.reload(THREE) == {"": "applied", MESH: "applied"}


async def test_a_part_that_hangs_has_refused(rig: Rig, vclock: VirtualClock) -> None:
    rig.hangs = True
    reloading = asyncio.ensure_future(rig.reload(THREE))
    with capture_logs():
        await vclock.advance(APPLY_S + 1)
    assert (await reloading)[MESH] == "refused"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("modules: [", "cannot read edgecore.yaml as YAML"),
        ("", "it is empty"),
        ("{observe: {logLevel: loud}, modules: {edgeMesh: {lbStrategy: Random}}}", "observe.logLevel"),
    ],
)
async def test_a_file_with_anything_wrong_in_it_is_refused_as_a_whole(rig: Rig, text: str, words: str) -> None:
    before = rig.reloader.config
    rig.text = text
    with capture_logs() as logs:
        told = await rig.reloader.reload()
    assert told["state"] == "refused"
    assert words in told["error"]
    assert told["keys"] == rig.given == []
    assert rig.reloader.config is before
    assert [entry["event"] for entry in logs] == ["config_not_reloaded"]


async def test_a_fault_in_reading_changes_nothing(rig: Rig, vclock: VirtualClock) -> None:
    def read() -> LoadedConfig:
        raise RecursionError("deep")

    with capture_logs() as logs:
        told = await Reloader(rig.reloader.config, read, {}, vclock).reload()
    assert (told["state"], told["error"]) == ("refused", "cannot reload: RecursionError; see the log of the node")
    assert [entry["event"] for entry in logs] == ["config_not_reloaded"]


async def test_who_asked_and_went_away_leaves_nothing_half_applied(rig: Rig, vclock: VirtualClock) -> None:
    rig.hangs = True
    asking = asyncio.ensure_future(rig.reload(THREE))
    await settle()
    asking.cancel()
    rig.hangs = False
    with capture_logs():
        await vclock.advance(APPLY_S + 1)
    assert sorted(name for name, _ in rig.given) == ["edged", "log"]
    assert await rig.reload(THREE) == {"": "applied", MESH: "applied"}


async def test_the_end_of_the_node_ends_a_reload(rig: Rig) -> None:
    rig.hangs = True
    asking = asyncio.ensure_future(rig.reload(THREE))
    await settle()
    await rig.reloader.close()
    assert (await asyncio.gather(asking, return_exceptions=True))[0].__class__ is asyncio.CancelledError


async def test_unknown_keys_are_warnings(rig: Rig) -> None:
    rig.text = "{modules: {edgeMesh: {lbStrategie: Random}}}"
    told = await rig.reloader.reload()
    assert told["state"] == "unchanged"
    (warning,) = told["warnings"]
    assert "lbStrategie" in warning


async def test_node_without_a_file_says_so(rig: Rig, vclock: VirtualClock) -> None:
    with capture_logs():
        told = await Reloader(rig.reloader.config, None, {}, vclock).reload()
    assert told["error"].startswith("cannot reload: this node was not started from a file")


async def test_two_reloads_at_once_take_turns(rig: Rig, vclock: VirtualClock) -> None:
    rig.hangs = True
    with capture_logs():
        first = asyncio.ensure_future(rig.reload(THREE))
        await settle()
        rig.hangs = False
        second = asyncio.ensure_future(rig.reload(THREE))
        await settle()
        assert not second.done()
        await vclock.advance(APPLY_S + 1)
        assert (await first)[MESH] == "refused"
        assert await second == {"": "applied", MESH: "applied"}
