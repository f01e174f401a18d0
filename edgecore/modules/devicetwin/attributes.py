"""What becomes of a device's attributes when a device or the cloud wants them changed (pure).

See kubeedge edge/pkg/devicetwin/dtmanager/device.go@v1.3.1. They have no versions, and the cloud is never told.
"""

from collections.abc import Mapping
from typing import NamedTuple

from edgecore.modules.devicetwin.devices import Attribute, Device
from edgecore.modules.devicetwin.payloads import Attributes, MsgAttr, TypeMeta
from edgecore.modules.devicetwin.sides import Deal
from edgecore.modules.devicetwin.values import BAD_ENTRY

MAX_ATTRIBUTES = 1024
"""Attributes of one device, beyond which no program on MQTT can add one."""
TOO_MANY = "The device has too many attributes"


class DealtAttributes(NamedTuple):
    """What becomes of it; ``result`` is in the order in which Go writes it."""

    device: Device
    """As it is once the rows are committed."""
    changed: tuple[str, ...]
    """The attributes whose rows are to be written."""
    gone: tuple[str, ...]
    """Those whose rows are to be deleted."""
    result: Attributes
    """For ``device/<id>/updated``, where it is not empty: what changed, whole; ``null``: gone."""
    faults: tuple[tuple[str, str], ...] = ()
    """What was passed over, and why."""


def deal_attributes(
    device: Device, wanted: Mapping[str, MsgAttr | None] | None, kind: Deal, now_ms: int
) -> DealtAttributes:
    """Return what becomes of the attributes of ``device``.

    The cloud names all that are to be, and those that it leaves out go; where it says nothing of them, all stay.
    ``now_ms`` is not looked at: attributes have no times.
    """
    del now_ms
    attributes = dict(device.attributes)
    result: Attributes = {}
    faults: list[tuple[str, str]] = []
    for key in sorted(wanted or {}):
        asked, before = (wanted or {})[key], attributes.get(key)
        if asked is None:
            if kind is not Deal.LOCAL:
                faults.append((key, BAD_ENTRY))
            elif before is not None and before.optional:
                result[key] = None
        elif before is None and kind is Deal.LOCAL and len(attributes) >= MAX_ATTRIBUTES:
            faults.append((key, TOO_MANY))
        elif (after := _changed(before, asked)) != before:
            attributes[key] = after
            result[key] = MsgAttr(after.value, after.optional, TypeMeta(after.type))
    if wanted is not None and kind is not Deal.LOCAL:
        result |= dict.fromkeys(attributes.keys() - wanted.keys())
    gone = tuple(sorted(key for key, told in result.items() if told is None))
    for key in gone:
        del attributes[key]
    if result:
        device = device._replace(attributes=attributes)
    changed = tuple(key for key, told in result.items() if told is not None)
    return DealtAttributes(device, changed, gone, dict(sorted(result.items())), tuple(faults))


def shown_attributes(attributes: Mapping[str, Attribute]) -> Attributes:
    """Return attributes as they go out, sorted."""
    return {
        key: MsgAttr(attribute.value, attribute.optional, TypeMeta(attribute.type))
        for key, attribute in sorted(attributes.items())
    }


def _changed(before: Attribute | None, asked: MsgAttr) -> Attribute:
    """Return the attribute as it becomes: what could be deleted may become what cannot, not the other way round."""
    optional = asked.optional is not False if before is None else before.optional and asked.optional is not False
    if asked.metadata is not None:
        return Attribute(asked.value, optional, asked.metadata.type)
    return Attribute(asked.value, optional, before.type if before is not None else "string")
