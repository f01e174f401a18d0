"""The typed client and MetaManager, over the bus: what is changed is stored, told to the cloud, and found again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from edgecore.beehive.message import Route, response_to, with_sender
from edgecore.metaclient import MetaClient

Ask = Callable[[MetaClient], Awaitable[Any]]
OBJECT = {"metadata": {"name": "x", "namespace": "ns"}}
TEXT = msgspec.json.encode(OBJECT)


@pytest.fixture
def client(node: Any) -> MetaClient:
    return MetaClient(node.edged, "edged")


ONE: dict[str, Ask] = {
    "service": lambda c: c.service("ns", "x"),
    "endpoints": lambda c: c.endpoints("ns", "x"),
    "podlist": lambda c: c.pod_list("ns", "x"),
    "configmap": lambda c: c.config_map("ns", "x"),
    "secret": lambda c: c.secret("ns", "x"),
    "node": lambda c: c.node("ns", "x"),
    "persistentvolume": lambda c: c.persistent_volume("ns", "x"),
    "persistentvolumeclaim": lambda c: c.persistent_volume_claim("ns", "x"),
    "volumeattachment": lambda c: c.volume_attachment("ns", "x"),
}
ASKED_OF_THE_CLOUD = sorted(ONE.keys() - {"service", "podlist"})


@pytest.mark.parametrize("kind", ONE)
async def test_without_a_link_a_stored_object_is_found_and_no_other(node: Any, client: MetaClient, kind: str) -> None:
    assert await ONE[kind](client) is None
    await node.from_cloud("insert", f"ns/{kind}/x", OBJECT)
    assert await ONE[kind](client) == TEXT


@pytest.mark.parametrize("kind", ASKED_OF_THE_CLOUD)
async def test_what_is_not_stored_comes_from_the_cloud(node: Any, client: MetaClient, kind: str) -> None:
    await node.connected()
    asked = asyncio.ensure_future(ONE[kind](client))
    question = await node.hub.receive()
    assert question.route == Route("edged", "meta", "query", f"ns/{kind}/x")
    answer = response_to(question, msgspec.Raw(TEXT), node.bus.new_id, node.clock)
    node.hub.respond(with_sender(answer, "edgecontroller", "resource"))
    assert await asked == TEXT
    assert (await node.hub.receive()).content == "OK"
    await node.connected("cloud_disconnected")
    assert await ONE[kind](client) == TEXT  # from the rows, in the other form


async def test_lists_keep_to_their_namespace(node: Any, client: MetaClient) -> None:
    for namespace in ("a", "b"):
        for kind in ("service", "pod", "podstatus"):
            await node.from_cloud("insert", f"{namespace}/{kind}/x", namespace)
    for ask in (client.services, client.pods, client.pod_statuses):
        assert await ask() == [b'"a"', b'"b"']
        assert await ask("a") == [b'"a"']
        assert await ask("c") == []


CHANGES: list[tuple[Ask, str, str, Any]] = [
    (lambda c: c.update_node("ns", "x", OBJECT), "update", "ns/node/x", OBJECT),
    (lambda c: c.update_node_status("ns", "x", {"UID": "u"}), "update", "ns/nodestatus/x", {"UID": "u"}),
    (lambda c: c.update_pod_status("ns", "x", {"UID": "u"}), "update", "ns/podstatus/x", {"UID": "u"}),
    (lambda c: c.create_volume_attachment("ns", "x", OBJECT), "insert", "ns/volumeattachment/x", OBJECT),
    (lambda c: c.delete_volume_attachment("ns", "x"), "delete", "ns/volumeattachment/x", None),
    (lambda c: c.delete_pod("ns", "x", "u"), "delete", "ns/pod/x", "u"),
]


@pytest.mark.parametrize(("change", "operation", "resource", "content"), CHANGES)
async def test_a_change_is_answered_after_its_commit_and_sent_to_the_cloud(
    node: Any, client: MetaClient, change: Ask, operation: str, resource: str, content: Any
) -> None:
    await change(client)
    stored = {} if operation == "delete" else {resource: msgspec.json.encode(content).decode()}
    assert {key: value for key, (_, value) in node.rows().items()} == stored
    told = await node.hub.receive()
    assert (told.route, told.content) == (Route("edged", "meta", operation, resource), content)
    if "/pod/" in resource:
        assert (await node.mesh.receive()).route == told.route
    assert await node.quiet()  # and nothing is acknowledged: nobody sent it to us


async def test_m5_a_volumeattachment_lives_and_goes(node: Any, client: MetaClient) -> None:
    """Go acknowledges both to the cloud, which sent neither, and leaves who asked without an answer."""
    await client.create_volume_attachment("ns", "x", OBJECT)
    assert await client.volume_attachment("ns", "x") == TEXT
    await client.delete_volume_attachment("ns", "x")
    assert await client.volume_attachment("ns", "x") is None
    assert [(await node.hub.receive()).route.operation for _ in range(2)] == ["insert", "delete"]
    assert await node.quiet()


async def test_a_listener_lives_and_goes(node: Any) -> None:
    client = MetaClient(node.mesh, "edgemesh")
    assert await client.listener("ns", "x") is None
    await client.set_listener("ns", "x", "127.251.0.1")
    assert node.rows() == {"default/listener/ns.x": ("listener", '"127.251.0.1"')}
    assert await client.listener("ns", "x") == "127.251.0.1"
    await client.delete_listener("ns", "x")
    assert await client.listener("ns", "x") is None
    assert await node.quiet()
