from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from edgecore.clock import VirtualClock, settle
from edgecore.modules.edgemesh.intercept.rootless import Place, RootlessListeners, most_listeners, plan
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.upstream.spec import Transport

WEB = ServiceKey("default", "web")
API = ServiceKey("prod", "api")
ADDRESS = "127.251.0.1"
REBIND_S = 5.0


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(start_ms=7_000)


@pytest.fixture
async def listeners(listen: Any, clock: VirtualClock) -> AsyncIterator[RootlessListeners]:
    listeners = RootlessListeners(listen, clock, REBIND_S)
    yield listeners
    await listeners.stop()


def tcp(*ports: int) -> list[tuple[int, Transport]]:
    return [(port, "tcp") for port in ports]


def place(port: int) -> Place:
    return Place(WEB, ADDRESS, port)


def test_the_plan_opens_what_is_new_and_closes_what_is_not_wanted() -> None:
    assert plan([place(1), place(2)], [place(2), place(3)]) == ((place(1),), (place(3),))


def test_the_plan_for_what_is_there_is_empty() -> None:
    assert plan([place(1)], [place(1)]) == ((), ())


places = st.lists(st.integers(1, 8).map(place))


@given(desired=places, had=places)
def test_the_plan_leads_from_what_is_there_to_what_is_desired(desired: list[Place], had: list[Place]) -> None:
    to_open, to_close = plan(desired, had)

    assert (set(had) - set(to_close)) | set(to_open) == set(desired)
    assert not set(to_open) & set(had)
    assert set(to_close) <= set(had)
    assert len(to_open) == len(set(to_open))


async def test_each_port_of_a_service_is_listened_at_on_its_address(listeners: RootlessListeners, listen: Any) -> None:
    listeners.set(WEB, ADDRESS, tcp(80, 81))
    await settle()

    assert listen.listening == [(ADDRESS, 80), (ADDRESS, 81)]
    assert listeners.problem(place(80)) is None


async def test_a_place_that_was_not_tried_yet_is_pending(listeners: RootlessListeners) -> None:
    listeners.set(WEB, ADDRESS, tcp(80))

    assert listeners.problem(place(80)) == "pending"


async def test_the_same_ports_again_open_nothing(listeners: RootlessListeners, listen: Any) -> None:
    listeners.set(WEB, ADDRESS, tcp(80))
    await settle()
    listeners.set(WEB, ADDRESS, tcp(80))
    await settle()

    assert listen.tried == [(ADDRESS, 80)]


async def test_a_port_that_goes_is_closed_before_set_returns(listeners: RootlessListeners, listen: Any) -> None:
    listeners.set(WEB, ADDRESS, tcp(80, 81))
    await settle()

    listeners.set(WEB, ADDRESS, tcp(81))

    assert listen.listening == [(ADDRESS, 81)]


async def test_the_ports_of_a_removed_service_are_closed_at_once(listeners: RootlessListeners, listen: Any) -> None:
    listeners.set(WEB, ADDRESS, tcp(80, 81))
    listeners.set(API, "127.251.0.2", tcp(80))
    await settle()

    listeners.remove(WEB)

    assert listen.listening == [("127.251.0.2", 80)]


async def test_a_service_removed_before_its_turn_is_not_listened_for(listeners: RootlessListeners, listen: Any) -> None:
    listeners.set(WEB, ADDRESS, tcp(80))
    listeners.remove(WEB)
    await settle()

    assert listen.tried == []


async def test_a_service_removed_while_its_port_is_opened_is_closed_again(
    listeners: RootlessListeners, listen: Any
) -> None:
    listen.open.clear()
    listeners.set(WEB, ADDRESS, tcp(80))
    await settle()
    listeners.remove(WEB)
    listen.open.set()
    await settle()

    assert listen.tried == [(ADDRESS, 80)]
    assert listen.listening == []


async def test_a_port_given_up_and_wanted_again_while_it_is_opened_is_opened_once(
    listeners: RootlessListeners, listen: Any
) -> None:
    listen.open.clear()
    listeners.set(WEB, ADDRESS, tcp(80))
    await settle()
    listeners.remove(WEB)
    listeners.set(WEB, ADDRESS, tcp(80))
    listen.open.set()
    await settle()

    assert listen.tried == [(ADDRESS, 80)]
    assert listen.listening == [(ADDRESS, 80)]


@pytest.mark.parametrize("reason", ["in_use", "no_permission", "no_such_address", "failed"])
async def test_a_port_that_cannot_be_bound_is_listed_with_the_reason(
    listeners: RootlessListeners, listen: Any, reason: str
) -> None:
    listen.refuse(ADDRESS, 80, reason)

    listeners.set(WEB, ADDRESS, tcp(80, 81))
    await settle()

    (failure,) = listeners.not_bound
    assert (failure.place, failure.reason, failure.since_ms) == (place(80), reason, 7_000)
    assert listeners.problem(place(80)) == reason
    assert listen.listening == [(ADDRESS, 81)]


async def test_a_port_that_cannot_be_bound_is_tried_again_until_it_can(
    listeners: RootlessListeners, listen: Any, clock: VirtualClock
) -> None:
    listen.refuse(ADDRESS, 80)
    listeners.set(WEB, ADDRESS, tcp(80))
    await clock.advance(2 * REBIND_S)
    assert len(listen.tried) == 3

    listen.errors.clear()
    await clock.advance(REBIND_S)

    assert listen.listening == [(ADDRESS, 80)]
    assert listeners.not_bound == ()
    await clock.advance(3 * REBIND_S)
    assert len(listen.tried) == 4


async def test_failing_is_logged_when_it_begins_and_when_it_ends(
    listeners: RootlessListeners, listen: Any, clock: VirtualClock
) -> None:
    listen.refuse(ADDRESS, 80)
    with capture_logs() as logs:
        listeners.set(WEB, ADDRESS, tcp(80))
        await clock.advance(4 * REBIND_S)
        listen.errors.clear()
        await clock.advance(REBIND_S)

    assert [line["event"] for line in logs] == ["port_not_bound", "port_bound"]
    assert (logs[0]["service"], logs[0]["port"], logs[0]["reason"]) == ("default/web", 80, "in_use")


async def test_the_time_since_when_a_port_fails_stays_while_it_fails(
    listeners: RootlessListeners, listen: Any, clock: VirtualClock
) -> None:
    listen.refuse(ADDRESS, 80)
    listeners.set(WEB, ADDRESS, tcp(80))
    await clock.advance(4 * REBIND_S)

    assert listeners.not_bound[0].since_ms == 7_000


async def test_a_failing_port_that_is_not_wanted_any_more_is_not_tried_again(
    listeners: RootlessListeners, listen: Any, clock: VirtualClock
) -> None:
    listen.refuse(ADDRESS, 80)
    listeners.set(WEB, ADDRESS, tcp(80))
    await settle()
    listeners.remove(WEB)
    await clock.advance(2 * REBIND_S)

    assert len(listen.tried) == 1
    assert listeners.not_bound == ()


async def test_a_service_removed_while_its_port_fails_leaves_nothing_behind(
    listeners: RootlessListeners, listen: Any
) -> None:
    listen.refuse(ADDRESS, 80)
    listen.open.clear()
    listeners.set(WEB, ADDRESS, tcp(80))
    await settle()
    listeners.remove(WEB)
    listen.open.set()
    await settle()

    assert listeners.not_bound == ()


async def test_an_error_that_nobody_expects_does_not_end_the_opening_of_others(
    listeners: RootlessListeners, listen: Any
) -> None:
    listen.errors[ADDRESS, 80] = ZeroDivisionError("surprise")
    with capture_logs():
        listeners.set(WEB, ADDRESS, tcp(80, 81))
        await settle()

    assert listen.listening == [(ADDRESS, 81)]
    assert listeners.problem(place(80)) == "failed"


async def test_stop_closes_everything_and_tries_nothing_again(
    listeners: RootlessListeners, listen: Any, clock: VirtualClock
) -> None:
    listen.refuse(ADDRESS, 81)
    listeners.set(WEB, ADDRESS, tcp(80, 81))
    await settle()

    await listeners.stop()
    await listeners.stop()
    listeners.set(API, "127.251.0.2", tcp(80))
    await clock.advance(2 * REBIND_S)

    assert listen.listening == []
    assert len(listen.tried) == 2


async def test_stop_ends_an_opening_that_hangs(listeners: RootlessListeners, listen: Any) -> None:
    listen.open.clear()
    listeners.set(WEB, ADDRESS, tcp(80))
    await settle()

    await listeners.stop()

    assert listen.listening == []


async def test_listeners_leave_files_to_others_and_the_next_one_waits_until_another_closes(
    listen: Any, clock: VirtualClock
) -> None:
    listeners = RootlessListeners(listen, clock, REBIND_S, most=2)
    listeners.set(WEB, ADDRESS, tcp(1, 2, 3))
    await settle()
    assert [(one.place.port, one.reason) for one in listeners.not_bound] == [(3, "too_many")]
    assert "raise it" in listeners.not_bound[0].text

    listeners.set(WEB, ADDRESS, tcp(2, 3))
    await clock.advance(REBIND_S)
    await settle()
    assert listeners.not_bound == ()
    await listeners.stop()


def test_a_quarter_of_the_files_is_for_others_than_listeners() -> None:
    assert [most_listeners(files) for files in (1, 1024, 20_000)] == [1, 768, 15_000]
