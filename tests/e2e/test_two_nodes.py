"""Two nodes side by side on one machine, told nothing but where their files are, their names and their cloud."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecore.config.schema import EdgeCoreConfig
from edgecore.modules.edgemesh.intercept.poolclaim import candidates, machine_lock

NAMES = ("north", "south")


@pytest.fixture
def free_pools() -> list[str]:
    """The default pool and those below it, without what other nodes of this machine hold."""
    lock = machine_lock()
    free = []
    for subnet in candidates(EdgeCoreConfig().modules.edge_mesh.rootless_network, None):
        if held := lock(subnet):
            free.append(str(subnet))
            held.close()
    return free


@pytest.fixture
def texts(programs: Any, tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Make the configurations as the README has it: what ``edgecore config`` prints, with name and cloud put in."""

    def make(server: str) -> dict[str, str]:
        found = {}
        for name in NAMES:
            done = programs.run("edgecore", "config", "--min", "--root", tmp_path / name)
            assert done.returncode == 0, done.stderr
            lines = [_changed(line, {"hostnameOverride": name, "server": server}) for line in done.stdout.splitlines()]
            found[name] = "\n".join(lines)
        return found

    return make


def _changed(line: str, values: dict[str, str]) -> str:
    key = line.partition(":")[0]
    return f"{key}: {values[key.strip()]}" if key.strip() in values else line


def _addresses(status: dict[str, Any]) -> list[str]:
    listening = status["listening"]
    return [status["mesh"]["pool"], listening["dns"], listening["proxy"], listening["observe"], listening["control"]]


def test_two_nodes_have_pools_and_ports_of_their_own(
    programs: Any, texts: Callable[[str], dict[str, str]], free_pools: list[str]
) -> None:
    text = texts("ws://127.0.0.1:9")
    north, south = [programs.node(name, text=text[name]).ready() for name in NAMES]

    assert [north["mesh"]["pool"], south["mesh"]["pool"]] == free_pools[:2]
    assert not set(_addresses(north)) & set(_addresses(south))
    for status in (north, south):
        assert [module["state"] for module in status["modules"]] == ["running"] * 4
        assert status["mesh"]["ports_not_bound"] == []


def test_two_nodes_serve_the_same_service_and_keep_pools_and_addresses_over_a_restart(
    programs: Any,
    texts: Callable[[str], dict[str, str]],
    words: Any,
    backend: Callable[[str], Any],
    free_port: Callable[[], int],
) -> None:
    cloud = programs.cloud()
    text = texts(cloud.url)
    port = free_port()
    nodes = {name: programs.node(name, text=text[name]) for name in NAMES}
    for number, name in enumerate(NAMES):
        cloud.send(*words.arrival("web", port, backend(f"127.0.0.{2 + number}")), node=name)
    before = {name: node.service("web")["fake_ip"] for name, node in nodes.items()}
    pools = {name: node.status()["mesh"]["pool"] for name, node in nodes.items()}

    for node in nodes.values():
        assert node.stop() == 0
    restarted = {name: programs.node(name, text=text[name]) for name in reversed(NAMES)}

    assert len(set(before.values())) == 2
    for number, name in enumerate(NAMES):
        node = restarted[name]
        assert node.service("web")["fake_ip"] == before[name]
        assert node.status()["mesh"]["pool"] == pools[name]
        assert node.resolve("web.default.svc.cluster.local") == ("NOERROR", before[name])
        assert node.by_proxy(f"http://web.default:{port}/x").body == f"127.0.0.{2 + number} serves /x"
