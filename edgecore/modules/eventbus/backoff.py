"""How long is waited before a broker is dialled again (pure)."""

import random

FIRST_S = 1.0
LONGEST_S = 30.0
LASTING_S = 10.0
"""A session as long as this came to something; a broker that ends shorter ones is dialled less and less often."""


class Backoff:
    """The pauses of one client; ``jitter`` spreads nodes that lost the same broker."""

    def __init__(self, jitter: random.Random) -> None:
        self._jitter = jitter
        self._next_s = FIRST_S

    def pause_s(self, lasted_s: float = 0.0) -> float:
        """Return the seconds to wait after a failed dial, or a session that lasted ``lasted_s``."""
        if lasted_s >= LASTING_S:
            self._next_s = FIRST_S
        pause_s, self._next_s = self._next_s, min(2 * self._next_s, LONGEST_S)
        return min(pause_s * self._jitter.uniform(1.0, 1.25), LONGEST_S)
