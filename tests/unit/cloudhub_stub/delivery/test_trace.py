"""The record of what was sent to each node, and those who watch it."""

import asyncio
import gc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.delivery import trace as traces
from cloudhub_stub.delivery.fates import GivenUp, Settled, Written
from cloudhub_stub.delivery.parcel import Parcel, parcel_of
from cloudhub_stub.delivery.trace import Trace
from edgecore.beehive.message import Header, Message, Route
from edgecore.clock import VirtualClock, settle
from edgecore.observe.ledger import ACKNOWLEDGED, DELIVERED, DROPPED, SUPERSEDED

NODE = "edge-1"


@pytest.fixture
def trace(vclock: VirtualClock) -> Trace:
    return Trace(vclock)


def plain(message_id: str) -> Parcel:
    return parcel_of(Message(Header(message_id), Route("edgecontroller", "resource", "update", "default/pod/p"), {}))


def states(trace: Trace, node: str = NODE) -> list[tuple[str, int]]:
    return [(entry["state"], entry["sends"]) for entry in trace.entries(node)]


def test_a_message_that_was_acknowledged_shows_all_but_its_content(
    trace: Trace, vclock: VirtualClock, parcel: Any
) -> None:
    secret = parcel("default/secret/s", "12", operation="update", id="m1", content={"data": {"p": "geheim"}})
    trace.note(NODE, Written(secret))
    trace.note(NODE, Settled(secret, ACKNOWLEDGED))
    assert trace.entries(NODE) == [
        {
            "id": "m1",
            "at_ms": vclock.now_ms(),
            "operation": "update",
            "resource": "default/secret/s",
            "resource_version": "12",
            "bytes": len(secret.data),
            "lane": "ack",
            "state": "acknowledged",
            "sends": 1,
            "took_ms": 0,
            "reason": "",
        }
    ]
    assert "geheim" not in str(trace.entries(NODE))


async def test_the_time_counts_from_the_first_write_to_the_end(trace: Trace, vclock: VirtualClock, parcel: Any) -> None:
    pod, began_ms = parcel("default/pod/p"), vclock.now_ms()
    for _ in range(3):
        trace.note(NODE, Written(pod))
        await vclock.advance(5.0)
    assert (trace.entries(NODE)[0]["took_ms"], trace.entries(NODE)[0]["sends"]) == (None, 3)
    trace.note(NODE, Settled(pod, ACKNOWLEDGED))
    (entry,) = trace.entries(NODE)
    assert (entry["at_ms"], entry["took_ms"]) == (began_ms, 15_000)


def test_what_was_given_up_and_is_sent_again_is_one_message(trace: Trace, parcel: Any) -> None:
    pod, seen = parcel("default/pod/p"), []
    for fate in (Written(pod), GivenUp(pod), Written(pod), Settled(pod, ACKNOWLEDGED)):
        trace.note(NODE, fate)
        seen += states(trace)
    assert seen == [("sent", 1), ("given_up", 1), ("sent", 2), ("acknowledged", 2)]


def test_what_ends_unwritten_is_there_with_its_reason(trace: Trace, parcel: Any) -> None:
    trace.note(NODE, Settled(parcel("default/pod/p"), SUPERSEDED, "newer_version"))
    (entry,) = trace.entries(NODE)
    assert (entry["state"], entry["reason"], entry["sends"]) == ("superseded", "newer_version", 0)


def test_the_same_id_after_its_end_is_another_entry(trace: Trace, parcel: Any) -> None:
    pod = parcel("default/pod/p", id="m1")
    for fate in (Written(pod), Settled(pod, DROPPED, "link_lost"), Written(pod)):
        trace.note(NODE, fate)
    assert states(trace) == [("dropped", 1), ("sent", 1)]


def test_entries_stand_in_the_order_of_their_first_write(trace: Trace, parcel: Any) -> None:
    first, second = parcel("default/podlist/a", id="m1"), parcel("default/podlist/b", id="m2")
    for fate in (Written(first), Written(second), Settled(second, DELIVERED), Settled(first, DELIVERED)):
        trace.note(NODE, fate)
    assert [entry["id"] for entry in trace.entries(NODE)] == ["m1", "m2"]


def test_nodes_do_not_see_each_other(trace: Trace, parcel: Any) -> None:
    trace.note("a", Written(parcel("default/pod/p")))
    assert trace.entries("b") == []


def test_of_what_is_over_the_last_are_kept_and_of_what_is_not_all(vclock: VirtualClock) -> None:
    trace = Trace(vclock, 2)
    for number in range(5):
        trace.note(NODE, Written(plain(f"m{number}")))
    for number in (0, 1, 2):
        trace.note(NODE, Settled(plain(f"m{number}"), ACKNOWLEDGED))
    assert [entry["id"] for entry in trace.entries(NODE)] == ["m1", "m2", "m3", "m4"]


def test_many_nodes_keep_their_share(vclock: VirtualClock) -> None:
    trace = Trace(vclock, 10, capacity_of_all=4)
    for number in range(4):
        for node in ("a", "b"):
            trace.note(node, Settled(plain(f"m{number}"), DELIVERED))
    assert [len(trace.entries(node)) for node in ("a", "b")] == [2, 2]


def test_beyond_the_limit_the_node_that_was_silent_for_longest_is_forgotten(
    trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "MAX_NODES", 2)
    for node in ("a", "b", "a", "c"):
        trace.note(node, Written(plain("m1")))
    assert [len(trace.entries(node)) for node in ("a", "b", "c")] == [1, 0, 1]


def test_more_open_messages_than_a_queue_holds_are_not_kept(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "MAX_OPEN", 2)
    for number in range(3):
        trace.note(NODE, Written(plain(f"m{number}")))
    assert [entry["id"] for entry in trace.entries(NODE)] == ["m1", "m2"]


async def test_who_watches_gets_each_change_from_then_on(trace: Trace) -> None:
    trace.note(NODE, Written(plain("before")))
    watch = trace.watch(NODE)
    trace.note(NODE, Written(plain("m1")))
    trace.note("other", Written(plain("m2")))
    trace.note(NODE, Settled(plain("m1"), ACKNOWLEDGED))
    seen = [await anext(watch), await anext(watch)]
    assert [(entry["id"], entry["state"]) for entry in seen] == [("m1", "sent"), ("m1", "acknowledged")]


async def test_who_watches_waits_for_the_next_change(trace: Trace) -> None:
    watch = trace.watch(NODE)
    waiting = asyncio.ensure_future(anext(watch))
    await settle()
    assert not waiting.done()
    trace.note(NODE, Written(plain("m1")))
    assert (await waiting)["id"] == "m1"


async def test_who_reads_too_slowly_is_told_how_many_were_missed(trace: Trace) -> None:
    watch = trace.watch(NODE, capacity=2)
    for number in range(5):
        trace.note(NODE, Written(plain(f"m{number}")))
    seen = [await anext(watch) for _ in range(3)]
    assert seen[0] == {"missed": 3}
    assert [entry["id"] for entry in seen[1:]] == ["m3", "m4"]


async def test_a_slow_one_does_not_slow_the_others(trace: Trace) -> None:
    slow, quick = trace.watch(NODE, capacity=1), trace.watch(NODE)
    for number in range(3):
        trace.note(NODE, Written(plain(f"m{number}")))
    assert [(await anext(quick))["id"] for _ in range(3)] == ["m0", "m1", "m2"]
    assert await anext(slow) == {"missed": 2}


async def test_closing_ends_the_waiting(trace: Trace) -> None:
    watch = trace.watch(NODE)
    seen = asyncio.ensure_future(_all(watch))
    await settle()
    watch.close()
    assert await seen == []


async def test_one_that_is_closed_takes_nothing_in_any_more(trace: Trace) -> None:
    watch = trace.watch(NODE)
    watch.close()
    trace.note(NODE, Written(plain("m1")))
    assert await _all(watch) == []


def test_one_that_nobody_holds_is_forgotten(trace: Trace) -> None:
    watch, kept = trace.watch(NODE), trace.watch("other")
    del watch
    gc.collect()
    last = trace.watch("third")
    assert {node: set(held) for node, held in trace._watches.items()} == {"other": {kept}, "third": {last}}


fates = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["written", "given_up", "settled"])), max_size=40)


@given(steps=fates)
def test_whatever_happens_each_open_message_stands_there_once(steps: list[tuple[str, str]]) -> None:
    trace = Trace(VirtualClock(), 3)
    is_open: dict[str, bool] = {}
    for message_id, step in steps:
        made = plain(message_id)
        fate = {"written": Written(made), "given_up": GivenUp(made), "settled": Settled(made, DELIVERED)}[step]
        trace.note(NODE, fate)
        is_open[message_id] = step != "settled"
    shown = trace.entries(NODE)
    still_open = [entry["id"] for entry in shown if entry["took_ms"] is None]
    assert sorted(still_open) == sorted(name for name, is_so in is_open.items() if is_so)
    assert len(shown) - len(still_open) <= 3


async def _all(watch: traces.Watch) -> list[dict[str, Any]]:
    return [entry async for entry in watch]
