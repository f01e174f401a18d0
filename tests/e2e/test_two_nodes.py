"""Two nodes side by side on one machine, told nothing but where their files are, their names and their cloud."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecore.config.schema import EdgeCoreConfig
from edgecore.modules.edgemesh.poolclaim import candidates, lock_subnet


def free_pools() -> list[str]:
    """Return the default pool and those below it, without what other nodes of this machine hold."""
    free = []
    for subnet in candidates(EdgeCoreConfig().modules.edge_mesh.rootless_network, None):
        if held := lock_subnet(subnet):
            free.append(str(subnet))
            held.close()
    return free


@pytest.fixture
def text(programs: Any, tmp_path: Path) -> Callable[[str], str]:
    """``text(name)``: a configuration as in the README, printed by ``edgecore config``, then name and cloud put in."""

    def make(name: str) -> str:
        done = programs.run("edgecore", "config", "--min", "--root", tmp_path / name)
        values = {"hostnameOverride": name, "server": "ws://127.0.0.1:9"}
        return "\n".join(_changed(line, values) for line in done.stdout.splitlines())

    return make


def _changed(line: str, values: dict[str, str]) -> str:
    key = line.partition(":")[0]
    return f"{key}: {values[key.strip()]}" if key.strip() in values else line


def _addresses(status: dict[str, Any]) -> list[str]:
    listening = status["listening"]
    return [status["mesh"]["pool"], listening["dns"], listening["proxy"], listening["observe"], listening["control"]]


def test_two_nodes_have_the_first_free_pools_and_ports_of_their_own(programs: Any, text: Callable[[str], str]) -> None:
    for attempt in range(5):
        free = free_pools()
        nodes, statuses = [], []
        for name in (f"north-{attempt}", f"south-{attempt}"):
            nodes.append(programs.node(name, text=text(name)))
            statuses.append(nodes[-1].ready())
        pools = [status["mesh"]["pool"] for status in statuses]
        if pools == free[:2]:
            break
        assert [node.stop() for node in nodes] == [0, 0]  # other nodes of this machine may have come or gone meanwhile

    north, south = statuses
    assert pools == free[:2]
    assert not set(_addresses(north)) & set(_addresses(south))
    for status in statuses:
        assert {module["state"] for module in status["modules"]} == {"running"}
        assert status["mesh"]["ports_not_bound"] == []


def test_two_nodes_serve_the_same_service_and_keep_pools_and_addresses_over_a_restart(
    programs: Any, words: Any, backend: Callable[[str], Any], free_port: Callable[[], int]
) -> None:
    cloud = programs.cloud()
    port = free_port()
    hosts = {"north": "127.0.0.2", "south": "127.0.0.3"}
    nodes = {name: programs.node(name, cloud) for name in hosts}
    for name, host in hosts.items():
        cloud.send(*words.arrival("web", port, backend(host)), node=name)
    addresses = {name: node.service("web")["fake_ip"] for name, node in nodes.items()}
    pools = {name: node.status()["mesh"]["pool"] for name, node in nodes.items()}

    assert [node.stop() for node in nodes.values()] == [0, 0]
    restarted = {name: programs.node(name, cloud) for name in reversed(hosts)}

    assert len(set(addresses.values())) == len(set(pools.values())) == 2
    for name, node in restarted.items():
        assert node.service("web")["fake_ip"] == addresses[name]
        assert node.status()["mesh"]["pool"] == pools[name]
        assert node.resolve("web.default.svc.cluster.local") == ("NOERROR", addresses[name])
        assert node.by_proxy(f"http://web.default:{port}/x").body == f"{hosts[name]} serves /x"
