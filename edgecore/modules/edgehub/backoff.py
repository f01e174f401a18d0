"""How long EdgeHub waits before it dials again (pure).

A cloudcore up to 1.3.1 must not see a node again within its keepalive interval of 30 s: the two sessions would share
one keepalive channel, and the old one's end would tear down the new one (bugs H2, H3). So after a session was
lost the pause is two heartbeats, as in Go. The stub has no such trouble and says so by its ``Server`` header.
"""

import random

FIRST_S = 0.5
STUB_SERVER = "cloudhub-stub"


class Backoff:
    """The pauses of one link; ``jitter`` spreads nodes that lost the same cloud."""

    def __init__(self, heartbeat_s: float, jitter: random.Random) -> None:
        self._longest_s = 2 * heartbeat_s
        self._jitter = jitter
        self._next_s = FIRST_S

    def after_failed_dial(self) -> float:
        """Return the seconds to wait when no session came about: doubling, up to two heartbeats."""
        pause_s, self._next_s = self._next_s, min(2 * self._next_s, self._longest_s)
        return min(pause_s * self._jitter.uniform(1.0, 1.25), self._longest_s)

    def after_lost_session(self, server: str) -> float:
        """Return the seconds to wait after a session with a cloud that names itself ``server``."""
        self._next_s = FIRST_S
        if server.startswith(STUB_SERVER):
            return FIRST_S * self._jitter.uniform(1.0, 1.25)
        return self._longest_s * self._jitter.uniform(1.0, 1.1)
