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
    ├── RecordingError       a recording cannot be written: names the file
    ├── ListenError          an address cannot be bound: names it and says why
    ├── HostFileError        a file of the host is left as it is: names it, says why and what to do
    ├── LinkError            the connection to the cloud cannot be made or was lost
    │   └── EnrolmentError   the node's certificate cannot be got; carries the step as a word
    ├── BrokerError          an MQTT broker cannot be reached, refused the node, or was lost
    ├── InterceptError       rules of the kernel cannot be made: says which step failed and what to do
    ├── PoolExhausted        no fake IP is free
    ├── LabError             the lab cannot be built or asked, or a step of its walk-through did not hold
    └── ControlError         a command cannot reach, or was refused by, a running process

Texts read ``cannot <verb> <object>: <reason>; <what to try>``. Where only the kind of error says what to try, its class
does (``advice``); what a peer sent wrong has no advice.
"""

import errno
from pathlib import Path
from typing import ClassVar


class EdgecoreError(Exception):
    """Base of every error that the node raises on purpose."""

    advice: ClassVar[str] = ""
    """What to try where the text does not say it: for the errors with which a program ends."""

    @property
    def told(self) -> str:
        """The text, with what to try at its end."""
        text = str(self)
        return f"{text}; {self.advice}" if self.advice and "; " not in text else text


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

    advice = "edgecore db check says what is wrong with the file"


class RecordingError(EdgecoreError):
    """A recording cannot be written."""

    advice = "name another file, and see that there is room (df -h)"


class ListenError(EdgecoreError):
    """An address cannot be bound.

    ``reason`` is a fixed snake_case word: ``in_use``, ``no_permission``, ``no_such_address`` or ``failed``
    (anything else). ``listen_error`` finds it in what the system says.
    """

    advice = "name another address in the configuration, or look who has it (ss -lntup)"

    def __init__(self, address: str, reason: str, detail: str) -> None:
        super().__init__(f"cannot listen on {address}: {detail}")
        self.address = address
        self.reason = reason


def reason_of(error: OSError) -> str:
    """Return why the system refused a file, in its words, and what to try."""
    words = error.strerror or str(error)
    way = _WAYS.get(error.errno or 0)
    return f"{words}; {way}" if way else words


_WAYS = {
    errno.ENOENT: "look at the name, and whether the directory is there",
    errno.EACCES: "do it as the owner of the file (ls -l), or name another",
    errno.EPERM: "do it as the owner of the file (ls -l), or name another",
    errno.EROFS: "name a place that can be written",
    errno.EISDIR: "it is a directory: name a file in it",
    errno.ENOTDIR: "a part of the name is a file: look at the name",
    errno.EEXIST: "remove it, or name another",
    errno.ENOSPC: "make room (df -h), or name another place",
    errno.EDQUOT: "make room (quota), or name another place",
    errno.ENAMETOOLONG: "name a shorter one",
    errno.EMFILE: "allow more open files (ulimit -n)",
}


def listen_error(address: str, error: OSError, detail: str = "") -> ListenError:
    """Return what ``error``, met while binding ``address`` (a socket address or a path), means.

    The text is ``detail`` or else the system's words. They are kept here: asyncio and uvloop give the error a text of
    their own, with the address in it once more.
    """
    reason, words = _LISTEN_FAULTS.get(error.errno or 0, ("failed", error.strerror or str(error)))
    return ListenError(address, reason, detail or words)


_LISTEN_FAULTS = {
    errno.EADDRINUSE: ("in_use", "address already in use"),
    errno.EACCES: ("no_permission", "permission denied"),
    errno.EPERM: ("no_permission", "operation not permitted"),
    errno.EROFS: ("no_permission", "read-only file system"),
    errno.EADDRNOTAVAIL: ("no_such_address", "cannot assign requested address"),
    errno.ENOENT: ("no_such_address", "no such file or directory"),
    errno.ENOTDIR: ("no_such_address", "not a directory"),
}


class HostFileError(EdgecoreError):
    """A file of the host cannot be changed, and is as it was.

    ``reason`` is a fixed snake_case word.
    """

    def __init__(self, path: Path, reason: str, detail: str) -> None:
        super().__init__(f"cannot change {path}: {detail}")
        self.reason = reason


class LinkError(EdgecoreError):
    """The connection to the cloud cannot be made or was lost."""

    advice = "edgecore doctor looks at addresses, certificates and the clock"


class EnrolmentError(LinkError):
    """The node's certificate cannot be got.

    ``step`` is a fixed word: ``token``, ``ca``, ``key``, ``certificate`` or ``files``.
    """

    def __init__(self, step: str, text: str) -> None:
        super().__init__(text)
        self.step = step


class BrokerError(EdgecoreError):
    """An MQTT broker cannot be reached, refused the node, or was lost."""

    advice = "edgecore doctor looks for the broker"


class InterceptError(EdgecoreError):
    """Traffic cannot be intercepted, or no more.

    ``reason`` is a fixed snake_case word: ``no_permission``, ``no_tool``, ``no_interface``, ``in_use`` (another
    node intercepts the same addresses), ``refused`` (by the kernel) or ``keeper_gone``.
    """

    advice = "edgecore intercept status says what is there, edgecore doctor what is missing"

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(f"cannot intercept traffic: {text}")
        self.reason = reason


class PoolExhausted(EdgecoreError):  # noqa: N818
    """No fake IP address is free."""

    advice = "make modules.edgeMesh.subNet or rootlessSubNet larger"


class LabError(EdgecoreError):
    """The lab cannot be built or asked, or a step of its walk-through did not hold."""

    advice = "edgecore lab status says what runs; edgecore lab down ends it"


class ControlError(EdgecoreError):
    """A command cannot reach, or was refused by, a running process."""
