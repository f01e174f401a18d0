"""The tokens with which edges ask for their first certificate: made, checked, renewed and kept in a file.

A token is ``hex(sha256(CA in DER)) "." JWT``; the JWT says when it ends and nothing else, and is signed (HS256) with
the bytes of the CA's key (``kubeedge cloud/pkg/cloudhub/servers/httpserver/signcerts.go@v1.3.1``). So no list of tokens
is kept: every one that was signed is good until it ends, also after a restart, and also one that Go made with this CA.
To take tokens back, an instant is kept up to which whatever ends is refused.
"""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import jwt
import msgspec
import structlog

from cloudhub_stub.certificates.privatefiles import read_small, write_private
from edgecore.clock import Clock, Timer
from edgecore.errors import ConfigError

log = structlog.get_logger("cloudhub")

_HMAC = ["HS256", "HS384", "HS512"]
"""What the original accepts; it signs with the first."""
_LIMIT_CHARS = 8192
_MOST_DIGITS = 18


class _Claims(msgspec.Struct):
    exp: Annotated[int, msgspec.Meta(ge=0, le=253402300799)]
    """No later than the year 9999: it is shown as a date."""


def make_token(ca_der: bytes, key: bytes, ends_at: int) -> str:
    """Return a token that is good until ``ends_at`` (Unix seconds)."""
    return f"{sha256(ca_der).hexdigest()}.{jwt.encode({'exp': ends_at}, key, 'HS256')}"


def end_of(text: str, key: bytes) -> int | None:
    """Return when a JWT that ``key`` has signed ends (Unix seconds); ``None`` for any other text.

    The signature alone is left to the library: of claims it would judge by a clock of its own.
    """
    if len(text) > _LIMIT_CHARS:
        return None
    try:
        claims = jwt.PyJWS().decode(text, key, _HMAC)
        return msgspec.json.decode(claims, type=_Claims).exp
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return None


class Tokens:
    """The token of a running cloud, from ``start`` to ``stop``: renewed at half its time, never about to end."""

    def __init__(self, path: Path, ca_der: bytes, key: bytes, clock: Clock, *, lifetime_s: float) -> None:
        self.path = path
        """The file that holds the token (mode 0600)."""
        self.current = ""
        """The token; once started."""
        self._ca_der = ca_der
        self._key = key
        self._clock = clock
        self._lifetime_s = max(2, int(lifetime_s))
        self._refused_path = path.with_name("token-refused-until")
        self._refused_until = 0
        self._ends_at = 0
        self._timer: Timer | None = None

    @property
    def expires_at(self) -> str:
        """When the token ends, as RFC 3339 text."""
        return datetime.fromtimestamp(self._ends_at, UTC).isoformat().replace("+00:00", "Z")

    def start(self) -> None:
        """Take the token of the file while half its time or more is left, else make one. Raises ``ConfigError``."""
        self._refused_until = self._read_refused_until()
        kept = read_small(self.path).decode("ascii", "replace").strip() if self.path.exists() else ""
        ca_hash, _, jwt_text = kept.partition(".")
        ends_at = end_of(jwt_text, self._key) or 0
        left_s = ends_at - self._now_s()
        is_good = ca_hash == sha256(self._ca_der).hexdigest() and self.admits(jwt_text)
        # However long it lasts: no token that is given up ends later than the one that replaces it (see expire).
        if is_good and left_s >= self._lifetime_s / 2:
            self.current, self._ends_at = kept, ends_at
            self._renew_in(left_s - self._lifetime_s / 2)
        else:
            self._renew()

    def stop(self) -> None:
        """Renew no more."""
        if self._timer is not None:
            self._timer.cancel()

    def admits(self, jwt_text: str) -> bool:
        """Return whether whoever shows ``jwt_text`` (a token without the hash of the CA) may have a certificate."""
        ends_at = end_of(jwt_text, self._key)
        return ends_at is not None and ends_at > self._refused_until and self._now_s() < ends_at

    def expire(self) -> str:
        """Take back every token there is, at once and for good, and return the new one. Raises ``ConfigError``."""
        until = max(self._ends_at, self._refused_until)
        write_private(self._refused_path, f"{until}\n".encode())
        self._refused_until = until
        log.info("tokens_expired", ends_at=until)
        self._renew()
        return self.current

    def _renew(self) -> None:
        # Later than what was taken back, even where that was a moment ago.
        self._ends_at = max(self._now_s() + self._lifetime_s, self._refused_until + 1)
        self.current = make_token(self._ca_der, self._key, self._ends_at)
        write_private(self.path, f"{self.current}\n".encode())
        log.info("token_made", file=str(self.path), expires_at=self.expires_at)
        self._renew_in(self._lifetime_s / 2)

    def _renew_in(self, seconds: float) -> None:
        self.stop()
        self._timer = self._clock.call_at(self._clock.monotonic() + seconds, self._renew_when_due)

    def _renew_when_due(self) -> None:
        try:
            self._renew()
        except ConfigError as error:  # the token is in memory and good; only the file is old
            log.error("token_not_kept", error=str(error))
            self._renew_in(self._lifetime_s / 2)

    def _now_s(self) -> int:
        return self._clock.now_ms() // 1000

    def _read_refused_until(self) -> int:
        if not self._refused_path.exists():
            return 0
        found = read_small(self._refused_path).strip()
        if not (found.isdigit() and len(found) <= _MOST_DIGITS):
            text = "it holds no Unix time; remove it if no token is to be refused"
            raise ConfigError(f"cannot use {self._refused_path}: {text}")
        return int(found)
