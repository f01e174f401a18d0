"""How long EdgeHub waits before it dials again (pure).

A cloudcore before 1.4 must not see a node again within its keepalive interval of 30 s: the two sessions would share
one keepalive channel, and the old one's end would tear down the new one (bugs H2, H3). So after a session was
lost the pause is two heartbeats, as in Go, never less than that interval, and a node that was started again waits for
what is left of it. A cloud from 1.4 on (``edgeHub.cloudVersion``) has no such trouble, nor has the stub, which says so
by its ``Server`` header.
"""

import random

from edgecore.modules.edgehub.cloud import is_stub

FIRST_S = 0.5
CLOUD_KEEPALIVE_S = 30.0
"""``cloudHub.keepaliveInterval``, which a node does not learn: as it is where nobody changed it."""


class Backoff:
    """The pauses of one link; ``jitter`` spreads nodes that lost the same cloud."""

    def __init__(self, heartbeat_s: float, jitter: random.Random, *, quick: bool = False) -> None:
        """``quick``: whatever cloud it is, it takes a node back at once."""
        self._longest_s = 2 * heartbeat_s
        self._alone_s = max(self._longest_s, CLOUD_KEEPALIVE_S)
        self._jitter = jitter
        self._quick = quick
        self._next_s = FIRST_S

    def after_failed_dial(self) -> float:
        """Return the seconds to wait when no session came about: doubling, up to two heartbeats."""
        pause_s, self._next_s = self._next_s, min(2 * self._next_s, self._longest_s)
        return min(pause_s * self._jitter.uniform(1.0, 1.25), self._longest_s)

    def must_wait(self, server: str) -> bool:
        """Whether a cloud that names itself ``server`` has to be left alone for two heartbeats."""
        return not (self._quick or is_stub(server))

    def after_lost_session(self, server: str, *, came_to_something: bool) -> float:
        """Return the seconds to wait after a session with a cloud that names itself ``server``.

        A cloud that ends one session after the other before it has said anything is dialled less and less often.
        """
        if self.must_wait(server):
            self._next_s = FIRST_S
            return self._alone_s * self._jitter.uniform(1.0, 1.1)
        if came_to_something:
            self._next_s = FIRST_S
        return self.after_failed_dial()

    def after_restart(self, since_s: float) -> float:
        """Return the seconds to wait where an earlier process spoke with a cloud that has to be left alone.

        ``since_s`` is how long ago; a clock that was set back, or forth, is not believed.
        """
        if not 0 <= since_s < self._alone_s:
            return 0.0
        return (self._alone_s - since_s) * self._jitter.uniform(1.0, 1.1)
