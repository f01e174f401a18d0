"""How a node gets its certificate, step by step: CA, key and request, certificate, files (spec 3.5).

What a step brought is kept until the last one is done, so a try that fails is taken up where it stopped, and the files
are replaced all at once at the end.
"""

from collections.abc import Callable
from datetime import datetime

from edgecore.clock import Clock
from edgecore.errors import EnrolmentError
from edgecore.modules.edgehub.certificates.authority import Authority
from edgecore.modules.edgehub.certificates.keyfiles import KeyFiles
from edgecore.modules.edgehub.certificates.token import Token, parse_token
from edgecore.modules.edgehub.certificates.x509 import (
    Facts,
    at,
    check_issued,
    facts_of,
    new_key,
    request_of,
    said,
    to_pem,
)

Told = Callable[[str], None]
"""Takes one line of progress."""


def nobody(_line: str) -> None:
    """Hear of no progress."""


class Enrolment:
    """Joining with a token. ``node`` is for clouds from 1.4 on; empty: not told."""

    def __init__(self, files: KeyFiles, authority: Authority, token: str, *, clock: Clock, node: str = "") -> None:
        self._files = files
        self._authority = authority
        self._text = token
        self._clock = clock
        self._node = node
        self._ca: bytes | None = None
        self._key: bytes | None = None

    async def enrol(self, told: Told = nobody) -> Facts:
        """Go through the steps that are missing, and return what the certificate says. Raises ``LinkError``."""
        token = parse_token(self._text)
        if self._ca is None:
            self._ca = await self._trusted_ca(token, told)
        if self._key is None:
            self._key = self._files.lone_key() or new_key()
            told("key: ECDSA P-256, for this node alone")
        der = await self._issued(token, self._ca, self._key)
        keep_issued(self._files, ca=self._ca, key=self._key, der=der, now=self._now())
        facts = facts_of(der)
        told(f"certificate: {facts.subject}, valid until {said(facts.lifetime.not_after)}")
        self._ca = self._key = None
        return facts

    async def _trusted_ca(self, token: Token, told: Told) -> bytes:
        ca = self._files.held().ca
        if ca is not None and token.is_of(ca):
            told(f"CA certificate: {self._files.ca} is the one that the token names")
            return ca
        ca = await self._authority.fetch_ca()
        token.check_ca(ca)
        told(f"CA certificate: {facts_of(ca).subject}, SHA-256 {token.ca_hash}, as the token says")
        return ca

    async def _issued(self, token: Token, ca: bytes, key: bytes) -> bytes:
        try:
            return await self._authority.issue(request_of(key), ca=ca, jwt=token.jwt, node=self._node)
        except EnrolmentError as error:
            age = token.age(self._now())
            if not age:
                raise
            raise EnrolmentError(error.step, f"{error} ({age}; get a new one)") from error

    def _now(self) -> datetime:
        return at(self._clock.now_ms())


def keep_issued(files: KeyFiles, *, ca: bytes, key: bytes, der: bytes, now: datetime) -> None:
    """Check a certificate that was just issued and store it with its key, and a CA that is new.

    Raises ``EnrolmentError``.
    """
    try:
        check_issued(der, key_pem=key, ca_der=ca, now=now)
    except ValueError as error:
        raise EnrolmentError("certificate", f"cannot use the certificate that the cloud issued: {error}") from error
    files.store(ca=None if files.held().ca == ca else to_pem(ca), certificate=to_pem(der), key=key)
