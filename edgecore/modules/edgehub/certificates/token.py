"""The token with which a node joins (pure): the hash of the cloud's CA, a dot, and a JWT of the cloud (spec 3.4).

The hash says which CA to believe before anything else is believed; the JWT is shown to the cloud and judged there.
"""

import base64
import hashlib
import json
import re
from datetime import UTC, datetime

from edgecore.errors import EnrolmentError

PARTS = 4
MAX_CHARACTERS = 8192
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


class Token:
    """A token taken apart. It never shows itself in a ``repr`` or an error."""

    __slots__ = ("ca_hash", "jwt")

    def __init__(self, ca_hash: str, jwt: str) -> None:
        self.ca_hash = ca_hash
        """SHA-256 of the CA's DER bytes, lower-case hexadecimal."""
        self.jwt = jwt

    def __repr__(self) -> str:
        return f"Token(ca_hash={self.ca_hash!r}, jwt='***')"

    def is_of(self, der: bytes) -> bool:
        """Say whether ``der`` is the CA that the token names."""
        return hashlib.sha256(der).hexdigest() == self.ca_hash

    def check_ca(self, der: bytes) -> None:
        """Raise ``EnrolmentError`` where ``der`` is not the CA that the token names."""
        if not self.is_of(der):
            raise EnrolmentError(
                "ca",
                f"cannot trust the CA certificate: its SHA-256 is {hashlib.sha256(der).hexdigest()}, the token says"
                f" {self.ca_hash}; either the token is of another cloud, or somebody else answered in its place",
            )

    def expires_at(self) -> datetime | None:
        """Return when the JWT says that it expires; None where it does not say. Nothing is verified here."""
        try:
            claims = json.loads(_decoded(self.jwt.split(".")[1]))
            return datetime.fromtimestamp(claims["exp"], UTC)
        except (ValueError, LookupError, TypeError, OverflowError, OSError, RecursionError):
            return None

    def age(self, now: datetime) -> str:
        """Return "the token expired at ..." where it did, by the clock of this machine, and else nothing."""
        end = self.expires_at()
        return f"the token expired at {end:%Y-%m-%d %H:%M:%S} UTC" if end is not None and end <= now else ""


def parse_token(text: str) -> Token:
    """Take a token apart. Raises ``EnrolmentError``, which says what is wrong without showing any of it."""
    text = text.strip()
    fault = _fault(text)
    if fault:
        raise EnrolmentError("token", f"cannot use the token: {fault}")
    ca_hash, _, jwt = text.partition(".")
    return Token(ca_hash.lower(), jwt)


def _fault(text: str) -> str:
    if not text:
        return "it is empty"
    if len(text) > MAX_CHARACTERS:
        return f"it is longer than {MAX_CHARACTERS} characters"
    parts = text.split(".")
    if len(parts) == 1 and _is_wrapped(text):
        return "it is still base64, as a Kubernetes secret has it; pass it through `base64 -d`"
    if len(parts) != PARTS:
        return f"between its dots it has {len(parts)}, not {PARTS} parts (the hash of the CA and the three of a JWT)"
    if not _HASH.fullmatch(parts[0]):
        return "its first part is not a SHA-256 hash (64 hexadecimal digits)"
    for number, part in enumerate(parts[1:], 2):
        if not _BASE64URL.fullmatch(part):
            return f"part {number} is empty or holds characters that no JWT has"
    return ""


def _is_wrapped(text: str) -> bool:
    try:
        return base64.b64decode(text, validate=True).count(b".") == PARTS - 1
    except ValueError:
        return False


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
