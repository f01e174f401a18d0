"""A stub and two edges to which everything happens, as programs: in the end each has stored what the stub says."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.errors import NotFound
from cloudhub_stub.paths import FAULTS
from cloudhub_stub.testing.cloud import Cloud
from cloudhub_stub.testing.conditions import rolled_out
from cloudhub_stub.testing.edge import Edge
from cloudhub_stub.testing.errors import NotYet, Refused
from edgecore.errors import ControlError
from world.manifests import DELETABLE, NODES, THINGS, manifest

STEPS = 40
ARGUMENTS = ("--node-grace", "3", "--resend-every", "1", "--give-up-after", "3", "--keepalive-timeout", "20")
STORED = frozenset({"pod", "service", "endpoints", "podlist", "configmap", "secret"})
PATIENCE_S = 90.0
SHORT_TOLERATION_S = 4
SENT_AGAIN = "/(pod|service|endpoints|configmap|secret)/"
"""What is sent until it is acknowledged: of the rest, in a stream, none is expected to be lost while others pass."""
FAULT_CHOICES: tuple[dict[str, Any], ...] = (
    {"fault": "cut"},
    {"fault": "cut", "every": 7, "times": 3},
    {"fault": "half-open", "for": 2.0},
    {"fault": "drop", "direction": "down", "source": "edgecontroller", "resource-regex": SENT_AGAIN, "times": 3},
    {"fault": "drop", "direction": "up", "operation": "response", "every": 2, "times": 4},
    {"fault": "duplicate", "every": 3, "times": 5},
    {"fault": "delay", "seconds": 0.3, "times": 10},
    {"fault": "restart", "down": 1.0},
)
Do = Callable[[], object]


class Play:
    """One sequence of steps, by chance, the same for the same seed."""

    def __init__(self, cloud: Cloud, seed: int) -> None:
        self._cloud = cloud
        self._random = random.Random(seed)
        self.done: list[str] = []

    def step(self) -> None:
        """Let something happen."""
        choices: list[tuple[int, Callable[[], tuple[str, Do]]]] = [
            (10, self._apply),
            (3, self._scale),
            (4, self._delete),
            (6, self._wait),
            (4, self._fault),
            (2, self._kill_edge),
            (1, self._kill_stub),
        ]
        choose = self._random.choices([choice for _, choice in choices], [weight for weight, _ in choices])[0]
        what, do = choose()
        self.done.append(what)
        try:
            do()
        except (NotFound, Refused, ControlError) as error:
            self.done[-1] += f": {str(error)[:80]}"

    def _apply(self) -> tuple[str, Do]:
        things = [thing for thing in THINGS if not thing.startswith("Device/")]
        thing, variant = self._random.choice(things), self._random.randrange(12)
        return f"apply {thing} {variant}", lambda: self._cloud.apply(_impatient(manifest(thing, variant)))

    def _scale(self) -> tuple[str, Do]:
        name, replicas = self._random.choice(("web", "api")), self._random.randrange(4)
        return f"scale {name} {replicas}", lambda: self._cloud.scale(name, replicas)

    def _delete(self) -> tuple[str, Do]:
        kind, _, name = self._random.choice(DELETABLE).partition("/")
        grace_s = self._random.choice((None, 0))
        return f"delete {kind} {name} {grace_s}", lambda: self._cloud.delete(kind, name, grace_s=grace_s, wait_s=0)

    def _wait(self) -> tuple[str, Do]:
        seconds = self._random.choice((0.01, 0.1, 0.5, 1.5))
        return f"wait {seconds}", lambda: time.sleep(seconds)

    def _fault(self) -> tuple[str, Do]:
        fault = dict(self._random.choice(FAULT_CHOICES))
        if fault["fault"] != "restart" and self._random.random() < 0.7:
            fault["node"] = self._random.choice(NODES)
        return f"fault {fault}", lambda: self._cloud.control.post(FAULTS, fault)

    def _kill_edge(self) -> tuple[str, Do]:
        edge, loses_all = self._cloud.edge(self._random.choice(NODES)), self._random.random() < 0.5
        away_s = self._random.choice((0.0, 0.5, 6.0))
        return f"kill {edge.name}, away {away_s}, loses all: {loses_all}", lambda: _kill(edge, away_s, loses_all)

    def _kill_stub(self) -> tuple[str, Do]:
        def kill() -> None:
            self._cloud.stub.kill()
            self._cloud.stub.start()

        return "kill the stub", kill


def _kill(edge: Edge, away_s: float, loses_all: bool) -> None:
    edge.kill()
    time.sleep(away_s)
    if loses_all:
        for file in edge.directory.glob("edgecore.db*"):
            file.unlink()
    edge.start()


def _impatient(obj: Object) -> Object:
    """Return a manifest whose pods leave a lost node soon."""
    taints = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
    some = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SHORT_TOLERATION_S}
    tolerations = [{"key": key, **some} for key in taints]
    if obj["kind"] == "Pod":
        return {**obj, "spec": {**obj["spec"], "tolerations": tolerations}}
    if obj["kind"] == "Deployment":
        template = obj["spec"]["template"]
        spec = {**template["spec"], "tolerations": tolerations}
        return {**obj, "spec": {**obj["spec"], "template": {**template, "spec": spec}}}
    return obj


def _all_agree(cloud: Cloud) -> bool:
    for deployment in cloud.list("Deployment"):
        rolled_out(deployment)
    pods = cloud.list("Pod")
    for edge in cloud.edges:
        held = {key: json.loads(row.value) for key, row in edge.store().items() if row.type in STORED}
        wanted = cloud.holds(edge.name)
        differing = [key for key in sorted(held.keys() | wanted.keys()) if held.get(key, "") != wanted.get(key, "")]
        if differing:
            raise NotYet(f"{edge.name}: {[(key, held.get(key, ''), wanted.get(key, '')) for key in differing]}")
        bound = {f"default/pod/{pod['metadata']['name']}" for pod in pods if pod["spec"].get("nodeName") == edge.name}
        assert {key for key in held if "/pod/" in key} == bound
    return True


@pytest.mark.timeout(1800)
def test_any_sequence_ends_with_every_store_as_the_stub_says(tmp_path: Path, scale: int) -> None:
    for number in range(scale):
        directory = tmp_path / str(number)
        directory.mkdir()
        with Cloud.start(directory, plain=True, edges=NODES, args=ARGUMENTS) as cloud:
            _play(cloud, seed=random.randrange(2**32))


def _play(cloud: Cloud, seed: int) -> None:
    play = Play(cloud, seed)
    try:
        for _ in range(STEPS):
            play.step()
        cloud.control.delete(FAULTS, {"all": "true"})
        for name in NODES:
            cloud.wait_for_node(name, PATIENCE_S)
        cloud.control.post(FAULTS, {"fault": "cut"})  # what was given up is sent when a node connects anew
        cloud.wait_for(_all_agree, PATIENCE_S, "every store as the stub says")
        cloud.wait_for_settled()
        _all_agree(cloud)
    except Exception as error:
        error.add_note("\n".join([f"seed {seed}", *play.done]))
        raise
