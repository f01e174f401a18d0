"""The exception tree of the node.

::

    EdgecoreError
    ├── ConfigError          a setting is wrong: names the key, what was found, what is allowed
    ├── ContentError         bytes of a peer are not what they should be (remote fault: counted, logged, survived)
    │   └── FrameError       one websocket frame is not a message; carries the reason as a word for the counter
    ├── BusError             a message cannot travel
    │   ├── UnknownModule    nobody of that name is registered
    │   ├── MailboxFull      no room until the deadline (or at once, when a module sends to itself)
    │   ├── ReplyTimeout     no answer until the deadline
    │   └── BusClosed        the node is stopping
    ├── StoreError           the SQLite file cannot be opened, read or written: names the file and the way out
    ├── ListenError          an address cannot be bound: names it and says why
    ├── LinkError            the connection to the cloud cannot be made or was lost
    ├── PoolExhausted        no fake IP is free
    └── ControlError         a command cannot reach, or was refused by, a running process

Texts read ``cannot <verb> <object>: <reason>``.
"""


class EdgecoreError(Exception):
    """Base of every error that the node raises on purpose."""


class ConfigError(EdgecoreError):
    """A setting is wrong."""


class ContentError(EdgecoreError):
    """Bytes or a value of a peer are not what they should be."""


class FrameError(ContentError):
    """One frame is not a message.

    ``reason`` is a fixed snake_case word, fit for a metric label.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"cannot decode frame: {detail}")
        self.reason = reason
        self.detail = detail


class BusError(EdgecoreError):
    """A message cannot travel."""


class UnknownModule(BusError):  # noqa: N818 - the tree above reads as states, not as "...Error"
    """Nobody of that name is registered."""


class MailboxFull(BusError):  # noqa: N818
    """The receiver had no room until the deadline."""


class ReplyTimeout(BusError):  # noqa: N818
    """No answer came until the deadline."""


class BusClosed(BusError):  # noqa: N818
    """The bus is closed: the node is stopping."""


class StoreError(EdgecoreError):
    """The SQLite file cannot be opened, read or written."""


class ListenError(EdgecoreError):
    """An address cannot be bound.

    ``reason`` is a fixed snake_case word: ``in_use``, ``no_permission``, ``no_such_address`` or ``failed``.
    """

    def __init__(self, address: str, reason: str, detail: str) -> None:
        super().__init__(f"cannot listen on {address}: {detail}")
        self.address = address
        self.reason = reason


class LinkError(EdgecoreError):
    """The connection to the cloud cannot be made or was lost."""


class PoolExhausted(EdgecoreError):  # noqa: N818
    """No fake IP address is free."""


class ControlError(EdgecoreError):
    """A command cannot reach, or was refused by, a running process."""
