"""Questions to MetaManager: answered from the rows, or by the cloud."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import msgspec
import pytest

from edgecore.beehive.message import Message, Route, response_to
from edgecore.clock import settle
from edgecore.modules.metamanager.questions import REMOTE_QUERIES, REMOTE_TIMEOUT_S

Held = Callable[[], AbstractContextManager[None]]
CM = "default/configmap/cm"
OBJECT = {"metadata": {"name": "cm", "namespace": "default"}, "data": {"k": "v"}}


def _answer(node: Any, question: Message, content: Any = OBJECT) -> Message:
    """What the cloud answers to ``question``, as EdgeHub decodes it."""
    answer = response_to(question, content, node.bus.new_id, node.clock)
    raw = None if content is None else msgspec.Raw(msgspec.json.encode(content))
    return Message(answer.header, Route("edgecontroller", "resource", "response", question.route.resource), raw)


# Answered from the rows.


async def test_an_answer_from_the_rows_is_a_list_of_texts_from_metamanager(node: Any) -> None:
    await node.from_cloud("insert", "default/service/x", {"v": 1})
    answer = await node.call(node.mesh, "query", "default/service/x")
    assert answer.content == ['{"v":1}']
    assert answer.route == Route("metaManager", "meta", "response", "default/service/x")


async def test_an_answer_without_rows_is_null(node: Any) -> None:
    assert (await node.call(node.mesh, "query", "default/service/x")).content is None
    assert (await node.call(node.mesh, "query", "all/service")).content is None


async def test_a_list_query_keeps_to_its_namespace(node: Any) -> None:
    """Go answers with the pods of all namespaces (bug M3)."""
    await node.from_cloud("insert", "default/pod/a", {"v": 1})
    await node.from_cloud("insert", "kube-system/pod/b", {"v": 2})
    assert (await node.call(node.edged, "query", "default/pod")).content == ['{"v":1}']


@pytest.mark.parametrize(
    ("resource", "receiver"),
    [
        ("default/service/x", "mesh"),
        ("default/endpoints/x", "mesh"),
        ("default/listener/default.x", "mesh"),
        ("default/pod", "edged"),
        ("default/podlist/x", "edged"),
        (CM, "edged"),
    ],
)
async def test_who_does_not_wait_is_answered_in_the_mailbox(node: Any, resource: str, receiver: str) -> None:
    question = node.edged.build(Route("edged", "edged", "query", resource))
    await node.edged.send("metaManager", question)
    answer = await getattr(node, receiver).receive()
    assert answer.header.parent_id == question.header.id
    assert answer.route == Route("metaManager", "edged", "response", resource)
    assert await node.quiet()


async def test_a_query_of_the_cloud_gets_no_answer_there(node: Any) -> None:
    """As in Go (recorded: probe_edge, "query from cloud")."""
    await node.from_cloud("query", "default/service/x")
    await node.mesh.receive()
    assert await node.quiet()


async def test_a_question_without_a_type_is_an_error_to_who_asked(node: Any) -> None:
    answer = await node.call(node.edged, "query", "x")
    assert answer.route.operation == "error"
    assert node.metrics.bad_input_counts == {("metaManager", "wrong_resource"): 1}


# Answered by the cloud.


async def test_what_is_not_stored_is_asked_of_the_cloud_stored_answered_and_acknowledged(node: Any) -> None:
    await node.connected()
    asked = node.ask(node.edged, CM)
    question = await node.hub.receive()
    assert question.route == Route("edged", "meta", "query", CM)
    assert question.content is None
    answer = _answer(node, question)
    assert node.hub.respond(answer)
    reply = await asked
    assert reply.route == Route("edgecontroller", "resource", "response", CM)
    assert msgspec.json.decode(reply.content) == OBJECT
    ack = await node.hub.receive()
    assert ack.header.parent_id == answer.header.id
    assert (ack.route, ack.content) == (Route("edgecontroller", "resource", "response", CM), "OK")
    assert {key: msgspec.json.decode(value) for key, (_, value) in node.rows().items()} == {CM: OBJECT}
    assert (await node.call(node.edged, "query", CM)).route.source == "metaManager"  # the rows know now


async def test_the_cloud_is_asked_under_an_id_of_its_own(node: Any) -> None:
    """Else the cloud's answer would be taken for the answer to the module's own request."""
    await node.connected()
    request = node.edged.build(Route("edged", "meta", "query", CM))
    asked = asyncio.create_task(node.edged.send_sync("metaManager", request))
    question = await node.hub.receive()
    assert question.header.id != request.header.id
    node.hub.respond(_answer(node, question))
    assert (await asked).header.parent_id == request.header.id


async def test_the_clouds_answer_is_handed_on_after_its_commit(node: Any, commits_held: Held) -> None:
    await node.connected()
    asked = node.ask(node.edged, CM)
    question = await node.hub.receive()
    with commits_held():
        node.hub.respond(_answer(node, question))
        assert await node.quiet()
        assert not asked.done()
    await asked
    assert CM in node.rows()


async def test_who_does_not_wait_gets_the_clouds_answer_in_the_mailbox(node: Any) -> None:
    await node.connected()
    await node.edged.send("metaManager", node.edged.build(Route("edged", "meta", "query", CM)))
    node.hub.respond(_answer(node, await node.hub.receive()))
    assert msgspec.json.decode((await node.edged.receive()).content) == OBJECT


async def test_without_a_link_nothing_is_asked(node: Any) -> None:
    assert (await node.call(node.edged, "query", CM)).content is None
    await node.connected()
    await node.connected("cloud_disconnected")
    assert (await node.call(node.edged, "query", CM)).content is None
    assert node.hub.statistics().received == 0


async def test_m7_without_an_answer_of_the_cloud_the_stored_row_is_the_answer(node: Any) -> None:
    """Go answers with an error that reaches nobody (M7, B1); who asks waits 60 s here as there."""
    await node.from_cloud("insert", "default/node/n", {"v": 1})
    await node.hub.receive()
    await node.connected()
    asked = node.ask(node.edged, "default/node/n")  # a node is asked of the cloud even when it is stored
    await node.hub.receive()
    await node.clock.advance(REMOTE_TIMEOUT_S)
    answer = await asked
    assert (answer.route.source, answer.content) == ("metaManager", ['{"v":1}'])


async def test_what_the_cloud_says_it_has_not_is_answered_at_once_and_not_acknowledged(node: Any) -> None:
    """Our stub says so; a cloudcore is silent (10.2)."""
    await node.connected()
    asked = node.ask(node.edged, CM)
    question = await node.hub.receive()
    refusal = 'configmaps "c" not found'
    answer = _answer(node, question, refusal)
    assert node.hub.respond(msgspec.structs.replace(answer, route=Route("edgecontroller", "resource", "error", CM)))
    assert (await asked).content is None
    assert await node.quiet()
    assert node.rows() == {}
    assert not node.metrics.bad_input_counts


async def test_m7_a_late_answer_of_the_cloud_is_stored_all_the_same(node: Any) -> None:
    await node.connected()
    asked = node.ask(node.edged, CM)
    question = await node.hub.receive()
    await node.clock.advance(REMOTE_TIMEOUT_S)
    assert (await asked).content is None
    late = _answer(node, question)
    assert not node.hub.awaited(late.header.parent_id)  # so EdgeHub hands it to the group
    await node.hub.send_to_group("meta", late)
    assert (await node.edged.receive()) is late
    assert CM in node.rows()


async def test_m7_at_most_64_questions_wait_for_the_cloud(node: Any) -> None:
    """Go starts a goroutine for each."""
    await node.connected()
    asked = [node.ask(node.edged, f"default/secret/{i}") for i in range(REMOTE_QUERIES + 6)]
    await settle(50)
    assert node.hub.statistics().depth == REMOTE_QUERIES == 64
    assert [task.done() for task in asked] == [False] * REMOTE_QUERIES + [True] * 6
    assert (await asked[-1]).content is None
    await node.meta.stop()
    assert node.meta.status()["asking_cloud"] == 0
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)


@pytest.mark.parametrize("content", ["OK", "", None, 3, ["text", 1]], ids=repr)
async def test_m2_an_answer_of_the_cloud_that_is_no_object_is_not_stored(node: Any, content: Any) -> None:
    """Go stores whatever comes, and an offline query cannot be read."""
    await node.from_cloud("insert", "default/node/n", {"v": 1})
    await node.hub.receive()
    await node.connected()
    asked = node.ask(node.edged, "default/node/n")
    question = await node.hub.receive()
    answer = _answer(node, question, content)
    node.hub.respond(answer)
    assert (await asked).content == ['{"v":1}']
    assert (await node.hub.receive()).header.parent_id == answer.header.id  # else the cloud sends it again
    assert node.rows() == {"default/node/n": ("node", '{"v":1}')}


async def test_an_answer_that_cannot_be_stored_falls_back_to_the_rows(node: Any) -> None:
    await node.connected()
    asked = node.ask(node.edged, "default/configmap/refused")
    node.hub.respond(_answer(node, await node.hub.receive()))
    assert (await asked).content is None
    assert await node.quiet()  # no ack: the cloud sends it again


async def test_an_error_of_the_cloud_falls_back_to_the_rows(node: Any) -> None:
    await node.connected()
    asked = node.ask(node.edged, CM)
    question = await node.hub.receive()
    error = Message(_answer(node, question).header, Route("", "resource", "error", CM), "no such configmap")
    node.hub.respond(error)
    assert (await asked).content is None
    assert node.rows() == {}
