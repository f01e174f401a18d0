"""What becomes of a message in a queue, told to those who sent it (pure)."""

from typing import NamedTuple

from cloudhub_stub.delivery.parcel import Parcel


class Written(NamedTuple):
    """It was given to the connection, for the first time in this session or once more."""

    parcel: Parcel


class GivenUp(NamedTuple):
    """The node did not acknowledge it in time: it is put aside, and sent again when the node connects anew."""

    parcel: Parcel


class Settled(NamedTuple):
    """It has left the queue, with an outcome and a reason of the ledger (``edgecore/observe/ledger.py``)."""

    parcel: Parcel
    outcome: str
    reason: str = ""


Fate = Written | GivenUp | Settled
