"""What a message of the bus becomes on MQTT (pure).

=================  =============================================  ================================
operation          topic                                          payload
=================  =============================================  ================================
``publish``        the resource                                   the content, bytes or text
``message``        ``message.topic`` of the content               JSON of ``message``, keys sorted
``get_result``     ``$hw/events/node/<node>/authInfo/get/result`` JSON of the content
``subscribe``      the resource is subscribed
``unsubscribe``    the resource is not subscribed any more
=================  =============================================  ================================

Everything else is not EventBus's. Source: ``kubeedge edge/pkg/eventbus/eventbus.go:92-155@v1.3.1``.
"""

from typing import Any, NamedTuple

import msgspec

from edgecore.beehive import resource as r
from edgecore.beehive.gojson import escaped
from edgecore.beehive.message import Message, content_value
from edgecore.errors import ContentError
from edgecore.modules.eventbus.topics import fault_of_filter, fault_of_topic

AUTH_INFO = "auth_info"
AUTH_INFO_TOPIC = "$hw/events/node/{node}/authInfo/get/result"
_sorted = msgspec.json.Encoder(order="deterministic").encode


class Publish(NamedTuple):
    """Something is to be published."""

    topic: str
    payload: bytes


class Subscribe(NamedTuple):
    """A filter is to be subscribed, until ``Unsubscribe``."""

    wanted: str


class Unsubscribe(NamedTuple):
    """A filter is not to be subscribed any more."""

    wanted: str


class Passed(NamedTuple):
    """It is nothing for MQTT. ``reason`` is a fixed snake_case word."""

    reason: str


class Refused(NamedTuple):
    """It cannot be done. ``reason`` is a fixed snake_case word, ``detail`` says what is wrong."""

    reason: str
    detail: str


Deed = Publish | Subscribe | Unsubscribe | Passed | Refused


def deed(message: Message, node: str) -> Deed:
    """Return what is to be done for ``message``."""
    route = message.route
    if route.source == r.LINK and route.resource == r.NODE_CONNECTION:
        return Passed("node_connection")  # in Go it is published, which nobody meant (bug V3)
    try:
        match route.operation:
            case r.PUBLISH:
                return _published(route.resource, content_value(message))
            case r.MESSAGE:
                return _of_message(content_value(message))
            case r.GET_RESULT if route.resource == AUTH_INFO:
                return Publish(AUTH_INFO_TOPIC.format(node=node), _json(content_value(message)))
            case r.SUBSCRIBE:
                fault = fault_of_filter(route.resource)
                return Refused("filter_malformed", fault) if fault else Subscribe(route.resource)
            case r.UNSUBSCRIBE:
                return Unsubscribe(route.resource)
    except ContentError as error:
        return Refused("content_malformed", str(error))
    return Passed("of_servicebus" if route.source == r.ROUTER_REST else "unknown_operation")


def _published(topic: str, content: Any) -> Deed:
    if isinstance(content, str):
        try:
            content = content.encode()
        except UnicodeEncodeError:
            return Refused("content_malformed", "the content is no Unicode text")
    if not isinstance(content, bytes):
        return Refused("content_not_text", f"the content is of type {type(content).__name__}")
    fault = fault_of_topic(topic)
    return Refused("topic_malformed", fault) if fault else Publish(topic, content)


def _of_message(content: Any) -> Deed:
    message = content.get("message") if isinstance(content, dict) else None
    topic = message.get("topic") if isinstance(message, dict) else None
    if not isinstance(topic, str):
        return Refused("content_malformed", "the content has no message with a topic")
    return _published(topic, _json(message))


def _json(value: Any) -> bytes:
    """Return ``value`` as Go writes a map. Raises ``ContentError``."""
    try:
        return escaped(_sorted(value))
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise ContentError(f"cannot encode content: {error}") from error
