"""Answers that the proxy gives itself: always well-formed, short, and with the reason as a word.

======  ==========================================================================================================
status  when
======  ==========================================================================================================
400     the request is not HTTP/1.x, or could be read in more than one way
408     the client sends its head or its body too slowly
431     the head is too long
501     CONNECT, methods that httptools does not know, and transfer codings other than chunked
502     no connection to the backend, or what it sent is no answer
503     the directory refuses (its status and words are taken over); too many connections
504     the backend neither accepts nor answers in time
======  ==========================================================================================================
"""

import re
from http import HTTPStatus

from edgecore.modules.edgemesh.names import Refusal, ServiceKey

_NOT_A_WORD = re.compile(r"[^a-z0-9_]")

TOO_MANY = Refusal(503, "too_many_connections", "cannot serve the connection: too many are open")


def unreachable(status: int, reason: str, service: ServiceKey, port: int, why: str) -> Refusal:
    """Return the refusal of a request whose service is known."""
    return Refusal(status, reason, f"cannot reach service {service} port {port}: {why}")


def bad_request(reason: str, why: str, status: int = 400) -> Refusal:
    """Return the refusal of bytes that are no request, or none that this proxy forwards."""
    return Refusal(status, reason, f"cannot forward the request: {why}")


def bad_answer(reason: str, why: str) -> Refusal:
    """Return the refusal of bytes that are no answer to the request (502)."""
    return Refusal(502, reason, why)


def answer(refusal: Refusal, *, connection: bytes = b"", body: bool = True) -> bytes:
    """Return the whole answer: text of one line, and the reason as ``X-Edgecore-Reason``.

    ``connection`` is the value of a Connection header, if there is to be one; ``body`` is false for HEAD.
    """
    text = " ".join(refusal.text.split()).encode("utf-8", "replace") + b"\n"
    head = (
        f"HTTP/1.1 {refusal.status} {_phrase(refusal.status)}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(text)}\r\n"
        f"X-Edgecore-Reason: {_NOT_A_WORD.sub('_', refusal.reason)}\r\n"
    ).encode("ascii")
    if connection:
        head += b"Connection: %b\r\n" % connection
    return head + b"\r\n" + text if body else head + b"\r\n"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"
