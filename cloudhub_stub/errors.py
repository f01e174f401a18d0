"""What can go wrong in the stub beside the errors of ``edgecore/errors.py``.

::

    EdgecoreError
    └── StubError
        ├── NoSuchNode    the node that is asked for is not connected, or it is not clear which one is meant
        ├── NodeLost      the connection of a node ended
        ├── NoAck         a node is connected and acknowledges nothing
        ├── QueueFull     a node's queue takes no more
        ├── BadMessage    what shall be sent to a node is no message
        ├── NoAnswer      a node did not answer a call in time
        ├── BadAnswer     what a node answers to a call is no answer
        ├── ReplayError   a recording cannot be played
        ├── ApiError      the cluster does not do what it is asked for
        │   ├── NotFound       there is no such object
        │   ├── AlreadyExists  there is one of that name already
        │   ├── Conflict       the object has changed meanwhile
        │   └── Invalid        a field is wrong
        ├── BadManifest   a file is no manifest
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


class NoAnswer(StubError):  # noqa: N818
    """A node did not answer a call in time."""


class BadAnswer(StubError):  # noqa: N818
    """What a node answers to a call is no answer."""


class ReplayError(StubError):
    """A recording cannot be played."""


class FaultRefused(StubError):  # noqa: N818
    """A fault that is asked for cannot be had: nothing is there that it could hit, or there are too many."""


class CsrRefused(StubError):  # noqa: N818
    """What a client asks a certificate with is no certificate request that can be signed."""


class ApiError(StubError):
    """The cluster does not do what it is asked for."""


class NotFound(ApiError):  # noqa: N818
    """There is no such object."""


class AlreadyExists(ApiError):  # noqa: N818
    """There is an object of that name already."""


class Conflict(ApiError):  # noqa: N818
    """The object has changed since it was read."""


class Invalid(ApiError):  # noqa: N818
    """A field of an object is wrong: ``field`` is its path, ``reason`` says what would be right."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


class BadManifest(StubError):  # noqa: N818
    """A file is no manifest: its text says which document of which file, and which field."""
