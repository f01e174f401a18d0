"""What our stub sends for the objects of the recordings, made and changed as they were: what the Go cloud sent.

Once with nobody but the user making objects, as in the recorded cluster: the recordings are one cluster's life, and are
played as such. And once, each recording by itself, with all controllers, of which the one for Endpoints makes what the
recorded user made by hand.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cloudhub_stub.cluster.kinds import ObjectKey
from cloudhub_stub.controllers.names import CONTROLLERS
from edgecore.clock import VirtualClock
from edgecore.ids import NewId
from edgecore.recording.entries import CloudFrame, ConnectionEvent, Direction
from edgecore.recording.frames import Frame, read_frame
from edgecore.recording.session import Recording
from edgecore.verdict.verdict import Difference, Verdict
from fidelity.clusterplay import ClusterPlay, Played
from fidelity.clusterrules import BY_CONTROLLER, BY_HAND, ClusterRules, Rule
from fidelity.history import NAMES, read_recording
from fidelity.meaning import Compared, Meaning, Said, compare, is_awaited
from fidelity.wholestub import GO, OURS, WholeStub, Written

pytestmark = pytest.mark.timeout(200)

LEDGER = Path(__file__).parents[3] / "docs" / "fidelity.md"
CONNECTED = NAMES[0]
CONTROLLED = NAMES[1], NAMES[4], NAMES[5], NAMES[6], NAMES[8]
APART_S = 10.0
"""How far from each other the two clouds sent the same: Go's SyncController looks around every 5 s."""
LONG_APART_S = {NAMES[2]: 20.0, NAMES[8]: 120.0}
"""The same where Go's cloud sends at its start what ours sends upon a status; and where it took 80 s."""

NAMED: dict[str, Counter[str]] = {
    NAMES[0]: Counter(CS12=9),
    NAMES[1]: Counter(CS12=19, CS26=1),
    NAMES[2]: Counter(CS12=3, CS29=7, CS30=3),
    NAMES[3]: Counter(CS12=1, CS28=12, CS30=2, CS33=1),
    NAMES[4]: Counter(CS12=2, CS29=11),
    NAMES[5]: Counter(C2=11, CS12=13, CS32=1, CS33=3),
    NAMES[6]: Counter(CS12=9),
    NAMES[7]: Counter(C11=1, CS12=12, CS31=6, CS32=1, CS33=2, H3=1, H4=1),
    NAMES[8]: Counter(CS12=10),
}
"""How often which line of docs/fidelity.md explains a message, a field or an order."""
NAMED_CONTROLLED: dict[str, Counter[str]] = {
    NAMES[1]: Counter(CS12=19, CS26=1, CS34=10, CS35=11),
    NAMES[4]: Counter(CS12=3, CS34=5, CS35=4),
    NAMES[5]: Counter(C2=11, CS12=13, CS32=1, CS33=3),
    NAMES[6]: Counter(CS12=9),
    NAMES[8]: Counter(CS12=10, CS34=1750, CS36=3000, CS37=102),
}


class Result(NamedTuple):
    """What came of playing some recordings."""

    played: dict[str, Played]
    compared: dict[str, Compared]
    meaning: Meaning
    stub: WholeStub


def play(recordings: list[Recording], rules: ClusterRules, controllers: tuple[str, ...] = ()) -> Result:
    """Play recordings to a new stub, and compare what it sent."""

    async def run() -> tuple[ClusterPlay, dict[str, Played]]:
        cluster = ClusterPlay(controllers)
        return cluster, await cluster.play(recordings)

    cluster, played = asyncio.run(run())
    meaning = Meaning(cluster.uids, apart_s=APART_S)
    compared = {}
    for one in recordings:
        meaning.apart_ms = 1000 * LONG_APART_S.get(one.name, APART_S)
        ours = [
            Said(written.at_ms, frame, written.link, cluster.stub.is_awaited(frame.id))
            for written, frame in played[one.name].written
        ]
        compared[one.name] = compare(one.name, said_by_go(one), ours, meaning, rules)
    return Result(played, compared, meaning, cluster.stub)


def said_by_go(recording: Recording) -> list[Said]:
    """Return what the Go cloud sent in a recording."""
    found = []
    for entry in recording.entries:
        if isinstance(entry, CloudFrame) and entry.direction == Direction.TO_EDGE:
            frame = recording.frames[entry.line]
            assert isinstance(entry.link, int)
            found.append(Said(entry.t_ns // 1_000_000, frame, entry.link, is_awaited(frame)))
    return found


@pytest.fixture(scope="module")
def recordings() -> dict[str, Recording]:
    return {name: read_recording(name) for name in NAMES}


@pytest.fixture(scope="module")
def by_hand(recordings: dict[str, Recording]) -> Result:
    return play(list(recordings.values()), BY_HAND)


@pytest.fixture(scope="module")
def by_controller(recordings: dict[str, Recording]) -> dict[str, Result]:
    return {name: play([recordings[CONNECTED], recordings[name]], BY_CONTROLLER, CONTROLLERS) for name in CONTROLLED}


@pytest.mark.parametrize("name", NAMES)
def test_our_stub_sends_what_the_go_cloud_sent(
    name: str, by_hand: Result, report: Callable[[str, Verdict], None]
) -> None:
    found = by_hand.compared[name]
    report(f"cluster, {name}", as_comparison(name, found))
    assert not found.faults, "\n" + "\n".join(map(str, found.faults[:20]))
    assert found.named == NAMED[name]


@pytest.mark.parametrize("name", CONTROLLED)
def test_our_controllers_make_what_the_recorded_user_made(
    name: str, by_controller: dict[str, Result], report: Callable[[str, Verdict], None]
) -> None:
    found = by_controller[name].compared[name]
    report(f"controllers, {name}", as_comparison(name, found))
    assert not found.faults, "\n" + "\n".join(map(str, found.faults[:20]))
    assert found.named == NAMED_CONTROLLED[name]


def as_comparison(name: str, found: Compared) -> Verdict:
    """Return the same for the table at the end of a run."""
    return Verdict(
        recording=name,
        compared=Counter({"": found.recorded}),
        equal=Counter({"": found.equal}),
        explained=Counter({"": found.explained}),
        used=found.named,
        differences=[
            Difference(kind="", what=one.where, path=one.path, recorded=one.recorded, ours=one.ours)
            for one in found.faults
        ],
    )


def test_versions_grow_as_the_recorded_ones(by_hand: Result) -> None:
    assert by_hand.meaning.disorder() == []


def test_no_id_of_ours_stands_for_two_recorded_ones(by_hand: Result) -> None:
    assert by_hand.meaning.shared() == []


@pytest.mark.parametrize("rules", [BY_HAND, BY_CONTROLLER], ids=["by hand", "by controller"])
def test_every_rule_explains_something(rules: ClusterRules, by_hand: Result, by_controller: dict[str, Result]) -> None:
    results = [by_hand] if rules is BY_HAND else list(by_controller.values())
    used: set[Rule] = {rule for result in results for one in result.compared.values() for rule in one.rules}
    assert rules.every - used == set()


def test_every_rule_has_its_line_in_the_ledger() -> None:
    cells = (line.split("|")[1] for line in LEDGER.read_text("utf-8").splitlines() if line.startswith("|"))
    known = {line_id.strip() for cell in cells for line_id in cell.split(",")}
    assert {rule.ledger for rule in (*BY_HAND.every, *BY_CONTROLLER.every)} <= known


def test_every_message_of_the_play_is_explained(by_hand: Result) -> None:
    assert by_hand.stub.ledger.unexplained == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_go_cloud_waits_for_each_acknowledgement_that_we_wait_for(
    name: str, recordings: dict[str, Recording]
) -> None:
    """The rule by which the lanes are compared is what was recorded: one message at a time is awaited."""
    waiting = ""
    for entry in recordings[name].entries:
        if isinstance(entry, ConnectionEvent):
            waiting = ""
        elif isinstance(entry, CloudFrame):
            frame = recordings[name].frames[entry.line]
            if entry.direction == Direction.TO_CLOUD:
                waiting = "" if frame.parent == waiting else waiting
            elif is_awaited(frame):
                assert waiting in ("", frame.id)
                waiting = frame.id


def test_a_silent_edge_is_dropped_when_the_go_cloud_dropped_it(
    by_hand: Result, recordings: dict[str, Recording]
) -> None:
    name = NAMES[7]
    (dropped,) = (
        entry
        for entry in recordings[name].entries
        if isinstance(entry, ConnectionEvent) and entry.direction == Direction.TO_EDGE and entry.event == "eof"
    )
    assert by_hand.played[name].ended == {6: pytest.approx(dropped.t_ns / 1e6, abs=100)}


# The bugs of the Go controllers that can be seen in this.


def test_c1_every_message_says_what_is_to_be_done(by_hand: Result, by_controller: dict[str, Result]) -> None:
    plays = [*by_hand.played.values(), *(one for each in by_controller.values() for one in each.played.values())]
    operations = {frame.route[2] for one in plays for _, frame in one.written}
    assert operations == {"insert", "update", "delete", "response", "ping"}


@pytest.mark.parametrize("resource", ["default/configmap/cm1", "default/secret/s1"])
def test_c2_what_configuration_is_deleted_is_said_at_once_and_whole(
    resource: str, by_hand: Result, recordings: dict[str, Recording]
) -> None:
    name = NAMES[5]
    (ours,) = sent(by_hand.played[name], "delete", resource)
    (theirs,) = (one for one in said_by_go(recordings[name]) if one.frame.route[2:] == ("delete", resource))
    assert ours[0].at_ms <= theirs.at_ms - 100
    assert ours[1].document["content"]["data"]


def test_c11_what_was_given_up_is_sent_when_the_node_comes_back(by_hand: Result) -> None:
    links = [written.link for written, _ in sent(by_hand.played[NAMES[7]], "insert", "default/service/new-svc")]
    assert links == [6, 6, 6, 6, 7]


def sent(played: Played, operation: str, resource: str) -> list[tuple[Written, Frame]]:
    """Return what our stub sent about something."""
    return [one for one in played.written if one[1].route[2:] == (operation, resource)]


# What the recordings do not show.


class Edge:
    """A node that says something and keeps what it hears."""

    def __init__(self, clock: VirtualClock, new_id: NewId) -> None:
        self.heard: list[Frame] = []
        self.stub = WholeStub(clock, new_id, frozenset(CONTROLLERS), self._take)
        self._clock = clock
        self._count = 0

    async def say(self, operation: str, resource: str, content: Any, source: str = "edged") -> list[Frame]:
        """Say something; return what is heard upon it."""
        self.heard.clear()
        self._count += 1
        header = {"msg_id": f"said-{self._count}", "timestamp": 1}
        route = {"source": source, "group": "meta", "operation": operation, "resource": resource}
        await self.stub.receive(json.dumps({"header": header, "route": route, "content": content}))
        await self._clock.advance(0.02)
        return list(self.heard)

    def _take(self, written: Written) -> None:
        self.heard.append(read_frame(written.text, len(self.heard)))


@pytest.fixture
async def edge(vclock: VirtualClock, ids: NewId) -> AsyncIterator[Edge]:
    edge = Edge(vclock, ids)
    yield edge
    await edge.stub.stop()


@pytest.mark.parametrize("kind", ["configmap", "secret", "service", "endpoints"])
async def test_an_object_that_is_not_there_is_told_to_our_edge(edge: Edge, kind: str) -> None:
    edge.stub.connect(1, OURS)
    (answer,) = await edge.say("query", f"default/{kind}/nope", None)
    assert answer.route[2:] == ("error", f"default/{kind}/nope")
    assert (answer.parent, answer.document["content"]) == ("said-1", f'{plural(kind)} "nope" not found')


@pytest.mark.parametrize("kind", ["configmap", "secret", "service", "endpoints"])
async def test_an_object_that_is_not_there_meets_silence_at_a_go_edge(edge: Edge, kind: str) -> None:
    edge.stub.connect(1, GO)
    assert await edge.say("query", f"default/{kind}/nope", None) == []


async def test_a_question_for_all_devices_meets_silence(edge: Edge) -> None:
    edge.stub.connect(1, GO)
    assert await edge.say("get", "membership/detail", "{}", source="twin") == []


async def test_a_status_makes_the_node_of_a_stub_that_lost_its_state(edge: Edge) -> None:
    edge.stub.connect(1, GO)
    status = {"UID": "u", "Status": {"conditions": [{"type": "Ready", "status": "True"}]}, "ExtendResources": None}
    heard = await edge.say("update", "default/nodestatus/edge-node1", status)
    assert [frame.document["content"] for frame in heard if frame.parent] == ["OK"]
    assert "namespace/servicelist/service" in [frame.resource for frame in heard]
    node = edge.stub.plane.registry.get(ObjectKey("Node", "", "edge-node1"))
    assert node is not None
    assert node["metadata"]["labels"]["node-role.kubernetes.io/edge"] == ""


async def test_c7_c8_a_thousand_reports_start_no_workers(edge: Edge) -> None:
    edge.stub.connect(1, GO)
    before = len(asyncio.all_tasks())
    most = before
    for number in range(500):
        await edge.stub.receive(report(number, "device/led/twin/edge_updated", {"twin": {}}, "twin"))
        await edge.stub.receive(report(number, f"default/pod/p{number}", "uid", "edged", "delete"))
        most = max(most, len(asyncio.all_tasks()))
    assert most <= before + 1  # one that writes


def report(number: int, resource: str, content: Any, source: str, operation: str = "update") -> str:
    """Return what an edge reports."""
    header = {"msg_id": f"{resource}-{number}", "timestamp": 1}
    route = {"source": source, "group": "resource", "operation": operation, "resource": resource}
    return json.dumps({"header": header, "route": route, "content": content})


def plural(kind: str) -> str:
    """Return the name of a kind in an error of the API."""
    return kind if kind.endswith("s") else f"{kind}s"
