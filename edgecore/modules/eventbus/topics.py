"""MQTT topics (pure): what is subscribed, where a message goes, which topics and filters may be.

Sources: ``kubeedge edge/pkg/eventbus/mqtt/client.go:45-51,91-111@v1.3.1``; MQTT 3.1.1 section 4.7.
"""

import re
from typing import Literal, NamedTuple

from edgecore.beehive import resource as r
from edgecore.beehive.topics import topic_resource

UploadForm = Literal["1.3", "1.6"]
"""How uploads go to the cloud: in the words of KubeEdge 1.3, whose cloud discards them, or of 1.6 and later."""

UPLOAD_RECORDS = "SYS/dis/upload_records"
SUBSCRIBED = (
    "$hw/events/upload/#",
    "$hw/events/device/+/state/update",
    "$hw/events/device/+/twin/+",
    "$hw/events/node/+/membership/get",
    UPLOAD_RECORDS,
)
SUBSCRIBED_FROM_1_6 = "+/user/#"
OF_DEVICES = ("$hw/events/device", "$hw/events/node")
"""What begins so is DeviceTwin's."""
LONGEST_BYTES = 65_535
_NOT_UTF8 = re.compile("[\udc80-\udcff]")


class Taken(NamedTuple):
    """What a message of MQTT becomes on the bus."""

    group: str
    operation: str
    resource: str


def subscribed(form: UploadForm) -> tuple[str, ...]:
    """Return the filters that are subscribed whatever modules ask for."""
    return SUBSCRIBED if form == "1.3" else (*SUBSCRIBED, SUBSCRIBED_FROM_1_6)


def taken_in(topic: str, form: UploadForm) -> Taken:
    """Return where a message on ``topic`` goes."""
    if topic.startswith(OF_DEVICES):
        return Taken(r.GROUP_TWIN, r.RESPONSE, topic_resource(topic))
    if form == "1.6":
        return Taken(r.GROUP_HUB, r.UPLOAD, topic)
    return Taken(r.GROUP_HUB, r.RESPONSE, topic if topic == UPLOAD_RECORDS else topic_resource(topic))


def as_text(payload: bytes) -> str:
    """Return the payload as text, each byte that is not UTF-8 as U+FFFD, as Go's JSON has it."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return _NOT_UTF8.sub("\N{REPLACEMENT CHARACTER}", payload.decode(errors="surrogateescape"))


def fault_of_topic(topic: str) -> str:
    """Return why nothing can be published on ``topic``; nothing if it can."""
    if "+" in topic or "#" in topic:
        return "it has a wildcard"
    return _fault(topic)


def fault_of_filter(wanted: str) -> str:
    """Return why ``wanted`` cannot be subscribed; nothing if it can."""
    levels = wanted.split("/")
    if any(("+" in level or "#" in level) and len(level) > 1 for level in levels):
        return "a wildcard is not alone in its level"
    if "#" in levels[:-1]:
        return "# is not the last level"
    return _fault(wanted)


def _fault(text: str) -> str:
    if not text:
        return "it is empty"
    if "\0" in text:
        return "it has a NUL character"
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return "it is no Unicode text"
    return f"it has over {LONGEST_BYTES} bytes" if len(encoded) > LONGEST_BYTES else ""


def matches(wanted: str, topic: str) -> bool:
    """Return whether a message on ``topic`` comes to who subscribed ``wanted``; wildcards leave ``$`` topics out."""
    if topic[:1] == "$" and wanted[:1] in ("+", "#"):
        return False
    levels, parts = wanted.split("/"), topic.split("/")
    for number, level in enumerate(levels):
        if level == "#":
            return True
        if number == len(parts) or level not in ("+", parts[number]):
            return False
    return len(levels) == len(parts)
