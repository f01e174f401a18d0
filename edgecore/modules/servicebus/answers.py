"""What the cloud is told of a call: the answer of the service, or why there is none (pure; spec 8)."""

from collections.abc import Iterable
from enum import Enum
from http import HTTPStatus
from typing import NamedTuple

import msgspec

SERVER = {"Server": ["kubeedge-edgecore"]}
MAX_HEADER_BYTES = 65_536
"""How long the header of an answer may be, all its lines together."""

_OF_THE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "trailer", "upgrade"})
"""Header lines that say how the body came to this node; the cloud gets the body itself."""


class Answer(msgspec.Struct, frozen=True):
    """An answer as it travels: names in the spelling of Go, and sorted as Go sorts a map; the body as base64."""

    header: dict[str, list[str]]
    status_code: int
    body: bytes


class Refusal(Enum):
    """Why there is no answer of a service: the text for the cloud, and the status that goes with it."""

    RESOURCE = ("the format of resource {} is incorrect", HTTPStatus.BAD_REQUEST)
    CONTENT = ("error to marshal request msg content", HTTPStatus.BAD_REQUEST)
    REQUEST = ("error to parse http request", HTTPStatus.BAD_REQUEST)
    CALL = ("error to call service", HTTPStatus.NOT_FOUND)
    RECEIVE = ("error to receive response, err: {}", HTTPStatus.INTERNAL_SERVER_ERROR)
    BUSY = ("error to call service, err: too many calls wait", HTTPStatus.SERVICE_UNAVAILABLE)


class Refused(NamedTuple):
    """A call that has no answer of a service."""

    refusal: Refusal
    reason: str
    """A fixed snake_case word."""
    detail: str = ""
    """What ``refusal`` wants to know: the resource, or what went wrong."""

    @property
    def answer(self) -> Answer:
        """What the cloud gets."""
        text, status = self.refusal.value
        return Answer(SERVER, int(status), text.format(self.detail).encode(errors="replace"))


TOO_LARGE = Refused(Refusal.RECEIVE, "body_too_large", "response body too large")


def answer_of(status: int, header: Iterable[tuple[str, str]], body: bytes) -> Answer | Refused:
    """Return what the cloud gets of the answer of a service."""
    found: dict[str, list[str]] = {}
    size = 0
    for name, value in header:
        size += len(name) + len(value)
        if name.lower() not in _OF_THE_CONNECTION:
            found.setdefault(go_name(name), []).append(value)
    if size > MAX_HEADER_BYTES:
        return Refused(Refusal.RECEIVE, "header_too_large", "response header too large")
    return Answer(dict(sorted(found.items())), status, body)


def go_name(name: str) -> str:
    """Return the name of a header line as Go writes it: every part begins with a capital letter."""
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))
