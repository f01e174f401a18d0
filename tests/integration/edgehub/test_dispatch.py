"""Which module gets a message from the cloud, and that an answer finds who waits for it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.clock import settle

Document = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("group", ["resource", "func"])
async def test_metadata_goes_to_metamanager(linked: Any, document: Document, group: str) -> None:
    session = await linked.session()
    await session.send(document("insert", group=group, resourceversion="7"))
    message = await linked.meta.receive()
    assert (message.header.id, message.header.resource_version) == ("c-1", "7")
    assert (message.route.source, message.route.group) == ("edgecontroller", group)


@pytest.mark.parametrize(("group", "to"), [("twin", "twin"), ("user", "bus")])
async def test_a_group_of_which_no_module_runs_is_counted_as_such(
    linked: Any,
    document: Document,
    group: str,
    to: str,
) -> None:
    session = await linked.session()
    with capture_logs() as logs:
        await session.send(document(group=group))
        await session.send(document())
        await linked.meta.receive()
    assert linked.counted() == {"module_not_running": 1}
    (entry,) = logs
    assert (entry["detail"], entry["id"]) == (to, "c-1")


async def test_a_group_whose_module_is_built_gets_its_messages(linked: Any, document: Document) -> None:
    twin = linked.bus.register("twin", "twin")
    session = await linked.session()
    await session.send(document(group="twin"))
    assert (await twin.receive()).content in ("cloud_connected", None)


async def test_an_unknown_group_is_counted_and_logged_once(linked: Any, document: Document) -> None:
    session = await linked.session()
    with capture_logs() as logs:
        await session.send(document(group="nonsense"))
        await session.send(document())
        assert (await linked.meta.receive()).route.group == "resource"
    assert linked.counted() == {"unknown_group": 1}
    (entry,) = logs
    assert (entry["event"], entry["detail"], entry["resource"]) == ("bad_input", "nonsense", "default/service/x")


async def test_a_message_without_an_id_is_counted_and_not_delivered(linked: Any, document: Document) -> None:
    session = await linked.session()
    await session.send(document("insert", msg_id=""))
    await session.send(document("delete"))
    assert (await linked.meta.receive()).route.operation == "delete"
    assert linked.counted() == {"no_message_id": 1}


@pytest.mark.parametrize("operation", ["config", "ping", "pong"])
async def test_an_operation_of_the_transport_is_answered_and_not_delivered(
    linked: Any,
    document: Document,
    operation: str,
) -> None:
    session = await linked.session()
    await session.send(document(operation, "x", "ping"))
    await session.send(document())
    answer = await session.frame()
    assert (answer["content"], answer["header"]["parent_msg_id"]) == ("ack", "c-1")
    assert (answer["route"]["operation"], answer["route"]["resource"]) == ("response", "x")
    assert (await linked.meta.receive()).route.operation == "update"


# Answers.


async def test_an_answer_is_handed_to_the_module_that_waits(linked: Any, document: Document) -> None:
    session = await linked.session()
    asking = linked.ask("default/nodestatus/n")
    request = await session.frame()
    await session.send(document("response", "default/node/n", "OK", parent_msg_id=request["header"]["msg_id"]))
    assert (await asking).header.parent_id == request["header"]["msg_id"]
    assert linked.meta.statistics().depth == 0


async def test_e1_an_answer_finds_its_module_however_quick_it_is(linked: Any, document: Document) -> None:
    """Go begins to wait after it has sent: 1 of 60 answers went to MetaManager, and the module waited for 60 s."""
    session = await linked.session()

    async def answer_at_once() -> None:
        for _ in range(200):
            request = await session.frame()
            await session.send(document("response", "default/node/n", "OK", parent_msg_id=request["header"]["msg_id"]))

    answering = asyncio.create_task(answer_at_once())
    answers = await asyncio.gather(*(linked.ask(f"default/pod/{number}") for number in range(200)))
    await answering
    assert len(answers) == 200
    assert linked.meta.statistics().depth == 0


async def test_e1_even_an_answer_to_a_message_that_still_waits_for_the_link_is_handed_over(
    linked: Any,
    document: Document,
) -> None:
    session = await linked.session()
    asking = linked.ask("default/nodestatus/n")
    await settle()
    (message_id,) = linked.waiting_for
    await session.send(document("response", "default/node/n", "OK", parent_msg_id=message_id))
    assert (await asking).route.operation == "response"


async def test_e3_an_answer_is_awaited_as_long_as_the_module_waits(linked: Any, document: Document) -> None:
    """Go's EdgeHub forgets the question after one heartbeat, though the module waits for 60 s."""
    session = await linked.session()
    asking = linked.ask("default/nodestatus/n", timeout_s=60)
    request = await session.frame()
    await linked.clock.advance(59)
    await session.send(document("response", "default/node/n", "OK", parent_msg_id=request["header"]["msg_id"]))
    assert (await asking).header.id == "c-1"


async def test_an_answer_that_comes_too_late_goes_to_metamanager(linked: Any, document: Document) -> None:
    session = await linked.session()
    asking = linked.ask("default/nodestatus/n", timeout_s=60)
    request = await session.frame()
    await linked.clock.advance(60)
    with pytest.raises(Exception, match="timeout to get response"):
        await asking
    await session.send(document("response", "default/node/n", "OK", parent_msg_id=request["header"]["msg_id"]))
    assert (await linked.meta.receive()).route.operation == "response"
