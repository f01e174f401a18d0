"""The flow table: who is forgotten when, who makes room for whom, and who is refused."""

import pytest

from edgecore.modules.edgemesh.proxy.datagrams.table import LOOK_S, SPARED_S, FlowTable, FlowTables


class StubFlow:
    """A flow that only remembers how it ended."""

    def __init__(self, table: FlowTable["StubFlow"], port: int, silence_s: float = 60.0) -> None:
        self.client = ("10.0.0.1", port)
        self.used_at = 0.0
        self.answered = False
        self.silence_s = silence_s
        self.ended = ""
        self._table = table

    def expire(self) -> None:
        self._end("expired")

    def evict(self) -> None:
        self._end("evicted")

    def _end(self, how: str) -> None:
        assert not self.ended
        self.ended = how
        self._table.remove(self)


@pytest.fixture
def tables() -> FlowTables[StubFlow]:
    return FlowTables(8, 0.5)


@pytest.fixture
def table(tables: FlowTables[StubFlow]) -> FlowTable[StubFlow]:
    return tables.open()


def added(table: FlowTable[StubFlow], port: int, now: float, silence_s: float = 60.0) -> StubFlow:
    flow = StubFlow(table, port, silence_s)
    table.add(flow, now)
    return flow


def test_a_flow_is_found_by_its_client_alone(table: FlowTable[StubFlow]) -> None:
    flow = added(table, 1, 0.0)
    assert table.find(("10.0.0.1", 1)) is flow
    assert table.find(("10.0.0.1", 2)) is None
    assert table.find(("10.0.0.2", 1)) is None


def test_the_same_client_at_two_doors_has_two_flows(tables: FlowTables[StubFlow]) -> None:
    one, other = tables.open(), tables.open()
    first, second = added(one, 1, 0.0), added(other, 1, 0.0)
    assert one.find(first.client) is first
    assert other.find(first.client) is second
    assert tables.flows == 2


def test_a_flow_is_forgotten_when_it_was_silent_for_as_long_as_it_may_be(table: FlowTable[StubFlow]) -> None:
    flow = added(table, 1, 0.0)
    assert table.expire(59.999) is not None
    assert not flow.ended
    assert table.expire(60.0) is None
    assert (flow.ended, len(table), table.find(flow.client)) == ("expired", 0, None)


def test_datagrams_either_way_keep_a_flow(table: FlowTable[StubFlow]) -> None:
    sending, answered, silent = (added(table, port, 0.0) for port in (1, 2, 3))
    table.used(sending, 50.0)
    table.replied(answered, 50.0)
    table.expire(100.0)
    assert (sending.ended, answered.ended, silent.ended) == ("", "", "expired")
    table.expire(110.0)
    assert (sending.ended, answered.ended) == ("expired", "expired")


def test_only_the_first_reply_is_called_the_first(table: FlowTable[StubFlow]) -> None:
    flow = added(table, 1, 0.0)
    assert [table.replied(flow, now) for now in (1.0, 2.0, 3.0)] == [True, False, False]


def test_the_table_is_looked_at_again_when_the_next_flow_is_due(table: FlowTable[StubFlow]) -> None:
    added(table, 1, 0.0, silence_s=2.0)
    table.replied(added(table, 2, 0.5, silence_s=2.0), 0.5)
    assert table.expire(1.0) == 2.0
    assert table.expire(2.0) == 2.5
    assert table.expire(2.5) is None


def test_the_table_is_looked_at_again_soon_even_if_no_flow_is_due_for_long(table: FlowTable[StubFlow]) -> None:
    added(table, 1, 0.0, silence_s=3600.0)
    assert table.expire(10.0) == 10.0 + LOOK_S


def test_a_shorter_silence_holds_for_the_flows_that_are_there(table: FlowTable[StubFlow]) -> None:
    flow = added(table, 1, 0.0, silence_s=3600.0)
    flow.silence_s = 1.0
    table.expire(1.0)
    assert flow.ended == "expired"


def test_a_full_door_forgets_the_flow_that_was_silent_the_longest(table: FlowTable[StubFlow]) -> None:
    flows = [added(table, port, float(port)) for port in range(4)]
    table.used(flows[0], 4.0)
    assert table.make_room(10.0)
    assert [flow.ended for flow in flows] == ["", "evicted", "", ""]


def test_a_flow_that_was_never_answered_makes_room_before_all_others(table: FlowTable[StubFlow]) -> None:
    flows = [added(table, port, float(port)) for port in range(4)]
    for flow in flows[:3]:
        table.replied(flow, 2.0)
    assert table.make_room(10.0)
    assert [flow.ended for flow in flows] == ["", "", "", "evicted"]


def test_flows_of_a_moment_ago_are_spared_and_the_new_one_is_refused(table: FlowTable[StubFlow]) -> None:
    flows = [added(table, port, 0.0) for port in range(4)]
    assert not table.make_room(SPARED_S - 0.001)
    assert not any(flow.ended for flow in flows)
    assert table.make_room(SPARED_S)


def test_a_door_cannot_take_all_the_room_there_is(tables: FlowTables[StubFlow], table: FlowTable[StubFlow]) -> None:
    for port in range(4):
        assert table.make_room(0.0)
        added(table, port, 0.0)
    assert not table.make_room(0.0)
    assert tables.open().make_room(0.0)


def test_without_room_in_all_the_longest_silence_of_all_doors_ends(tables: FlowTables[StubFlow]) -> None:
    doors = [tables.open() for _ in range(3)]
    flows = [added(door, port, 10.0 * number + port) for number, door in enumerate(doors[:2]) for port in range(4)]
    assert tables.flows == tables.max_flows
    assert doors[2].make_room(100.0)
    assert [flow.client[1] for flow in flows if flow.ended] == [0]
    assert flows[0].ended == "evicted"
    assert tables.flows == tables.max_flows - 1


def test_without_room_in_all_a_flow_that_was_answered_is_spared_at_whatever_door(tables: FlowTables[StubFlow]) -> None:
    one, two = tables.open(), tables.open()
    answered = [added(one, port, 0.0) for port in range(4)]
    for flow in answered:
        assert one.replied(flow, 1.0)
    flood = [added(two, port, 20.0 + port) for port in range(4)]
    two.used(flood[0], 30.0)
    assert tables.open().make_room(100.0)
    assert [flow.ended for flow in (*answered, *flood)] == ["", "", "", "", "", "evicted", "", ""]


def test_without_room_in_all_each_new_flow_of_many_doors_ends_the_one_before(tables: FlowTables[StubFlow]) -> None:
    tables.max_flows = 1
    kept = added(tables.open(), 1, 0.0)
    for number in range(1000):
        assert tables.open().make_room(100.0 + number)
        assert kept.ended == "evicted"
        kept = added(tables.open(), 1, 99.0 + number)
    assert tables.flows == 1


def test_removing_what_is_not_there_changes_nothing(tables: FlowTables[StubFlow], table: FlowTable[StubFlow]) -> None:
    flow = added(table, 1, 0.0)
    table.remove(flow)
    again = added(table, 1, 1.0)
    table.remove(flow)
    assert (table.find(again.client), tables.flows, list(table)) == (again, 1, [again])
