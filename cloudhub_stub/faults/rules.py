"""The rules by which faults fire: pure, counted, and without chance, so that the same stream fails in the same places.

A rule sees every message that goes its way and fits what it watches, whatever other rules do to it, and counts those
from 1. Several that fire by one message add up: two delays are one longer delay, two duplicates make three messages,
and a drop wins over both; cuts come when the message has passed.
"""

import fnmatch
import re
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from cloudhub_stub.errors import FaultRefused
from cloudhub_stub.faults.spec import (
    DELAY,
    DROP,
    DUPLICATE,
    KINDS,
    FaultSpec,
    Watch,
    describe,
    describe_watch,
    waits_for_messages,
)
from edgecore.beehive.message import Message

MAX_RULES = 1000
MAX_FIRED = 1000
"""How many fired faults are remembered one by one; all are counted."""

_LONGEST_RESOURCE = 1000
"""Patterns look at no more of a resource than this."""


class Verdict(NamedTuple):
    """A rule has fired by a message."""

    rule: str
    fault: FaultSpec
    is_step: bool
    """The message was what a step of a scenario waits for: the fault begins now."""


class Passage(NamedTuple):
    """What becomes of one message."""

    copies: int
    delay_s: float
    then: tuple[Verdict, ...]
    """What happens once it has passed."""


CLEAR = Passage(1, 0.0, ())


def passage(verdicts: Iterable[Verdict]) -> Passage:
    """Add up what all rules say of one message."""
    copies, dropped, delay_s = 1, False, 0.0
    then = []
    for verdict in verdicts:
        kind = "" if verdict.is_step else verdict.fault.fault
        if kind == DROP:
            dropped = True
        elif kind == DUPLICATE:
            copies += 1
        elif kind == DELAY:
            delay_s += verdict.fault.delay_s or 0.0
        else:
            then.append(verdict)
    return Passage(0 if dropped else copies, delay_s, tuple(then))


class Rule:
    """One fault that was asked for, and how often it matched and fired."""

    def __init__(self, rule_id: str, fault: FaultSpec, watch: Watch, *, is_step: bool, live: bool) -> None:
        self.id = rule_id
        self.fault = fault
        self.is_step = is_step
        self.matched = 0
        self.fired = 0
        self._watch = watch
        self._live = live
        self._direction = watch.direction
        self._node = watch.node
        self._exact = [
            (name, value) for name in ("operation", "source", "group") if (value := getattr(watch, name)) is not None
        ]
        self._glob = None if watch.resource is None else re.compile(fnmatch.translate(watch.resource))
        self._regex = None if watch.resource_regex is None else re.compile(watch.resource_regex)
        self._reads = bool(self._exact or self._glob or self._regex)

    @property
    def live(self) -> bool:
        """Whether a message can still make it fire."""
        watch = self._watch
        if watch.nth is not None and self.matched >= watch.nth:
            return False
        return self._live and (watch.times is None or self.fired < watch.times)

    def is_on_way(self, direction: str, node: str) -> bool:
        """Whether it watches that direction of that node."""
        return self._direction in (None, direction) and self._node in (None, node)

    def see(self, message: Message | None) -> bool:
        """Count ``message`` if it fits, and say whether the rule fires; ``None`` is a frame that is no message."""
        if self._reads and (message is None or not self._fits(message)):
            return False
        self.matched += 1
        watch = self._watch
        fires = self.matched % (watch.every or 1) == 0 if watch.nth is None else self.matched == watch.nth
        self.fired += fires
        return fires

    def view(self) -> dict[str, Any]:
        """Return the rule for people and scripts."""
        return {
            "id": self.id,
            "fault": self.fault.fault,
            "text": describe(self.fault),
            "after": describe_watch(self._watch) if self.is_step else None,
            "spec": msgspec.to_builtins(self.fault),
            "matched": self.matched,
            "fired": self.fired,
            "live": self.live,
        }

    def _fits(self, message: Message) -> bool:
        route = message.route
        resource = route.resource[:_LONGEST_RESOURCE]
        return (
            all(getattr(route, name) == value for name, value in self._exact)
            and (self._glob is None or self._glob.match(resource) is not None)
            and (self._regex is None or self._regex.search(resource) is not None)
        )


class Faults:
    """All rules, what they did, and how often. Times are Unix milliseconds."""

    def __init__(self, *, max_rules: int = MAX_RULES, max_fired: int = MAX_FIRED) -> None:
        self.active = False
        """Whether a message can make anything fire."""
        self.counts = dict.fromkeys(KINDS, 0)
        self._max_rules = max_rules
        self._rules: dict[str, Rule] = {}
        self._live: tuple[Rule, ...] = ()
        self._recent: deque[dict[str, Any]] = deque(maxlen=max_fired)
        self._added = 0

    def add(self, fault: FaultSpec) -> Rule:
        """Keep ``fault``, which ``check`` found right. Raises ``FaultRefused`` when there are too many rules.

        Where it waits for messages, those from now on; otherwise it is only kept to be shown, and ``note`` counts.
        """
        return self._add(fault, fault, is_step=False, live=waits_for_messages(fault))

    def wait(self, watch: Watch, fault: FaultSpec) -> Rule:
        """Fire once by the message that ``watch`` chooses, to begin ``fault``. Raises as ``add``."""
        return self._add(fault, watch, is_step=True, live=True)

    def clear(self, rule_id: str | None = None) -> int:
        """Forget one rule or all, and return how many. What they did stays counted and remembered.

        Raises ``FaultRefused`` where there is no such rule.
        """
        if rule_id is None:
            cleared = len(self._rules)
            self._rules.clear()
        elif self._rules.pop(rule_id, None) is None:
            raise FaultRefused(f"cannot clear {rule_id[:80]!r}: no such fault; `cloudhub-stub fault list` shows them")
        else:
            cleared = 1
        self._refresh()
        return cleared

    def wants(self, direction: str, node: str) -> bool:
        """Whether any rule watches that way, so that the message must be read."""
        return any(rule.is_on_way(direction, node) for rule in self._live)

    def decide(self, direction: str, node: str, message: Message | None, now_ms: int) -> list[Verdict]:
        """Return which rules fire by one message; ``None`` is a frame that is no message."""
        verdicts = []
        for rule in self._live:
            if rule.is_on_way(direction, node) and rule.see(message):
                verdicts.append(Verdict(rule.id, rule.fault, rule.is_step))
                if not rule.is_step:
                    self._record(rule, node, now_ms, direction, message)
        if not all(rule.live for rule in self._live):
            self._refresh()
        return verdicts

    def note(self, rule: Rule, node: str, now_ms: int) -> None:
        """Count a fault that happened at once; ``node`` is empty where it concerns none."""
        rule.fired += 1
        self._record(rule, node, now_ms, "", None)

    def rules(self) -> list[Rule]:
        """Return all rules in the order in which they came."""
        return list(self._rules.values())

    def view(self) -> dict[str, Any]:
        """Return the rules, the counts by kind of fault, and the last faults that fired, newest last."""
        return {
            "rules": [rule.view() for rule in self._rules.values()],
            "counts": {kind: count for kind, count in self.counts.items() if count},
            "recent": list(self._recent),
        }

    def _add(self, fault: FaultSpec, watch: Watch, *, is_step: bool, live: bool) -> Rule:
        if len(self._rules) >= self._max_rules:
            self._forget_one()
        self._added += 1
        rule = Rule(f"f{self._added}", fault, watch, is_step=is_step, live=live)
        self._rules[rule.id] = rule
        self._refresh()
        return rule

    def _forget_one(self) -> None:
        spent = next((rule for rule in self._rules.values() if not rule.live), None)
        if spent is None:
            raise FaultRefused(
                f"cannot add a fault: {self._max_rules} wait to fire, which is the limit; `fault clear` makes room"
            )
        del self._rules[spent.id]

    def _refresh(self) -> None:
        self._live = tuple(rule for rule in self._rules.values() if rule.live)
        self.active = bool(self._live)

    def _record(self, rule: Rule, node: str, now_ms: int, direction: str, message: Message | None) -> None:
        self.counts[rule.fault.fault] += 1
        fired: dict[str, Any] = {"at_ms": now_ms, "rule": rule.id, "fault": rule.fault.fault, "node": node}
        if direction:
            fired["direction"] = direction
        if message is not None:
            fired["id"] = message.header.id[:80]
            fired["operation"] = message.route.operation[:80]
            fired["resource"] = message.route.resource[:200]
        self._recent.append(fired)
