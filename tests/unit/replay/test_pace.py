"""Time in a replay."""

import math

from edgecore.replay.pace import STUCK_TURNS, TURNS, VirtualPace


async def test_time_moves_at_once_where_nothing_is_due() -> None:
    pace = VirtualPace(5, math.inf)
    await pace.pass_time(3600.5, lambda: 0)
    assert pace.clock.now_ms() == 3_600_505


async def test_calls_that_fall_due_are_made_at_their_time() -> None:
    pace = VirtualPace(0, math.inf)
    made: list[float] = []
    pace.clock.call_at(0.25, lambda: made.append(pace.clock.monotonic()))
    pace.clock.call_at(7.5, lambda: made.append(pace.clock.monotonic()))
    await pace.pass_time(10.0, lambda: 0)
    assert made == [0.25, 7.5]
    assert pace.clock.monotonic() == 10.0


async def test_a_node_that_never_comes_to_an_end_is_not_waited_for() -> None:
    asked = 0

    def busy() -> int:
        nonlocal asked
        asked += 1
        return 1

    pace = VirtualPace(0, math.inf)
    await pace.quiet(busy)
    assert asked <= STUCK_TURNS + 2
    asked = 0
    await pace.quiet(busy)
    assert asked <= TURNS + 2


async def test_a_node_that_goes_on_after_all_is_waited_for_again() -> None:
    left = 0
    pace = VirtualPace(0, math.inf)
    await pace.quiet(lambda: 3)
    await pace.quiet(lambda: 0)

    def busy() -> int:
        nonlocal left
        left += 1
        return 3 if left < 10 * TURNS else 0

    await pace.quiet(busy)
    assert left > 10 * TURNS


async def test_a_node_is_quiet_once_nothing_was_under_way_for_a_while() -> None:
    left = 5

    def busy() -> int:
        nonlocal left
        left -= 1
        return max(left, 0)

    await VirtualPace(0, math.inf).quiet(busy)
    assert left < 0
