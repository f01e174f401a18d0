"""How messages are held before modules, and how what is dropped or changed there stays accounted for."""

from contextlib import suppress

from edgecore.beehive.bus import Bus
from edgecore.beehive.gates import Gates
from edgecore.beehive.message import Message
from edgecore.beehive.resource import EDGEHUB
from edgecore.errors import RecordingError
from edgecore.observe.ledger import DOWN, DROPPED, UP, Ledger
from edgecore.recording.recorder.desk import RecordingDesk

REASON = "break"


def make_gates(bus: Bus, ledger: Ledger, recordings: RecordingDesk) -> Gates:
    """Return the gates of the node's bus.

    A message of the cloud that is dropped before anybody else holds it ended there, and so did one for the cloud. What
    MetaManager has in hand as well (it handed on what is dropped) it closes itself, with the acknowledgement. One that
    was changed is counted as injected. What is recorded at the time gets a note of either.
    """

    def note(receiver: str, message: Message, what: str) -> None:
        route = message.route
        text = f"{what} before {receiver} by hand: {route.operation} {route.resource}, message {message.header.id}"
        with suppress(RecordingError):  # nothing is recorded
            recordings.note(text)

    def drop(receiver: str, message: Message) -> None:
        if receiver == EDGEHUB:
            ledger.record(UP, message, DROPPED, REASON)
        elif not ledger.is_held(DOWN, message.header.id):
            ledger.close(DOWN, message.header.id, DROPPED, REASON)
        note(receiver, message, "dropped")

    def edit(receiver: str, message: Message) -> None:
        ledger.inject(receiver, message)
        note(receiver, message, "changed")

    return Gates(bus, dropped=drop, edited=edit)
