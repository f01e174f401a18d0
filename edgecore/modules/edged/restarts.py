"""What comes after a container ended: whether it is started again, and when, as the kubelet decides (pure).

kubernetes pkg/kubelet/container/helpers.go (``ShouldContainerBeRestarted``), kuberuntime_manager.go (``doBackOff``) and
client-go util/flowcontrol/backoff.go, v1.17. Instants are monotonic seconds.
"""

from enum import Enum
from typing import NamedTuple

FIRST_DELAY_S = 10.0
LONGEST_DELAY_S = 300.0
FORGOTTEN_AFTER_S = 2 * LONGEST_DELAY_S
"""A container that ran for longer than this begins with the first delay again."""


class RestartPolicy(Enum):
    """When a container that ended is started again."""

    ALWAYS = "Always"
    ON_FAILURE = "OnFailure"
    NEVER = "Never"

    @classmethod
    def of(cls, text: str, *, is_init: bool = False) -> "RestartPolicy":
        """Return the policy of a container in a pod with ``restartPolicy`` ``text``; what is unknown is ``Always``.

        An init container that succeeded is never started again.
        """
        policy = next((each for each in cls if each.value == text), cls.ALWAYS)
        return cls.ON_FAILURE if is_init and policy is cls.ALWAYS else policy

    def restarts(self, exit_code: int) -> bool:
        """Return whether a container that ended with this code is started again."""
        return self is RestartPolicy.ALWAYS or (self is RestartPolicy.ON_FAILURE and exit_code != 0)


class Backoff(NamedTuple):
    """The delay before the next start of one container, or the next pull of its image."""

    delay_s: float = 0.0
    """0 as long as nothing went wrong."""
    set_at: float = 0.0
    """When the delay was set, which is when the last try began."""

    def next_at(self, failed_at: float) -> float:
        """Return when to try again after a failure."""
        return failed_at if self._is_forgotten(failed_at) else failed_at + self.delay_s

    def tried(self, failed_at: float, now: float) -> "Backoff":
        """Return what follows from trying again at ``now``, after a failure at ``failed_at``."""
        if self._is_forgotten(failed_at):
            return Backoff(FIRST_DELAY_S, now)
        return Backoff(min(2 * self.delay_s, LONGEST_DELAY_S), now)

    def _is_forgotten(self, failed_at: float) -> bool:
        return not self.delay_s or failed_at - self.set_at > FORGOTTEN_AFTER_S


class Again(NamedTuple):
    """A container is to be started again."""

    at: float
    """When; not after the end of the container: at once."""
    backoff: Backoff
    """The one to go on with from there."""
    waited_s: float
    """How long it waits until then, in CrashLoopBackOff; 0 if it does not."""


def after_end(policy: RestartPolicy, exit_code: int, backoff: Backoff, ended_at: float) -> Again | None:
    """Return what to do after a container ended; ``None``: it stays as it is."""
    if not policy.restarts(exit_code):
        return None
    at = backoff.next_at(ended_at)
    return Again(at, backoff.tried(ended_at, at), at - ended_at)


def after_failed_pull(backoff: Backoff, failed_at: float) -> Again:
    """Return when to pull an image again; until then it waits in ImagePullBackOff."""
    after = backoff.tried(failed_at, failed_at)
    return Again(failed_at + after.delay_s, after, after.delay_s)


def backoff_message(waited_s: float, container: str, namespace: str, pod: str, uid: str) -> str:
    """Return the text beside ``CrashLoopBackOff``."""
    return f"back-off {go_duration(waited_s)} restarting failed container={container} pod={pod}_{namespace}({uid})"


def go_duration(seconds: float) -> str:
    """Return whole seconds as Go writes a duration: ``10s``, ``2m40s``, ``5m0s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
