"""One side of a twin: what becomes of it when somebody wants it changed, and its version (pure).

See spec 7.5 and ``dealVersion`` in kubeedge edge/pkg/devicetwin/dtmanager/twin.go@v1.3.1.
"""

from enum import Enum
from typing import NamedTuple

from edgecore.modules.devicetwin.devices import Side, Version
from edgecore.modules.devicetwin.payloads import TwinValue, TwinVersion
from edgecore.modules.devicetwin.values import BAD_ENTRY, INT64_MAX, NO_VERSION, check_type


class Deal(Enum):
    """Who wants twins changed."""

    LOCAL = 0
    """A program on MQTT."""
    CLOUD = 1
    """The cloud, for a device that is known."""
    DETAIL = 2
    """The cloud, with all devices of the node."""
    REMOVED = 3
    """The cloud, for a twin that is to go; it needs no version."""


class Settled(NamedTuple):
    """What becomes of one side."""

    side: Side | None
    changed: bool = False
    """It has another value than before; where only the cloud's version is newer, it has not."""
    conflict: bool = False
    """The cloud knew an older one: it stays, and the cloud is to be told."""
    fault: str = ""
    """Why what was wanted cannot be; the side stays."""


def settle(
    side: Side | None, wanted: TwinValue | None, asked: TwinVersion | None, type_: str, *, kind: Deal, now_ms: int
) -> Settled:
    """Return what becomes of ``side`` when ``wanted`` comes with version ``asked``, which only the cloud's word has."""
    if wanted is None:
        return Settled(side)
    if wanted.value is None:
        return Settled(side, fault=BAD_ENTRY)
    if fault := check_type(type_, wanted.value):
        return Settled(side, fault=fault)
    version = side.version if side is not None and side.version is not None else Version()
    if kind is not Deal.LOCAL:
        if asked is None:
            return Settled(side, conflict=side is not None, fault="" if side is not None else NO_VERSION)
        if is_newer(version, asked):
            return Settled(side, conflict=True)
    if side is not None and side.value == wanted.value:
        return Settled(side if asked is None or kind is Deal.LOCAL else side._replace(version=version_of(asked)))
    return Settled(Side(wanted.value, now_ms, next_version(version, asked, kind)), changed=True)


def is_newer(version: Version, asked: TwinVersion) -> bool:
    """Whether either number here is beyond the one that the cloud knew."""
    return version.cloud > asked.cloud or version.edge > asked.edge


def next_version(version: Version, asked: TwinVersion | None, kind: Deal) -> Version:
    """Return the version of a change: the edge counts one, the cloud names its own; none of it leaves 64 bits."""
    if kind is Deal.LOCAL:
        return Version(version.cloud, min(version.edge + 1, INT64_MAX))
    return version if asked is None else version_of(asked)


def version_of(asked: TwinVersion) -> Version:
    """Return what a message says of a version."""
    return Version(asked.cloud, asked.edge)
