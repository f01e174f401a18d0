"""How much may pass in a time (pure): so many at once, and so many a second."""

from typing import NamedTuple, Self


class Allowance:
    """A bucket of ``burst`` that fills with ``rate`` a second."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = max(1.0, burst)
        self._left = self._burst
        self._at = now

    def left(self, now: float) -> int:
        """Return how many may pass now."""
        self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._rate)
        self._at = now
        return int(self._left)

    def take(self, number: int = 1) -> None:
        """Count what passed."""
        self._left -= number

    def takes(self, now: float) -> bool:
        """Return whether one more may pass now, and count it if so."""
        if self.left(now) < 1:
            return False
        self.take()
        return True


class Caps(NamedTuple):
    """What messages may take together."""

    number: Allowance
    micros: Allowance
    """Of the node's time."""

    @classmethod
    def of(cls, rate: int, burst: int, share: float, burst_s: float, now: float) -> Self:
        """Return those of so many messages, and of a ``share`` of the time, of which ``burst_s`` at once."""
        return cls(Allowance(rate, burst, now), Allowance(share * 1e6, burst_s * 1e6, now))
