"""How many requests may be tried again, so that those who repeat do not add to what is too much already (pure).

As many as a share of the requests under way, or of those of the last seconds, whichever are more; and a few a second in
any case (compare ``RetryBudget`` of Finagle). Nobody enters a request here, for that would cost each of them: who asks
says how many there were in all, and those that came since it was asked last are taken for recent ones, up to a bound.
"""

from math import exp

from edgecore.modules.edgemesh.upstream.policy import Policy

LATELY_S = 10.0
"""Requests and retries fade with this time constant."""
RECENT_MAX = 5000
"""So many requests at most are recent ones where it was not asked for long."""


class Budget:
    """The budget of one port."""

    __slots__ = ("_at", "_few", "_lately", "_retries", "_seen")

    def __init__(self, now: float) -> None:
        self._at = now
        self._seen = 0
        self._lately = 0.0
        self._retries = 0.0
        self._few = float("inf")  # bounded by the policy at the first question

    def take(self, now: float, requests: int, active: int, policy: Policy) -> bool:
        """Say whether one more may be tried again, and count it if so.

        ``requests`` came since the start, without repetitions; ``active`` are under way.
        """
        passed_s = max(0.0, now - self._at)
        fades = exp(-passed_s / LATELY_S)
        self._lately = self._lately * fades + min(max(0, requests - self._seen), RECENT_MAX)
        self._retries *= fades
        self._few = min(self._few + passed_s * policy.retry_budget_min, policy.retry_budget_min)
        self._at, self._seen = now, max(self._seen, requests)
        if self._retries + 1 > policy.retry_budget * max(self._lately, active) and self._few < 1:
            return False
        self._retries += 1
        self._few = max(0.0, self._few - 1)
        return True
