"""Which decision a request leads to (pure)."""

from collections.abc import Mapping

from edgecore.modules.devicetwin import membership, updates
from edgecore.modules.devicetwin.decision import Decision, Moment
from edgecore.modules.devicetwin.devices import Device
from edgecore.modules.devicetwin.requests import Request
from edgecore.modules.devicetwin.topics import Action


def decide(devices: Mapping[str, Device], request: Request, at: Moment) -> Decision:
    """Return what is to be done because of ``request``."""
    device_id, payload = request.device_id, request.payload
    match request.action:
        case Action.MEMBERSHIP_GET:
            return membership.show_membership(devices, payload, at)
        case Action.MEMBERSHIP_UPDATED:
            return membership.update_membership(devices, payload, at)
        case Action.MEMBERSHIP_DETAIL:
            return membership.replace_membership(devices, payload, at)
        case Action.TWIN_GET:
            return updates.show_twins(devices, device_id, payload, at)
        case Action.TWIN_UPDATE:
            return updates.update_twins(devices, device_id, payload, at)
        case Action.TWIN_CLOUD_UPDATED:
            return updates.sync_twins_of(devices, device_id, payload, at)
        case Action.STATE_UPDATE:
            return updates.update_state(devices, device_id, payload, at)
        case Action.ATTRIBUTES_UPDATED:
            return updates.update_attributes(devices, device_id, payload, at, local=request.local)
