"""What devices send up by MQTT, for nobody in particular (pure).

| edge | operation | resource |
| --- | --- | --- |
| up to 1.5 | ``response`` | the topic in base64url, or ``SYS/dis/upload_records`` as it is |
| from 1.6 on | ``upload`` | the topic |
"""

from base64 import urlsafe_b64decode
from typing import Any, NamedTuple

from edgecore.beehive.message import Message, content_json, content_value
from edgecore.beehive.resource import BUS, GROUP_USER, RESPONSE, UPLOAD

LONGEST_TOPIC = 200
LONGEST_SHOWN = 1024
"""How many characters are kept of what was sent."""
_PLAIN_TOPIC = "SYS/dis/upload_records"


class Upload(NamedTuple):
    """Something that a device sent up."""

    topic: str
    size_bytes: int
    at_ms: int
    operation: str = RESPONSE
    shown: str = ""
    """Its beginning."""


def is_upload(message: Message) -> bool:
    """Whether EventBus sends up what a device published (``kubeedge edge/pkg/eventbus/mqtt/client.go:91-111@v1.3.1``);
    up to 1.5 it looks like an answer without a question."""
    route = message.route
    return route.operation in {RESPONSE, UPLOAD} and route.source == BUS and route.group == GROUP_USER


def upload_of(message: Message, at_ms: int) -> Upload:
    """Return what ``message`` brings up. Raises ``ContentError``."""
    size_bytes = len(content_json(message))
    content: Any = content_value(message)
    shown = content if isinstance(content, str) else content_json(message).decode(errors="replace")
    return Upload(_topic(message)[:LONGEST_TOPIC], size_bytes, at_ms, message.route.operation, shown[:LONGEST_SHOWN])


def _topic(message: Message) -> str:
    route = message.route
    if route.operation == UPLOAD or route.resource == _PLAIN_TOPIC:
        return route.resource
    encoded = route.resource[: 2 * LONGEST_TOPIC]
    try:
        return urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode(errors="replace")
    except ValueError:
        return encoded
