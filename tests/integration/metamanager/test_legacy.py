"""Operations that no cloudcore of 1.3.1 sends, and what the Go edgecore does with them."""

from typing import Any

from edgecore.observe.ledger import DOWN

FUNCTION = "default/function/x"


async def test_an_action_is_stored_counted_and_told_to_nobody(node: Any) -> None:
    await node.from_cloud("action", FUNCTION, {"v": 1}, source="funcmgr")
    while node.ledger.under_way:
        await node.quiet()
    assert await node.quiet()
    assert node.rows() == {FUNCTION: ("function", '{"v":1}')}
    assert node.metrics.bad_input_counts == {("metaManager", "no_edgefunction"): 1}
    assert node.ledger.counts() == {(DOWN, "dropped", "no_edgefunction"): 1}


async def test_the_result_of_an_action_is_stored_and_sent_to_the_cloud(node: Any) -> None:
    sent = await node.from_cloud("action_result", FUNCTION, {"v": 1}, source="edgefunction")
    assert await node.hub.receive() is sent
    assert await node.quiet()
    assert node.rows() == {FUNCTION: ("function", '{"v":1}')}


async def test_neither_replaces_a_row(node: Any) -> None:
    await node.from_cloud("insert", "default/service/x", {"v": 1})
    for operation in ("action", "action_result"):
        await node.from_cloud(operation, "default/service/x", {"v": 2})
    assert (await node.hub.receive()).content == "OK"
    await node.hub.receive()
    assert node.rows() == {"default/service/x": ("service", '{"v":1}')}
