"""How a message ended, for the delivery ledger (pure)."""

from collections.abc import Iterable
from typing import NamedTuple

from edgecore.beehive.resource import ERROR
from edgecore.modules.metamanager.steps import Acknowledge, AskCloud, AskEdged, Fault, Report, Step
from edgecore.observe.ledger import ACKNOWLEDGED, COALESCED, DELIVERED, DROPPED


class Ending(NamedTuple):
    """An outcome of the ledger and its reason."""

    outcome: str
    reason: str = ""


WAS_ACKNOWLEDGED = Ending(ACKNOWLEDGED)
SEEN_BEFORE = Ending(COALESCED, "seen_before")
UNDER_WAY = Ending(COALESCED, "under_way")
"""The same message is being done, and will be acknowledged by who does it."""
FIRST_NOT_SETTLED = Ending(DROPPED, "first_not_settled")
"""The same message, taken just before, could not be stored. The cloud sends it again."""
STORE_REFUSED = Ending(DROPPED, "store_refused")
MAILBOX_FULL = Ending(DROPPED, "mailbox_full")
BUS_REFUSED = Ending(DROPPED, "bus_refused")
TOO_MANY_VOLUME_OPERATIONS = Ending(DROPPED, "too_many_volume_operations")
EDGED_DID_NOT_ANSWER = Ending(DROPPED, "edged_did_not_answer")
"""Of a volume operation. The cloud is told."""
STOPPING = Ending(DROPPED, "stopping")
INTERRUPTED = Ending(DROPPED, "interrupted")
"""A mistake of our own, or the end of the task that did it."""


def ending_of(operation: str, steps: Iterable[Step]) -> Ending | None:
    """Return how a message ended whose ``steps`` were done; ``None`` if somebody was asked, so that it has not."""
    reason = ""
    for step in steps:
        match step:
            case Acknowledge():
                return WAS_ACKNOWLEDGED
            case AskCloud() | AskEdged():
                return None
            case Fault():
                reason = reason or step.reason
            case Report():
                reason = reason or STORE_REFUSED.reason  # one that comes with a fault has that one's reason
    if not reason or operation == ERROR:  # an error was reported to us: it has arrived
        return Ending(DELIVERED)
    return Ending(DROPPED, reason)
