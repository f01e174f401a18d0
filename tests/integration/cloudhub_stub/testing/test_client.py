"""The client of a test, against a control server that notes what it is asked and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from cloudhub_stub.errors import NotFound
from cloudhub_stub.testing.client import CloudClient
from cloudhub_stub.testing.errors import Refused
from edgecore.control.client import ControlClient
from edgecore.control.routes import ControlRefused, ControlRequest
from edgecore.control.server import ControlServer
from edgecore.errors import ControlError

POD = {"kind": "Pod", "metadata": {"name": "a", "namespace": "default"}}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
ROUTES = {
    "GET": ("nodes", "status", "ledger", "objects", "describe", "trace", "holds"),
    "POST": ("apply", "delete", "scale", "messages"),
}


class ScriptedCloud:
    """Answers ``/v1/<name>`` with ``answers[name]``: a value, an error to raise, or a list of events in a tuple."""

    def __init__(self, path: Path) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        routes = {(method, f"/v1/{name}"): self._handler(name) for method, names in ROUTES.items() for name in names}
        self.server = ControlServer(path, routes)
        self.client = CloudClient(ControlClient(path, timeout_s=10))

    def _handler(self, name: str) -> Callable[[ControlRequest], Any]:
        async def handle(request: ControlRequest) -> Any:
            self.asked.append((name, dict(request.query), request.body))
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return _stream(answer) if isinstance(answer, tuple) else answer

        return handle

    async def ask(self, call: Callable[[CloudClient], Any]) -> Any:
        return await asyncio.to_thread(call, self.client)


async def _stream(events: tuple[Any, ...]) -> AsyncIterator[Any]:
    for event in events:
        yield event


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[ScriptedCloud]:
    cloud = ScriptedCloud(tmp_path / "control.sock")
    await cloud.server.start()
    yield cloud
    await cloud.server.stop()


async def test_manifests_are_applied_with_their_places_and_the_outcomes_returned(cloud: ScriptedCloud) -> None:
    outcomes = [{"kind": "ConfigMap", "namespace": "shop", "name": "a", "outcome": "created"}]
    cloud.answers["apply"] = outcomes
    assert await cloud.ask(lambda c: c.apply(CONFIG, "shop")) == outcomes
    [(name, _query, body)] = cloud.asked
    assert name == "apply"
    assert body["dry_run"] is False
    assert [each["object"]["metadata"] for each in body["manifests"]] == [{"name": "a", "namespace": "shop"}]


async def test_what_is_refused_of_manifests_is_an_error_with_a_line_for_each(cloud: ScriptedCloud) -> None:
    done = {"where": "x, document 1", "kind": "Pod", "namespace": "", "name": "a", "outcome": "created"}
    wrong = {**done, "where": "x, document 2", "outcome": "", "error": "spec.containers: is missing"}
    cloud.answers["apply"] = [done, wrong]
    with pytest.raises(Refused) as caught:
        await cloud.ask(lambda c: c.apply([CONFIG, CONFIG]))
    assert str(caught.value) == "cannot apply 1 of 2 objects:\nx, document 2: spec.containers: is missing"


async def test_an_object_is_deleted_by_kind_and_name(cloud: ScriptedCloud) -> None:
    cloud.answers["delete"] = [{"kind": "Pod", "namespace": "default", "name": "a", "outcome": "deleted"}]
    assert await cloud.ask(lambda c: c.delete("po", "a", grace_s=0, wait_s=3)) == "deleted"
    key = {"kind": "Pod", "namespace": "default", "name": "a"}
    assert cloud.asked == [("delete", {}, {"keys": [key], "grace_s": 0, "ignore_not_found": False, "wait_s": 3})]


async def test_deleting_what_is_not_there_is_an_error_unless_it_may_be_missing(cloud: ScriptedCloud) -> None:
    cloud.answers["delete"] = [
        {"kind": "Pod", "namespace": "default", "name": "a", "outcome": "not_found", "error": 'pods "a" not found'}
    ]
    with pytest.raises(NotFound, match='pods "a" not found'):
        await cloud.ask(lambda c: c.delete("pod", "a"))
    assert await cloud.ask(lambda c: c.delete("pod", "a", missing_ok=True)) == "not_found"


async def test_a_deletion_that_fails_is_an_error(cloud: ScriptedCloud) -> None:
    cloud.answers["delete"] = [
        {"kind": "Pod", "namespace": "default", "name": "a", "outcome": "deleting", "error": "its uid is another"}
    ]
    with pytest.raises(Refused, match="Pod a: its uid is another"):
        await cloud.ask(lambda c: c.delete("pod", "a"))


async def test_one_object_is_got_and_what_is_missing_is_not_found(cloud: ScriptedCloud) -> None:
    cloud.answers["objects"] = [POD]
    assert await cloud.ask(lambda c: c.get("pods", "a", "shop")) == POD
    assert await cloud.ask(lambda c: c.find("node", "north")) == POD
    cloud.answers["objects"] = []
    assert await cloud.ask(lambda c: c.find("Pod", "a")) is None
    with pytest.raises(NotFound, match='deployments "a" not found'):
        await cloud.ask(lambda c: c.get("deploy", "a"))
    assert [query for _name, query, _body in cloud.asked[:2]] == [
        {"kind": "Pod", "name": "a", "namespace": "shop"},
        {"kind": "Node", "name": "north"},
    ]


@pytest.mark.parametrize(
    ("call", "query"),
    [
        (lambda c: c.list("pods"), {"kind": "Pod"}),
        (lambda c: c.list("pods", "shop", "app=a,!b"), {"kind": "Pod", "namespace": "shop", "selector": "app=a,!b"}),
        (lambda c: c.list("nodes", "shop"), {"kind": "Node"}),
    ],
)
async def test_objects_are_listed_of_all_namespaces_or_of_one(
    cloud: ScriptedCloud, call: Callable[[CloudClient], Any], query: dict[str, str]
) -> None:
    cloud.answers["objects"] = [POD]
    assert await cloud.ask(call) == [POD]
    assert cloud.asked == [("objects", query, None)]


async def test_a_deployment_is_scaled(cloud: ScriptedCloud) -> None:
    await cloud.ask(lambda c: c.scale("web", 3, current=2))
    key = {"kind": "Deployment", "namespace": "default", "name": "web"}
    assert cloud.asked == [("scale", {}, {**key, "replicas": 3, "current_replicas": 2})]


async def test_what_the_cloud_says_no_to_is_an_error_with_its_words(cloud: ScriptedCloud) -> None:
    cloud.answers["scale"] = ControlRefused(409, "the deployment has 5 pods, not 2")
    with pytest.raises(ControlError, match="the deployment has 5 pods, not 2"):
        await cloud.ask(lambda c: c.scale("web", 3, current=2))


@pytest.mark.parametrize(
    ("call", "asked"),
    [
        (lambda c: c.nodes(), ("nodes", {}, None)),
        (lambda c: c.status(), ("status", {}, None)),
        (lambda c: c.ledger(), ("ledger", {}, None)),
        (lambda c: c.messages("north"), ("trace", {"node": "north"}, None)),
        (
            lambda c: c.describe("svc", "web"),
            ("describe", {"kind": "Service", "namespace": "default", "name": "web"}, None),
        ),
    ],
)
async def test_each_question_is_one_route(
    cloud: ScriptedCloud, call: Callable[[CloudClient], Any], asked: tuple[str, dict[str, str], Any]
) -> None:
    cloud.answers[asked[0]] = {"an": "answer"}
    assert await cloud.ask(call) == {"an": "answer"}
    assert cloud.asked == [asked]


async def test_messages_are_sent_and_what_became_of_them_returned(cloud: ScriptedCloud) -> None:
    cloud.answers["messages"] = ({"event": "accepted"}, {"event": "acknowledged"}, {"event": "finished", "dropped": 0})
    assert await cloud.ask(lambda c: c.send({"route": {}}, node="north")) == {"event": "finished", "dropped": 0}
    assert cloud.asked == [("messages", {}, {"node": "north", "messages": [{"route": {}}], "wait": True})]


async def test_messages_are_sent_without_waiting(cloud: ScriptedCloud) -> None:
    cloud.answers["messages"] = {"event": "accepted"}
    assert await cloud.ask(lambda c: c.send({"route": {}}, wait=False)) == {"event": "accepted"}


async def test_messages_whose_end_is_not_seen_are_an_error(cloud: ScriptedCloud) -> None:
    cloud.answers["messages"] = ({"event": "accepted"},)
    with pytest.raises(Refused, match=r"cannot see the messages to their end: .*accepted"):
        await cloud.ask(lambda c: c.send({"route": {}}))


async def test_an_unknown_kind_is_not_asked_for(cloud: ScriptedCloud) -> None:
    with pytest.raises(Refused, match="cannot ask for 'gadget': no such kind; there are ConfigMap, Deployment, "):
        await cloud.ask(lambda c: c.list("gadget"))
    assert cloud.asked == []


async def test_what_a_node_is_to_have_is_asked_by_its_name(cloud: ScriptedCloud) -> None:
    cloud.answers["holds"] = {"default/pod/a": POD}
    assert await cloud.ask(lambda client: client.holds("north")) == {"default/pod/a": POD}
    assert cloud.asked == [("holds", {"node": "north"}, None)]
