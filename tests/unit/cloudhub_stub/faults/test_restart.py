"""The stub goes away and comes back, with listeners that only remember what they were told."""

import pytest

from cloudhub_stub.faults.restart import RETRY_S, Restarter
from edgecore.clock import VirtualClock
from edgecore.errors import ListenError


class RecordingListener:
    """Notes when it was started and stopped; fails to start so often."""

    def __init__(self, name: str, told: list[tuple[float, str]], clock: VirtualClock, *, fails: int = 0) -> None:
        self._name = name
        self._told = told
        self._clock = clock
        self._fails = fails

    async def start(self) -> None:
        if self._fails:
            self._fails -= 1
            raise ListenError("127.0.0.1:1", "in_use", "address already in use")
        self._told.append((self._clock.monotonic(), f"start {self._name}"))

    async def stop(self) -> None:
        self._told.append((self._clock.monotonic(), f"stop {self._name}"))


@pytest.fixture
def told() -> list[tuple[float, str]]:
    return []


async def test_listeners_stop_and_start_again_after_the_time(
    vclock: VirtualClock, told: list[tuple[float, str]]
) -> None:
    restarter = Restarter(vclock)
    restarter.manage(RecordingListener("a", told, vclock), RecordingListener("b", told, vclock))
    restarter.begin(10)
    await vclock.advance(9)
    assert restarter.away
    await vclock.advance(1)
    assert told == [(0.0, "stop a"), (0.0, "stop b"), (10.0, "start b"), (10.0, "start a")]
    assert not restarter.away


async def test_a_port_that_is_taken_is_tried_again(vclock: VirtualClock, told: list[tuple[float, str]]) -> None:
    restarter = Restarter(vclock)
    restarter.manage(RecordingListener("a", told, vclock, fails=2))
    restarter.begin(0)
    await vclock.advance(2 * RETRY_S)
    assert told == [(0.0, "stop a"), (0.0, "stop a"), (RETRY_S, "stop a"), (2 * RETRY_S, "start a")]


@pytest.mark.parametrize("fails", [0, 1000])
async def test_a_stub_that_is_stopped_while_away_does_not_come_back(
    vclock: VirtualClock, told: list[tuple[float, str]], fails: int
) -> None:
    restarter = Restarter(vclock)
    restarter.manage(RecordingListener("a", told, vclock, fails=fails))
    restarter.begin(0 if fails else 10)
    await vclock.advance(5)
    await restarter.stop()
    await vclock.advance(60)
    assert not [what for _, what in told if what == "start a"]
