"""Asking the cloud for its CA and for a certificate: the node's one HTTPS client (spec 3.3, 3.5)."""

import os
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp

from edgecore.errors import EnrolmentError
from edgecore.modules.edgehub.certificates.keyfiles import KeyFiles
from edgecore.modules.edgehub.certificates.tls import authority_context, unchecked_context
from edgecore.modules.edgehub.certificates.x509 import facts_of

CA_PATH = "/ca.crt"
CERTIFICATE_PATH = "/edge.crt"
TIMEOUT_S = 30.0
MAX_BODY_BYTES = 65_536
SHOWN_CHARACTERS = 200
_NOT_SENT = ("Accept", "Accept-Encoding", "Content-Type")
"""Headers that the library would add and Go does not send; an answer that is compressed would be of no use."""


class _Question(NamedTuple):
    """One request: the word of its step, how its errors begin, and what is sent."""

    step: str
    cannot: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None
    secret: str = ""
    """Not to be shown, even where the answer repeats it."""


class Authority:
    """The HTTPS port of one cloud."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s

    async def fetch_ca(self) -> bytes:
        """Return a CA certificate, as DER, from whoever answers: nobody was checked, so the caller must check it.

        Raises ``EnrolmentError``, as the other two do: it tells the step, the URL and the reason.
        """
        return await self._ask(_Question("ca", "fetch the CA certificate", CA_PATH, {}), unchecked_context())

    async def issue(self, request: bytes, *, ca: bytes, jwt: str, node: str = "") -> bytes:
        """Return the certificate for ``request`` (DER both); ``jwt`` says that we may have one.

        ``node`` is told to clouds from 1.4 on, which have a header for it.
        """
        headers = {"Authorization": f"Bearer {jwt}", **({"NodeName": node} if node else {})}
        question = _Question("certificate", "get the node's certificate", CERTIFICATE_PATH, headers, request, jwt)
        return await self._ask(question, authority_context(ca))

    async def renew(self, request: bytes, *, ca: bytes, files: KeyFiles, node: str) -> bytes:
        """Return a new certificate, from a cloud (1.4 and later) that takes the present one in place of a token.

        Raises ``LinkError`` also where the present files cannot be used.
        """
        headers = {"NodeName": node}
        question = _Question("certificate", "renew the node's certificate", CERTIFICATE_PATH, headers, request)
        return await self._ask(question, authority_context(ca, (files.certificate, files.key)))

    async def _ask(self, question: _Question, tls: ssl.SSLContext) -> bytes:
        url = f"{self.url}{question.path}"
        beginning = f"cannot {question.cannot} from {url}"
        if urlsplit(url).scheme != "https":
            raise EnrolmentError(
                question.step, f"{beginning}: modules.edgeHub.httpServer must be an https:// address (port 10002)"
            )
        try:
            status, kind, body = await self._get(url, question, tls)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise EnrolmentError(question.step, f"{beginning}: {_why(error, self._timeout_s)}") from error
        hidden = question.secret.encode()
        fault = _fault(status, kind, body.replace(hidden, b"***") if hidden else body)  # hidden before it is cut
        if fault:
            text = f"{beginning}: {fault}"
            raise EnrolmentError(question.step, text.replace(question.secret, "***") if question.secret else text)
        return body

    async def _get(self, url: str, question: _Question, tls: ssl.SSLContext) -> tuple[int, str, bytes]:
        """Return status, content type, and as much of the body as may be there, and one byte."""
        connector = aiohttp.TCPConnector(ssl=tls)
        async with (
            aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                auto_decompress=False,
                skip_auto_headers=_NOT_SENT,
                headers={"User-Agent": "edgecore"},
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session,
            session.get(url, headers=question.headers, data=question.body, allow_redirects=False) as answer,
        ):
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    break
            return answer.status, answer.headers.get("Content-Type", ""), bytes(body)


def _fault(status: int, kind: str, body: bytes) -> str:
    """Return why an answer is no certificate, or nothing."""
    if status != HTTPStatus.OK:
        return f"HTTP {status} {_shown(body)}".rstrip()
    if len(body) > MAX_BODY_BYTES:
        return f"the answer is longer than {MAX_BODY_BYTES} bytes, which no certificate is"
    if not body:
        return "the answer is empty"
    try:
        facts_of(body)
    except ValueError:
        return f"the answer (HTTP 200 {_shown(kind.encode())}) is no certificate: {_shown(body)}"
    return ""


def _shown(body: bytes) -> str:
    text = body[: 4 * SHOWN_CHARACTERS].decode(errors="replace").strip()[:SHOWN_CHARACTERS]
    return "".join(character if character.isprintable() else " " for character in text)


def _why(error: Exception, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        said = getattr(cause, "verify_message", "") or str(cause)
        return f"its certificate is not the one to expect: {said}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the cloud closed the connection without an answer, as a cloudcore does that fails inside"
    if isinstance(error, aiohttp.ClientConnectorError):
        return _system_words(error.os_error)
    if isinstance(error.__cause__, ssl.SSLError):  # whose number is none of the system's
        return f"TLS was refused: {_tls_words(error.__cause__)}"
    return _system_words(error) if isinstance(error, OSError) else str(error) or type(error).__name__


def _system_words(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"no TLS there: {_tls_words(error)}"
    if error.errno is not None and error.errno > 0:  # asyncio and uvloop give these a text of their own
        return os.strerror(error.errno).lower()
    return str(error.strerror or error) or "the connection was closed"


def _tls_words(error: ssl.SSLError) -> str:
    """Return OpenSSL's word for what went wrong; where only the text has it, it stands there in brackets."""
    reason: str = getattr(error, "reason", None) or str(error).partition("[SSL: ")[2].partition("]")[0] or str(error)
    return reason.replace("_", " ").lower()
