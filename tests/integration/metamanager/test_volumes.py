"""Volume operations of the cloud: asked of edged, answered to the cloud, and in nobody's way."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import msgspec
import pytest

from edgecore.beehive.message import Message, Route, error_to, response_to
from edgecore.clock import settle
from edgecore.modules.metamanager.volumes import VOLUME_OPERATIONS_LIMIT, VOLUME_TIMEOUT_S
from edgecore.observe.ledger import DOWN

Held = Callable[[], AbstractContextManager[None]]
PV = "default/volume/pvc-1"
OPERATIONS = ["createvolume", "deletevolume", "controllerpublishvolume", "controllerunpublishvolume"]
WANTED = '{"name":"pvc-1","capacityRange":{"requiredBytes":"1024"}}'
"""A request as the cloud writes it: a text that holds JSON."""


def _done(node: Any, request: Message, content: Any) -> None:
    assert node.edged.respond(response_to(request, content, node.bus.new_id, node.clock))


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_the_cloud_gets_what_edged_answers(node: Any, operation: str) -> None:
    sent = await node.from_cloud(operation, PV, msgspec.Raw(msgspec.json.encode(WANTED)))
    asked = await node.edged.receive()
    assert asked.header.sync
    assert (asked.header.id, asked.route, asked.content) == (sent.header.id, sent.route, sent.content)
    volume = {"volume": {"volumeId": "pvc-1", "capacityBytes": 1024}}
    _done(node, asked, volume)
    answer = await node.hub.receive()
    assert answer.route == Route("edgecontroller", "resource", "response", PV)
    assert (answer.header.parent_id, answer.header.sync, answer.content) == (sent.header.id, False, volume)
    assert await node.quiet()
    assert node.rows() == {}
    assert node.ledger.counts() == {(DOWN, "delivered", ""): 1}


async def test_what_edged_refuses_is_an_error_to_the_cloud_at_once(node: Any) -> None:
    """Go answers with the content null, once 60 s are over."""
    sent = await node.from_cloud("createvolume", PV, WANTED)
    asked = await node.edged.receive()
    node.edged.respond(error_to(asked, "there is no room", node.bus.new_id, node.clock))
    answer = await node.hub.receive()
    assert answer.route == Route("metaManager", "resource", "error", PV)
    assert (answer.header.parent_id, answer.content) == (sent.header.id, "there is no room")
    assert node.ledger.counts() == {(DOWN, "delivered", ""): 1}


async def test_where_edged_does_not_answer_the_cloud_gets_an_error_after_60_s(node: Any) -> None:
    sent = await node.from_cloud("deletevolume", PV, "{}")
    await node.edged.receive()
    await node.clock.advance(VOLUME_TIMEOUT_S - 1)
    assert await node.quiet()
    await node.clock.advance(1)
    answer = await node.hub.receive()
    assert (answer.route.operation, answer.header.parent_id) == ("error", sent.header.id)
    assert answer.content == f"cannot deletevolume {PV}: timeout to get response"
    assert node.ledger.counts() == {(DOWN, "dropped", "edged_did_not_answer"): 1}


async def test_without_edged_the_cloud_gets_an_error_at_once(node: Any) -> None:
    node.bus.withdraw("edged")
    await node.from_cloud("createvolume", PV, "{}")
    answer = await node.hub.receive()
    assert answer.content == f"cannot createvolume {PV}: bad request module name(edged)"


async def test_no_other_message_waits_for_a_volume(node: Any) -> None:
    """In Go everything does, for up to 60 s."""
    await node.from_cloud("createvolume", PV, "{}")
    await node.from_cloud("insert", "default/service/x", {})
    assert (await node.hub.receive()).content == "OK"
    assert (await node.call(node.mesh, "query", "default/service/x")).content == ["{}"]
    assert node.meta.status()["volume_operations"] == 1
    _done(node, await node.edged.receive(), {})
    assert (await node.hub.receive()).route.resource == PV
    await settle()
    assert node.meta.status()["volume_operations"] == 0


async def test_edged_has_what_came_before_a_volume_before_it(node: Any, commits_held: Held) -> None:
    with commits_held():
        await node.from_cloud("insert", "default/persistentvolume/pv", {})
        await node.from_cloud("createvolume", PV, "{}")
        assert await node.quiet()
    resources = [(await node.edged.receive()).route.resource for _ in range(2)]
    assert resources == ["default/persistentvolume/pv", PV]


async def test_operations_reach_edged_in_the_order_in_which_they_came(node: Any) -> None:
    for operation in OPERATIONS:
        await node.from_cloud(operation, PV, "{}")
    assert [(await node.edged.receive()).route.operation for _ in OPERATIONS] == OPERATIONS


async def test_at_most_16_operations_wait_for_edged(node: Any) -> None:
    for number in range(VOLUME_OPERATIONS_LIMIT + 2):
        await node.from_cloud("createvolume", f"default/volume/v{number}", "{}")
    refused = [await node.hub.receive() for _ in range(2)]
    assert [message.route.resource for message in refused] == ["default/volume/v16", "default/volume/v17"]
    assert {message.route.operation for message in refused} == {"error"}
    assert refused[0].content == (
        "cannot createvolume default/volume/v16: 16 volume operations are under way; try again later"
    )
    assert node.edged.statistics().depth == VOLUME_OPERATIONS_LIMIT == 16
    assert node.ledger.counts() == {(DOWN, "dropped", "too_many_volume_operations"): 2}
    _done(node, await node.edged.receive(), {})  # and there is room again
    await node.hub.receive()
    await node.from_cloud("createvolume", "default/volume/v18", "{}")
    assert await node.quiet() is False
    assert node.edged.statistics().depth == VOLUME_OPERATIONS_LIMIT


async def test_a_repeat_while_the_first_is_under_way_is_asked_once_and_answered_once(node: Any) -> None:
    sent = await node.from_cloud("createvolume", PV, "{}")
    asked = await node.edged.receive()
    await node.deliver(sent)
    assert await node.quiet()
    _done(node, asked, {"volume": {}})
    assert (await node.hub.receive()).header.parent_id == sent.header.id
    assert await node.quiet()
    assert node.ledger.counts() == {(DOWN, "coalesced", "under_way"): 1, (DOWN, "delivered", ""): 1}


async def test_a_repeat_of_one_that_was_answered_is_asked_again(node: Any) -> None:
    """A CSI driver does the same twice without harm; and it alone knows how its volume is now."""
    sent = await node.from_cloud("createvolume", PV, "{}")
    for content in ({"n": 1}, {"n": 2}):
        _done(node, await node.edged.receive(), content)
        answer = await node.hub.receive()
        assert (answer.header.parent_id, answer.content) == (sent.header.id, content)
        await node.deliver(sent)
    await node.edged.receive()


async def test_an_operation_on_what_is_no_volume_is_an_error_and_edged_is_not_asked(node: Any) -> None:
    sent = await node.from_cloud("createvolume", "default/pod/x", "{}")
    answer = await node.hub.receive()
    assert (answer.route.operation, answer.header.parent_id) == ("error", sent.header.id)
    assert await node.quiet()
    assert node.metrics.bad_input_counts == {("metaManager", "wrong_resource"): 1}
    assert node.ledger.counts() == {(DOWN, "dropped", "wrong_resource"): 1}


async def test_an_answer_that_is_no_json_is_an_error(node: Any) -> None:
    """Nothing keeps the cloud from answering its own request, through EdgeHub."""
    await node.from_cloud("createvolume", PV, "{}")
    asked = await node.edged.receive()
    error = error_to(asked, "", node.bus.new_id, node.clock)
    node.hub.respond(Message(error.header, error.route, msgspec.Raw(b"{")))
    answer = await node.hub.receive()
    assert answer.content.startswith(f"cannot createvolume {PV}: cannot decode content")


async def test_what_is_under_way_when_the_node_stops_is_given_up(node: Any) -> None:
    await node.from_cloud("createvolume", PV, "{}")
    await node.edged.receive()
    await node.meta.stop()
    await asyncio.sleep(0)
    assert node.meta.status()["volume_operations"] == 0
    assert node.ledger.under_way == 0
