"""The faults of one stub, without sockets: connections that come and go, commands, scenarios."""

from typing import Any

import pytest
import structlog
from prometheus_client.core import CounterMetricFamily

from cloudhub_stub.errors import FaultRefused, NodeLost
from cloudhub_stub.faults.injector import Injector
from cloudhub_stub.faults.scenario import read_scenario
from cloudhub_stub.faults.socket import FaultySocket
from cloudhub_stub.faults.views import families
from edgecore.clock import VirtualClock, settle


class Fakes:
    """Certificates and tokens that only note what is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def refuse(self, times: int) -> None:
        self.asked.append(f"refuse {times}")

    def expire(self) -> None:
        self.asked.append("expire")


class Connection:
    """One connected node."""

    def __init__(self, injector: Injector, node: str, inner: Any, cable: Any) -> None:
        self.inner = inner
        self.cable = cable
        self.received: list[bytes] = []
        self.socket: FaultySocket = injector.attach(node, inner, cable)

    async def receive(self, data: bytes) -> None:
        self.received.append(data)


@pytest.fixture
def injector(vclock: VirtualClock) -> Injector:
    return Injector(vclock)


@pytest.fixture
def connect(injector: Injector, make_socket: Any, cable: Any) -> Any:
    return lambda node="edge-1": Connection(injector, node, make_socket(), type(cable)())


def scenario(text: str) -> Any:
    return read_scenario(text, "f.yaml")


async def test_at_first_nothing_is_wrong(injector: Injector, connect: Any) -> None:
    connect()
    assert not injector.busy


@pytest.mark.parametrize(("node", "cut"), [("edge-1", ["edge-1"]), (None, ["edge-1", "edge-2"])])
async def test_a_cut_hits_the_node_that_is_named_or_all(
    injector: Injector, connect: Any, spec: Any, node: str | None, cut: list[str]
) -> None:
    connections = {name: connect(name) for name in ("edge-1", "edge-2")}
    rule = injector.inject(spec("cut", **({"node": node} if node else {})))
    assert [name for name, each in connections.items() if each.cable.done] == cut
    assert (rule["fired"], rule["live"]) == (len(cut), False)


@pytest.mark.parametrize("kind", ["cut", "half-open"])
async def test_what_hits_nothing_is_refused_and_not_listed(
    injector: Injector, connect: Any, spec: Any, kind: str
) -> None:
    connect("edge-2")
    with pytest.raises(FaultRefused, match="node edge-1 is not connected"):
        injector.inject(spec(kind, node="edge-1"))
    assert injector.view()["rules"] == []


async def test_a_cut_after_so_many_messages_cuts_the_connection_of_the_last(
    injector: Injector, connect: Any, frame: Any, spec: Any
) -> None:
    injector.inject(spec("cut", every=3))
    first, second = connect("edge-1"), connect("edge-2")
    data = frame("insert", "default/pod/a")
    await first.socket.send(data)
    await second.socket.arrived(data, second.receive)
    await first.socket.send(data)
    assert (first.inner.frames, first.cable.done) == ([data, data], ["aborted"])
    assert (second.received, second.cable.done) == ([data], [])
    with pytest.raises(NodeLost):
        await first.socket.send(data)


async def test_once_nothing_can_go_wrong_any_more_messages_simply_pass_again(
    injector: Injector, connect: Any, frame: Any, spec: Any
) -> None:
    edge = connect()
    injector.inject(spec("drop", times=1))
    assert injector.busy
    await edge.socket.send(frame("insert", "default/pod/a"))
    assert (edge.inner.frames, injector.busy) == ([], False)


async def test_while_a_message_is_late_the_link_is_busy_although_no_rule_waits(
    injector: Injector, connect: Any, frame: Any, spec: Any, vclock: VirtualClock
) -> None:
    edge = connect()
    injector.inject(spec("delay", seconds=2, times=1))
    first, second = frame("insert", "default/pod/a"), frame("insert", "default/pod/b")
    await edge.socket.send(first)
    await edge.socket.send(second)
    assert (edge.inner.frames, injector.busy) == ([], True)
    await vclock.advance(2)
    assert (edge.inner.frames, injector.busy) == ([first, second], False)


async def test_a_node_that_is_back_ends_its_half_open_connection(injector: Injector, connect: Any, spec: Any) -> None:
    old, other = connect("edge-1"), connect("edge-2")
    injector.inject(spec("half-open"))
    assert injector.view()["half_open"] == ["edge-1", "edge-2"]
    connect("edge-1")
    assert (old.cable.done, other.cable.done) == (["frozen", "aborted"], ["frozen"])


async def test_a_connection_that_is_over_is_forgotten(injector: Injector, connect: Any, spec: Any) -> None:
    edge = connect()
    injector.inject(spec("half-open", for_=5))
    injector.detach(edge.socket)
    assert (injector.busy, injector.view()["half_open"]) == (False, [])


async def test_a_frame_that_is_no_message_passes_where_no_rule_wants_it(
    injector: Injector, connect: Any, spec: Any
) -> None:
    edge = connect()
    injector.inject(spec("drop", operation="insert"))
    await edge.socket.arrived(b"\xff{", edge.receive)
    assert edge.received == [b"\xff{"]


async def test_certificates_and_tokens_are_asked_of_those_who_have_them(injector: Injector, spec: Any) -> None:
    fakes = Fakes()
    injector.certifier, injector.tokens = fakes, fakes
    injector.inject(spec("refuse-certificate", times=3))
    injector.inject(spec("refuse-certificate"))
    injector.inject(spec("expire-token"))
    assert fakes.asked == ["refuse 3", "refuse 1", "expire"]
    assert injector.view()["counts"] == {"refuse-certificate": 2, "expire-token": 1}


@pytest.mark.parametrize("kind", ["refuse-certificate", "expire-token"])
def test_without_certificates_their_faults_are_refused(injector: Injector, spec: Any, kind: str) -> None:
    with pytest.raises(FaultRefused, match="this stub"):
        injector.inject(spec(kind))


async def test_a_restart_drops_everybody_and_another_waits_its_turn(
    injector: Injector, connect: Any, spec: Any, vclock: VirtualClock
) -> None:
    edge = connect()
    injector.inject(spec("restart", down=5))
    assert edge.cable.done == ["aborted"]
    assert injector.view()["restarting"]
    with pytest.raises(FaultRefused, match="under way"):
        injector.inject(spec("restart"))
    await vclock.advance(5)
    assert not injector.view()["restarting"]


async def test_a_step_begins_at_its_time(injector: Injector, connect: Any, vclock: VirtualClock) -> None:
    injector.start(scenario("- {at: 5, do: cut}"))
    edge = connect()
    await vclock.advance(4)
    assert edge.cable.done == []
    await vclock.advance(1)
    assert edge.cable.done == ["aborted"]
    assert injector.view()["steps"][0]["state"] == "begun"


async def test_a_step_begins_when_its_node_has_connected_so_often(
    injector: Injector, connect: Any, vclock: VirtualClock
) -> None:
    injector.start(scenario("- {after: {connected: edge-1, nth: 2, wait: 3}, do: {cut: {node: edge-1}}}"))
    for name in ("edge-1", "edge-2"):
        connect(name)
    await vclock.advance(10)
    second = connect("edge-1")
    await vclock.advance(2)
    assert second.cable.done == []
    await vclock.advance(1)
    assert second.cable.done == ["aborted"]


async def test_a_step_begins_after_its_messages(injector: Injector, connect: Any, frame: Any) -> None:
    injector.start(scenario("- {after: {messages: 2, direction: down}, do: {drop: {times: 1}}}"))
    edge = connect()
    frames = [frame("insert", f"default/pod/{number}") for number in range(4)]
    for data in frames:
        await edge.socket.send(data)
    assert edge.inner.frames == [frames[0], frames[1], frames[3]]


async def test_a_step_may_wait_after_its_messages(
    injector: Injector, connect: Any, frame: Any, vclock: VirtualClock
) -> None:
    injector.start(scenario("- {after: {messages: 1, wait: 2}, do: cut}"))
    edge = connect()
    await edge.socket.send(frame("insert", "default/pod/a"))
    assert edge.cable.done == []
    await vclock.advance(2)
    assert edge.cable.done == ["aborted"]


async def test_a_step_that_hits_nothing_says_so(injector: Injector, vclock: VirtualClock) -> None:
    injector.start(scenario("- {at: 1, do: cut}\n- {at: 2, do: {drop: {nth: 1}}}"))
    with structlog.testing.capture_logs() as logs:
        await vclock.advance(2)
    assert [entry["event"] for entry in logs] == ["fault_missed", "fault_added"]
    states = [step["state"] for step in injector.view()["steps"]]
    assert states == ["cannot do cut: no node is connected; `cloudhub-stub nodes` shows who is", "begun"]


async def test_clearing_everything_clears_what_is_left_of_the_scenario(
    injector: Injector, connect: Any, vclock: VirtualClock
) -> None:
    injector.start(scenario("- {at: 1, do: cut}\n- {after: {messages: 1}, do: cut}"))
    assert injector.clear(None) == 1
    edge = connect()
    await vclock.advance(5)
    assert (edge.cable.done, injector.busy) == ([], False)
    assert [step["state"] for step in injector.view()["steps"]] == ["cleared", "cleared"]


async def test_a_step_is_cleared_by_the_id_of_its_rule(injector: Injector) -> None:
    injector.start(scenario("- {after: {messages: 1}, do: cut}\n- {after: {messages: 2}, do: cut}"))
    assert injector.clear("f1") == 1
    assert [step["state"] for step in injector.view()["steps"]] == ["cleared", "waiting"]


async def test_stopping_ends_what_is_half_open_and_what_waits(
    injector: Injector, connect: Any, spec: Any, vclock: VirtualClock
) -> None:
    injector.start(scenario("- {at: 10, do: cut}"))
    edge, other = connect("edge-1"), connect("edge-2")
    injector.inject(spec("half-open", node="edge-1", for_=100))
    await injector.stop()
    await vclock.advance(200)
    assert (edge.cable.done, other.cable.done) == (["frozen", "aborted"], [])


async def test_every_fault_that_fires_is_logged(injector: Injector, connect: Any, frame: Any, spec: Any) -> None:
    edge = connect()
    injector.inject(spec("drop"))
    with structlog.testing.capture_logs() as logs:
        await edge.socket.send(frame("insert", "default/pod/a"))
    assert logs == [
        {
            "event": "fault_fired",
            "log_level": "info",
            "rule": "f1",
            "fault": "drop",
            "node": "edge-1",
            "direction": "down",
            "id": "m1",
            "operation": "insert",
            "resource": "default/pod/a",
        }
    ]
    await settle()


async def test_prometheus_is_shown_every_kind(injector: Injector, connect: Any, spec: Any) -> None:
    connect()
    injector.inject(spec("cut"))
    (family,) = families(injector.faults)
    assert isinstance(family, CounterMetricFamily)
    counts = {sample.labels["fault"]: sample.value for sample in family.samples}
    assert (counts["cut"], counts["drop"], len(counts)) == (1, 0, 8)
