"""What can go wrong in the stub beside the errors of ``edgecore/errors.py``.

::

    EdgecoreError
    └── StubError
        ├── NoSuchNode    the node that is asked for is not connected, or it is not clear which one is meant
        ├── NodeLost      the connection of a node ended
        ├── NoAck         a node is connected and acknowledges nothing
        ├── QueueFull     a node's queue takes no more
        ├── BadMessage    what shall be sent to a node is no message
        ├── ReplayError   a recording cannot be played
        ├── FaultRefused  a fault that is asked for cannot be had
        └── CsrRefused    what a client asks a certificate with is no certificate request that can be signed
"""

from edgecore.errors import EdgecoreError


class StubError(EdgecoreError):
    """Base of the stub's own errors."""


class NoSuchNode(StubError):  # noqa: N818 - the tree above reads as states, as in edgecore/errors.py
    """The node that is asked for is not connected, or it is not clear which one is meant."""


class NodeLost(StubError):  # noqa: N818
    """The connection of a node ended."""


class NoAck(StubError):  # noqa: N818
    """A node is connected and acknowledges nothing."""


class QueueFull(StubError):  # noqa: N818
    """A node's queue takes no more."""


class BadMessage(StubError):  # noqa: N818
    """What shall be sent to a node is no message."""


class ReplayError(StubError):
    """A recording cannot be played."""


class FaultRefused(StubError):  # noqa: N818
    """A fault that is asked for cannot be had: nothing is there that it could hit, or there are too many."""


class CsrRefused(StubError):  # noqa: N818
    """What a client asks a certificate with is no certificate request that can be signed."""
