"""A scenario while it is played: which of its steps wait, which have begun, which found nothing to hit."""

from collections.abc import Callable, Sequence
from typing import Any

import structlog

from cloudhub_stub.faults.rules import Faults
from cloudhub_stub.faults.spec import FaultSpec, describe
from cloudhub_stub.faults.steps import At, Connected, Messages, Step
from edgecore.clock import Clock, Timer
from edgecore.errors import EdgecoreError

log = structlog.get_logger("cloudhub")

WAITING = "waiting"
BEGUN = "begun"
CLEARED = "cleared"


class _Pending:
    """One step."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.state = WAITING
        self.connections = 0
        self.timer: Timer | None = None


class Play:
    """Begins each step when its moment comes; ``begin`` makes the fault happen, or raises ``EdgecoreError``."""

    def __init__(self, clock: Clock, faults: Faults, begin: Callable[[FaultSpec], None]) -> None:
        self._clock = clock
        self._faults = faults
        self._begin = begin
        self._steps: list[_Pending] = []
        self._by_rule: dict[str, _Pending] = {}

    def start(self, scenario: Sequence[Step]) -> None:
        """Start the time of the steps and the counting of messages."""
        self._steps = [_Pending(step) for step in scenario]
        for pending in self._steps:
            match pending.step.when:
                case At(seconds):
                    self._later(pending, seconds)
                case Messages(watch, _):
                    rule = self._faults.wait(watch, pending.step.fault)
                    self._by_rule[rule.id] = pending

    def clear(self, rule_id: str | None) -> None:
        """Let the step never begin that waits by that rule; without a rule, none any more."""
        steps = self._steps
        if rule_id is not None:
            steps = [pending for of, pending in self._by_rule.items() if of == rule_id]
        for pending in steps:
            if pending.timer is not None:
                pending.timer.cancel()
            if pending.state == WAITING:
                pending.state = CLEARED

    def connected(self, node: str) -> None:
        """A node connects; its steps begin once it has."""
        for pending in self._steps:
            when = pending.step.when
            if isinstance(when, Connected) and when.node == node:
                pending.connections += 1
                if pending.connections == when.nth:
                    self._later(pending, when.wait_s)

    def reached(self, rule_id: str) -> None:
        """The messages that a step waits for have passed."""
        pending = self._by_rule.pop(rule_id, None)
        if pending is None:
            return
        when = pending.step.when
        if isinstance(when, Messages) and when.wait_s > 0:
            self._later(pending, when.wait_s)
        else:
            self._do(pending)

    def view(self) -> list[dict[str, Any]]:
        """Return the steps in the order of the file."""
        return [
            {
                "step": pending.step.place,
                "when": str(pending.step.when),
                "text": describe(pending.step.fault),
                "state": pending.state,
            }
            for pending in self._steps
        ]

    def _later(self, pending: _Pending, seconds: float) -> None:
        pending.timer = self._clock.call_at(self._clock.monotonic() + seconds, lambda: self._do(pending))

    def _do(self, pending: _Pending) -> None:
        if pending.state != WAITING:
            return
        pending.state = BEGUN
        try:
            self._begin(pending.step.fault)
        except EdgecoreError as refused:
            pending.state = str(refused)
            log.warning("fault_missed", step=pending.step.place, reason=str(refused))
