"""What is to be done because of one message: rows, devices as they are now, and what is said to whom (pure)."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from edgecore.ids import NewId
from edgecore.modules.devicetwin.devices import Attribute, Device, Twin
from edgecore.modules.devicetwin.payloads import Base, Payload

# Rows.


class PutDevice(NamedTuple):
    """The device's own row."""

    device: Device


class PutTwin(NamedTuple):
    """A twin's row; that of a deleted one stays."""

    device_id: str
    name: str
    twin: Twin


class PutAttribute(NamedTuple):
    """An attribute's row."""

    device_id: str
    name: str
    attribute: Attribute


class DropAttribute(NamedTuple):
    """An attribute's row goes."""

    device_id: str
    name: str


class DropDevice(NamedTuple):
    """All rows of a device go."""

    device_id: str


Row = PutDevice | PutTwin | PutAttribute | DropAttribute | DropDevice

# Words.


class Publish(NamedTuple):
    """To be published over MQTT."""

    topic: str
    payload: Payload


class Report(NamedTuple):
    """To be told to the cloud."""

    resource: str
    content: Payload
    says: frozenset[str]
    """What it says: a later report of the same resource that says all of this makes it stale."""
    as_text: bool = False
    """The content travels as a text that holds the JSON."""


Word = Publish | Report


class Fault(NamedTuple):
    """Something that nobody is answered, but that is counted; ``reason`` is a fixed word."""

    reason: str
    detail: str


class Unheeded(NamedTuple):
    """The cloud wanted a twin otherwise under an older version than the one here; it is told how things are."""

    device_id: str
    twin: str
    set_here: bool
    """A program on MQTT has set what is expected, so that no later wish of the cloud is heeded either."""


class Decision(NamedTuple):
    """All that is done because of one message. Nothing is said before the rows are on disk."""

    devices: Mapping[str, Device | None] = {}
    """Each device that is another now; ``None``: it is gone."""
    rows: tuple[Row, ...] = ()
    words: tuple[Word, ...] = ()
    otherwise: Publish | None = None
    """What is said instead if the rows cannot be stored."""
    faults: tuple[Fault, ...] = ()
    unheeded: tuple[Unheeded, ...] = ()


class Moment(NamedTuple):
    """Where and when a decision is made."""

    node: str
    now_ms: int
    """Unix time in milliseconds."""
    new_id: NewId
    local_time: Callable[[int], str]
    """Unix milliseconds to the local time as ``last_online`` has it."""

    def base(self) -> Base:
        """Return the head of a payload that answers nothing."""
        return Base(self.new_id(), self.now_ms)
