"""A link that breaks in every way there is, and both programs killed: nothing is lost, and nothing is done twice.

The load is pods: every pod is inserted, runs, is told to go, and goes. So 2 messages a pod go down, and at least 3 come
up (Running, Succeeded, gone). Meanwhile the connection is cut at every hundredth message, once it is half open, once
the edge and once the cloud is killed.
"""

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edgecore.control.client import ControlClient
from edgecore.errors import ControlError
from edgecore.modules.edgehub.conversation import PROOF_AFTER_S
from edgecore.store.databasefile import peek

NODE = "edge-1"
WAVES = 5
PODS = 20
"""In a wave of a short run."""
ALL_PODS = 100
"""In a wave of a long one; a node runs 110 at a time."""
PATIENCE_S = 60.0
QUICK = {"edgeHub__heartbeat": 1, "edged__nodeStatusUpdateFrequency": 1, "metaManager__podStatusSyncInterval": 5}

Json = dict[str, Any]


class Tap:
    """Writes down every message that MetaManager hands to Edged, over all processes of the node."""

    def __init__(self) -> None:
        self.handed: Counter[str] = Counter()
        self._threads: list[threading.Thread] = []

    def listen(self, node: Any) -> None:
        """Listen until the node is gone; return once nothing can be missed."""
        node.wait_for("control socket", lambda _status: True)
        control = node.control
        begun = threading.Event()
        self._threads.append(threading.Thread(target=self._read, args=(control, begun)))
        self._threads[-1].start()
        assert begun.wait(PATIENCE_S)

    def _read(self, control: ControlClient, begun: threading.Event) -> None:
        try:
            for passage in control.stream("GET", "/v1/tap"):
                begun.set()
                if (passage.get("from"), passage.get("to")) == ("metaManager", "edged"):
                    assert passage["missed"] == 0
                    message = json.loads(passage["message"])
                    if message["route"]["source"] == "edgecontroller":
                        self.handed[message["header"]["msg_id"]] += 1
        except ControlError:
            pass

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


@pytest.fixture
def tap(programs: Any) -> Iterator[Tap]:
    tap = Tap()
    yield tap
    programs.end()
    tap.join()


def _pod(name: str, version: int, **metadata: str) -> Json:
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "resourceVersion": str(version),
            **metadata,
        },
        "spec": {"nodeName": NODE, "containers": [{"name": "main", "image": "nginx"}]},
        "status": {},
    }


def _message(operation: str, pod: Json) -> Json:
    name, version = pod["metadata"]["name"], pod["metadata"]["resourceVersion"]
    return {
        "header": {"msg_id": f"{operation}-{name}", "timestamp": 1, "resourceversion": version},
        "route": {
            "source": "edgecontroller",
            "group": "resource",
            "operation": operation,
            "resource": f"default/pod/{name}",
        },
        "content": pod,
    }


def _journal(cloud: Any) -> list[Json]:
    """Return everything that the cloud took from the node and that had an effect."""
    found: list[Json] = []
    while True:
        after = found[-1]["seq"] if found else 0
        page = cloud.control.get("/v1/journal", {"node": NODE, "after": str(after)})
        if not page:
            return found
        found += page


def _until(what: str, look: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            if look():
                return
        except ControlError:
            pass
        time.sleep(0.05)
    pytest.fail(f"no {what}")


def _running(cloud: Any) -> set[str]:
    """Return the pods that the node says are running: each by itself, or, after a kill, all of them in a list."""
    pods = next(node for node in cloud.control.get("/v1/nodes") if node["name"] == NODE)["pods"]
    return {name.removeprefix("default/") for name, phase in pods.items() if phase == "Running"}


def _gone(cloud: Any) -> set[str]:
    """Return the pods of which the node said that they are gone."""
    return {row["resource"].split("/")[2] for row in _journal(cloud) if row["operation"] == "delete"}


class Outage:
    """Both programs, and what was asked of them."""

    def __init__(self, programs: Any, listen: str, tap: Tap) -> None:
        self._programs = programs
        self._listen = listen
        self._tap = tap
        self.sent: list[str] = []
        self.cloud: Any = None
        self.node: Any = None

    def start_cloud(self) -> None:
        self.cloud = self._programs.cloud(self._listen)
        self.cloud.control.post("/v1/faults", {"fault": "cut", "every": 100})

    def start_node(self) -> None:
        self.node = self._programs.node(NODE, self.cloud, **QUICK)
        self._tap.listen(self.node)

    def hand_in(self, operation: str, pods: list[Json]) -> None:
        """Have the cloud accept a message about each pod."""
        messages = [_message(operation, pod) for pod in pods]
        accepted = self.cloud.control.post("/v1/messages", {"node": NODE, "messages": messages})
        self.sent += accepted["ids"]

    def silence(self) -> None:
        """Make the connection half open, as soon as there is one."""
        fault = {"fault": "half-open", "for": 4}
        _until("connection to be silent on", lambda: self.cloud.control.post("/v1/faults", fault))

    def kill(self, program: Any) -> None:
        """End a program in the middle of its work."""
        time.sleep(0.2)
        program.process.send_signal(signal.SIGKILL)
        program.ended()

    def wait_until(self, what: str, pods: set[str], look: Callable[[Any], set[str]]) -> None:
        _until(what, lambda: look(self.cloud) >= pods)

    def at_peace(self) -> bool:
        """Whether nothing is under way on either side but what the last two statuses of the node brought with them."""
        views = [program.control.get("/v1/ledger") for program in (self.cloud, self.node)]
        return all(message["age_s"] < 3 * PROOF_AFTER_S for view in views for message in view["under_way_messages"])


@pytest.mark.timeout(300)
def test_nothing_is_lost_or_done_twice_whatever_breaks(programs: Any, free_port: Any, tap: Tap, scale: int) -> None:
    pods = PODS if scale == 1 else ALL_PODS
    outage = Outage(programs, f"127.0.0.1:{free_port()}", tap)
    outage.start_cloud()
    outage.start_node()
    for wave in range(WAVES):
        names = [f"p{wave}-{number}" for number in range(pods)]
        outage.hand_in("insert", [_pod(name, 2 * wave + 1) for name in names])
        if wave == 1:
            outage.silence()
        if wave == 2:
            outage.kill(outage.node)
            outage.start_node()
        outage.wait_until("pods that run", set(names), _running)
        gone = "2026-11-21T10:00:00Z"
        outage.hand_in("update", [_pod(name, 2 * wave + 2, deletionTimestamp=gone) for name in names])
        if wave == 3:
            outage.kill(outage.cloud)
            outage.start_cloud()
        outage.wait_until("pods that went", set(names), _gone)
    cloud, node = outage.cloud, outage.node
    cloud.control.delete("/v1/faults", {"all": "true"})
    database = node.directory / "edgecore.db"
    _until("empty outbox", lambda: not peek(database, "SELECT id FROM outbox"))
    _until("peace", outage.at_peace)

    # Down: every message was applied, and none was handed on twice.
    assert len(outage.sent) == 2 * WAVES * pods
    applied = {row[0] for row in peek(database, "SELECT id FROM applied")}
    assert sorted(set(outage.sent) - applied) == []
    assert {message: times for message, times in tap.handed.items() if times > 1} == {}
    # Up: every pod was told to be gone, once; nothing else was taken twice either.
    journal = _journal(cloud)
    assert len(journal) >= 2 * WAVES * pods
    assert max(Counter(row["id"] for row in journal).values()) == 1
    deleted = Counter(row["resource"] for row in journal if row["operation"] == "delete")
    assert deleted == Counter(f"default/pod/p{wave}-{number}" for wave in range(WAVES) for number in range(pods))
    assert peek(database, "SELECT key FROM meta WHERE type = 'pod'") == []
    for program in (cloud, node):
        program.accounts_for_all()
