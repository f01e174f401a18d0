import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from edgecore.clock import VirtualClock, settle
from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.rules.interception import Balanced, NameHijack, Spot, Spots, Target
from edgecore.modules.edgemesh.intercept.ruleset import RETRY_S, Ruleset
from edgecore.modules.edgemesh.names import Endpoint

HERE = Endpoint("169.254.96.16", 40001)
BALANCED = Balanced((Target(1, Endpoint("10.0.0.1", 80)),))
NAMES = NameHijack(("10.9.0.2",), Endpoint("169.254.96.16", 53))


def spot(number: int) -> Spot:
    return Spot(f"9.251.0.{number}", 80, "tcp")


class FakeKernel:
    """Takes transactions; each waits for ``gate``, and fails with the next of ``failures``."""

    def __init__(self) -> None:
        self.puts: list[tuple[Spots | None, Spots]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures: list[Exception] = []

    async def put(self, before: Spots | None, after: Spots) -> None:
        self.puts.append((before, after))
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
async def rules(kernel: FakeKernel, vclock: VirtualClock) -> AsyncIterator[Ruleset]:
    rules = Ruleset(kernel.put, vclock)
    yield rules
    await rules.hold()


async def test_nothing_reaches_the_kernel_before_the_start_and_all_of_it_then(
    rules: Ruleset, kernel: FakeKernel
) -> None:
    rules.lead(spot(1), HERE)
    rules.balance(spot(1), BALANCED)
    rules.names(NAMES)
    await settle()
    assert kernel.puts == []

    await rules.start()
    assert kernel.puts == [(None, Spots({spot(1): HERE}, {spot(1): BALANCED}, NAMES))]
    assert rules.applied == rules.desired


async def test_changes_that_come_during_a_transaction_go_together_in_the_next(
    rules: Ruleset, kernel: FakeKernel
) -> None:
    await rules.start()
    kernel.gate.clear()
    rules.lead(spot(1), HERE)
    await settle()
    rules.lead(spot(2), HERE)
    rules.lead(spot(3), HERE)
    rules.lead(spot(1), None)
    await settle()
    assert len(kernel.puts) == 2

    kernel.gate.set()
    await rules.settled()
    last = Spots({spot(2): HERE, spot(3): HERE})
    assert kernel.puts[2:] == [(Spots({spot(1): HERE}), last)]
    assert rules.applied == last


async def test_what_changes_nothing_is_no_transaction(rules: Ruleset, kernel: FakeKernel) -> None:
    await rules.start()
    rules.lead(spot(1), None)
    rules.lead(spot(1), HERE)
    rules.lead(spot(1), None)
    rules.balance(spot(2), None)
    rules.names(None)
    await rules.settled()
    assert len(kernel.puts) == 1


@pytest.mark.parametrize("failure", [InterceptError("refused", "no"), ZeroDivisionError()])
async def test_a_transaction_that_fails_is_tried_again_with_everything_anew(
    rules: Ruleset, kernel: FakeKernel, vclock: VirtualClock, failure: Exception
) -> None:
    await rules.start()
    kernel.failures = [failure]
    rules.lead(spot(1), HERE)
    await settle()
    rules.lead(spot(2), HERE)
    await settle()
    assert len(kernel.puts) == 2
    assert rules.applied is None

    await vclock.advance(RETRY_S)
    await rules.settled()
    assert kernel.puts[2:] == [(None, Spots({spot(1): HERE, spot(2): HERE}))]


async def test_a_failure_is_logged_once_and_its_end_too(
    rules: Ruleset, kernel: FakeKernel, vclock: VirtualClock
) -> None:
    await rules.start()
    kernel.failures = [InterceptError("refused", "no")] * 3
    with capture_logs() as logs:
        rules.lead(spot(1), HERE)
        await vclock.advance(3 * RETRY_S)
    assert [line["event"] for line in logs] == ["intercept_rules_failed", "intercept_rules_made"]
    assert (rules.failures, rules.problem) == (3, "")


async def test_a_start_that_fails_says_so_and_follows_nothing(rules: Ruleset, kernel: FakeKernel) -> None:
    kernel.failures = [InterceptError("refused", "no")]
    with pytest.raises(InterceptError):
        await rules.start()
    rules.lead(spot(1), HERE)
    await settle()
    assert len(kernel.puts) == 1


async def test_while_it_is_held_changes_wait_for_the_next_start(rules: Ruleset, kernel: FakeKernel) -> None:
    await rules.start()
    await rules.hold()
    rules.lead(spot(1), HERE)
    await rules.settled()
    assert (len(kernel.puts), rules.applied) == (1, None)
    await rules.start()
    assert kernel.puts[1:] == [(None, Spots({spot(1): HERE}))]


async def test_a_transaction_under_way_when_it_is_held_is_made_anew_at_the_next_start(
    rules: Ruleset, kernel: FakeKernel
) -> None:
    await rules.start()
    kernel.gate.clear()
    rules.lead(spot(1), HERE)
    await settle()
    await rules.hold()
    kernel.gate.set()
    await rules.start()
    assert kernel.puts[-1] == (None, Spots({spot(1): HERE}))


async def test_rules_that_are_missing_are_all_made_anew_and_tried_again_if_that_fails(
    rules: Ruleset, kernel: FakeKernel, vclock: VirtualClock
) -> None:
    rules.lead(spot(1), HERE)
    await rules.start()
    kernel.failures = [InterceptError("refused", "no")]
    with pytest.raises(InterceptError):
        await rules.remake()
    await vclock.advance(RETRY_S)
    await rules.settled()
    assert [before for before, _ in kernel.puts] == [None, None, None]
    assert rules.applied == Spots({spot(1): HERE})
