"""What a message on the bus wants of DeviceTwin (pure; ``kubeedge edge/pkg/devicetwin/process.go:188-272@v1.3.1``)."""

from typing import NamedTuple

from edgecore.beehive import resource as r
from edgecore.beehive.message import Message, content_json, content_value
from edgecore.beehive.topics import topic_of
from edgecore.errors import ContentError
from edgecore.modules.devicetwin.topics import Action, read_topic

MAX_PAYLOAD_BYTES = 1024 * 1024
"""The largest payload that comes over MQTT; EdgeHub bounds those of the cloud."""
EDGEMGR = "edgemgr"
"""What the source of the cloud's messages was called before it was ``devicecontroller``."""
_CLOUD = (EDGEMGR, r.DEVICECONTROLLER)
_DETAIL = "membership/detail"
"""The question for all devices has this resource, and so has its answer."""


class Request(NamedTuple):
    """Somebody wants something; ``device_id`` is empty where it is of the node."""

    action: Action
    device_id: str
    payload: bytes
    local: bool
    """It came over MQTT, not from the cloud."""


class Connection(NamedTuple):
    """The link to the cloud came up, or went down."""

    connected: bool


class Confirmation(NamedTuple):
    """An answer of the cloud: its parent says all."""


class Unfit(NamedTuple):
    """It cannot be told what is wanted; ``reason`` is a fixed word."""

    reason: str
    detail: str


def read_request(message: Message) -> Request | Connection | Confirmation | Unfit:
    """Return what ``message`` wants."""
    route = message.route
    if route.source == r.BUS:
        return _of_topic(message)
    if route.source == r.LINK and route.resource == r.NODE_CONNECTION:
        return _news(message)
    if route.source in _CLOUD and (route.operation != r.RESPONSE or _DETAIL in route.resource):
        return _of_cloud(message)
    if route.operation == r.RESPONSE:
        return Confirmation()
    return Unfit("unknown_source", f"{route.source}: {route.operation} {route.resource}")


def _of_topic(message: Message) -> Request | Unfit:
    topic = topic_of(message.route.resource)
    asked = read_topic(topic) if topic is not None else None
    if asked is None:
        return Unfit("unknown_topic", message.route.resource if topic is None else topic)
    content = message.content
    if isinstance(content, str):
        content = content.encode(errors="surrogatepass")
    if not isinstance(content, bytes):  # bug W2: Go ends on it
        return Unfit("content_not_text", f"{topic}: {type(content).__name__}")
    if len(content) > MAX_PAYLOAD_BYTES:
        return Unfit("payload_too_large", f"{topic}: {len(content)} bytes")
    return Request(*asked, content, local=True)


def _of_cloud(message: Message) -> Request | Unfit:
    route = message.route
    resource = route.resource
    words = resource.split("/")
    if _DETAIL in resource:
        action, device_id = Action.MEMBERSHIP_DETAIL, ""
    elif "membership" in words:
        action, device_id = Action.MEMBERSHIP_UPDATED, ""
    elif len(words) == 4 and words[0] == "device" and words[2:] == ["twin", "cloud_updated"]:
        action, device_id = Action.TWIN_CLOUD_UPDATED, words[1]
    elif len(words) == 2 and words[0] == "device" and "updated" in route.operation:
        action, device_id = Action.ATTRIBUTES_UPDATED, words[1]
    else:  # bug W3: Go goes on without an action
        return Unfit("unknown_resource", f"{route.operation} {resource}")
    try:
        return Request(action, device_id, content_json(message), local=False)
    except ContentError as error:
        return Unfit("malformed_payload", str(error))


def _news(message: Message) -> Connection | Unfit:
    try:
        news = content_value(message)
    except ContentError as error:
        return Unfit("unknown_news", str(error))
    if news == r.CLOUD_CONNECTED:
        return Connection(connected=True)
    if news == r.CLOUD_DISCONNECTED:
        return Connection(connected=False)
    return Unfit("unknown_news", repr(news))
