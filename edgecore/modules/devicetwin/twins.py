"""The twin engine: what becomes of a device's twins when a device or the cloud wants them changed (pure).

See spec 7.5 and kubeedge edge/pkg/devicetwin/dtmanager/twin.go@v1.3.1. A version is a pair: the cloud's number never
goes down, and a device's own change adds one to the edge's. What the cloud wants under an older number is refused by
telling it how things are here. A value that is already so is no change (W8): no count, and nothing to the cloud.
"""

from collections.abc import Mapping
from typing import NamedTuple

from edgecore.errors import ContentError
from edgecore.modules.devicetwin.devices import DELETED, Device, Side, Twin
from edgecore.modules.devicetwin.payloads import MsgTwin, TwinDoc, Twins, TwinVersion, TypeMeta
from edgecore.modules.devicetwin.shown import message_of, shown, type_of, visible
from edgecore.modules.devicetwin.sides import Deal, Settled, is_newer, next_version, settle, version_of
from edgecore.modules.devicetwin.values import BAD_ENTRY, BAD_TYPE, NO_VERSION, is_type

__all__ = ["MAX_TWINS", "Deal", "Dealt", "Refused", "deal", "delta_of", "shown"]

MAX_TWINS = 1024
"""Twins of one device, with those that are gone, beyond which nobody can add one."""
TOO_MANY = "The device has too many twins"


class Refused(ContentError):  # noqa: N818 - what happened to a request, as the states in errors.py
    """A request is refused as a whole, and nothing has changed; ``code`` and ``reason`` go to the device."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"cannot change device: {reason}")
        self.code = code
        self.reason = reason


class Dealt(NamedTuple):
    """What becomes of it; every dict is in the order in which Go writes it."""

    device: Device
    """As it is once the rows are committed."""
    changed: tuple[str, ...]
    """The twins whose rows are to be written: new, changed, or gone (their rows stay, with their versions)."""
    result: Twins
    """For ``twin/update/result``: what was asked for, as it is now, without versions."""
    documents: dict[str, TwinDoc]
    """For ``twin/update/document``, where it is not empty."""
    delta: tuple[Twins, dict[str, str]] | None
    """For ``twin/update/delta``: all twins that should have a value, and those values that are not so yet."""
    sync: Twins
    """For the cloud, with versions, where it is not empty."""
    faults: tuple[tuple[str, str], ...] = ()
    """Of the cloud: twins of which something was passed over, and why."""


class _Step(NamedTuple):
    """What becomes of one twin."""

    twin: Twin | None = None
    """How it is now; ``None``: as it was."""
    result: Mapping[str, MsgTwin | None] = {}
    sync: MsgTwin | None = None
    fault: str = ""


def deal(device: Device, wanted: Mapping[str, MsgTwin | None], kind: Deal, now_ms: int) -> Dealt:
    """Return what becomes of the twins of ``device``.

    Raises ``Refused`` where a program on MQTT asks for what cannot be; of the cloud, what cannot be is passed over.
    """
    twins = dict(device.twins)
    changed: list[str] = []
    faults: list[tuple[str, str]] = []
    result: Twins = {}
    documents: dict[str, TwinDoc] = {}
    sync: Twins = {}
    for key in sorted(wanted):
        before = twins.get(key)
        if before is None and len(twins) >= MAX_TWINS:
            step = _refuse(TOO_MANY, kind)
        else:
            step = _step(key, before, wanted[key], kind, now_ms)
        result |= step.result
        if step.sync is not None:
            sync[key] = step.sync
        if step.fault:
            faults.append((key, step.fault))
        if step.twin is not None and step.twin != before:
            twins[key] = step.twin
            changed.append(key)
            last, current = visible(before), visible(step.twin)
            if last != current:
                documents[key] = TwinDoc(last, current)
    if changed:
        device = device._replace(twins=twins)
    return Dealt(device, tuple(changed), result, documents, delta_of(twins) if documents else None, sync, tuple(faults))


def delta_of(twins: Mapping[str, Twin]) -> tuple[Twins, dict[str, str]] | None:
    """Return all twins that should have a value, and those values that are not so yet; ``None`` where all are."""
    wanted: Twins = {}
    differing: dict[str, str] = {}
    for key in sorted(twins):
        twin = twins[key]
        if twin.is_deleted or twin.expected is None or not twin.expected.value:
            continue
        wanted[key] = message_of(twin, versions=False)
        if twin.expected.value != (twin.actual.value if twin.actual is not None else None):
            differing[key] = twin.expected.value
    return (wanted, differing) if differing else None


def _step(key: str, local: Twin | None, wanted: MsgTwin | None, kind: Deal, now_ms: int) -> _Step:
    if wanted is None:
        if local is None or kind is not Deal.LOCAL:
            return _refuse(BAD_ENTRY, kind)
        return _delete_here(key, local)
    if kind is not Deal.LOCAL and type_of(wanted) == DELETED:
        return _delete_by_cloud(local, wanted)
    if local is None:
        return _add(key, wanted, kind, now_ms)
    return _change(key, local, wanted, kind, now_ms)


def _refuse(reason: str, kind: Deal) -> _Step:
    """Refuse the whole request of a program on MQTT; pass over one twin of the cloud."""
    if kind is Deal.LOCAL:
        raise Refused(400, reason)
    return _Step(fault=reason)


def _delete_here(key: str, local: Twin) -> _Step:
    """A program on MQTT deletes a twin, if it may; each side that has a version gets its next."""
    if local.is_deleted or not local.optional:
        return _Step()
    gone = local._replace(type=DELETED, expected=_emptied(local.expected), actual=_emptied(local.actual))
    sync = message_of(gone, versions=True)
    sync.expected_version = sync.expected_version or TwinVersion()
    return _Step(gone, {key: None}, sync)


def _emptied(side: Side | None) -> Side | None:
    if side is None or side.version is None:
        return None
    return Side(version=next_version(side.version, None, Deal.LOCAL))


def _delete_by_cloud(local: Twin | None, wanted: MsgTwin) -> _Step:
    """The cloud deletes a twin: both sides or, where one is newer here, none."""
    if local is None:
        return _remember_deleted(wanted)
    if local.is_deleted:
        return _Step()
    sides: list[Side | None] = []
    for side, asked in ((local.expected, wanted.expected_version), (local.actual, wanted.actual_version)):
        if side is None or side.version is None:
            sides.append(None)
        elif asked is not None and is_newer(side.version, asked):
            return _Step(sync=message_of(local, versions=True))
        else:
            sides.append(Side(version=next_version(side.version, asked, Deal.REMOVED)))
    return _Step(Twin(sides[0], sides[1], local.optional, DELETED))


def _remember_deleted(wanted: MsgTwin) -> _Step:
    """Keep the versions of a twin that the cloud deleted and that was never here: nothing older revives it."""
    expected, actual = (
        Side(version=version_of(asked)) if asked is not None else None
        for asked in (wanted.expected_version, wanted.actual_version)
    )
    if expected is None and actual is None:
        return _Step(fault=NO_VERSION)
    return _Step(Twin(expected, actual, wanted.optional is not False, DELETED))


def _add(key: str, wanted: MsgTwin, kind: Deal, now_ms: int) -> _Step:
    type_ = type_of(wanted)
    if type_ == DELETED or not is_type(type_):
        return _refuse(BAD_TYPE, kind)
    expected, actual = _settle_both(Twin(), wanted, type_, kind, now_ms)
    if fault := expected.fault or actual.fault:
        return _refuse(fault, kind)
    if expected.conflict or actual.conflict:
        return _Step(fault=NO_VERSION)
    twin = Twin(expected.side, actual.side, wanted.optional is not False, type_)
    if kind is not Deal.LOCAL:
        return _Step(twin)
    return _Step(twin, {key: message_of(twin, versions=False)}, message_of(twin, versions=True))


def _settle_both(local: Twin, wanted: MsgTwin, type_: str, kind: Deal, now_ms: int) -> tuple[Settled, Settled]:
    expected = settle(local.expected, wanted.expected, wanted.expected_version, type_, kind=kind, now_ms=now_ms)
    if expected.conflict:
        return expected, Settled(local.actual)
    return expected, settle(local.actual, wanted.actual, wanted.actual_version, type_, kind=kind, now_ms=now_ms)


def _change(key: str, local: Twin, wanted: MsgTwin, kind: Deal, now_ms: int) -> _Step:
    """Change a twin that is known; one that is gone comes back, with the type that is asked for."""
    type_ = type_of(wanted) if local.is_deleted else local.type
    if type_ == DELETED or (local.is_deleted and not is_type(type_)):
        return _refuse(BAD_TYPE, kind)
    expected, actual = _settle_both(local, wanted, type_, kind, now_ms)
    fault = expected.fault or actual.fault
    if fault and (kind is Deal.LOCAL or local.is_deleted):
        return _refuse(fault, kind)
    if expected.conflict or actual.conflict:
        kept = None if local.is_deleted else local._replace(expected=expected.side)
        return _Step(kept, sync=_as_here(local, expected, actual), fault=fault)
    optional = local.optional and wanted.optional is not False
    twin = Twin(expected.side, actual.side, optional, type_)
    if kind is not Deal.LOCAL:
        return _Step(twin, fault=fault)
    result = _answer(twin, local, wanted.expected is not None, wanted.actual is not None, versions=False)
    told = _answer(twin, local, expected.changed, actual.changed, versions=True)
    return _Step(twin, {key: result} if result else {}, told)


def _as_here(local: Twin, expected: Settled, actual: Settled) -> MsgTwin:
    """Return what the cloud is told of a side that it wanted changed under an older version."""
    whole = message_of(local, versions=True)
    if expected.conflict:
        whole.actual = whole.actual_version = None
    elif actual.conflict:
        whole.expected = whole.expected_version = None
    return whole


def _answer(twin: Twin, before: Twin, expected: bool, actual: bool, *, versions: bool) -> MsgTwin | None:
    """Return what is told of a change: the sides that are meant, and what else is so now; ``None`` where nothing is."""
    if expected or actual:
        whole = message_of(twin, versions=versions)
        if not expected:
            whole.expected = whole.expected_version = None
        if not actual:
            whole.actual = whole.actual_version = None
        return whole
    optional = twin.optional if twin.optional != before.optional else None
    type_ = TypeMeta(twin.type) if twin.type != before.type else None
    return MsgTwin(optional=optional, metadata=type_) if optional is not None or type_ else None
