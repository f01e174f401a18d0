"""Keys, certificate requests and certificates as bytes (pure but for the making of keys): the node's use of X.509."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

SUBJECT = (
    (NameOID.COUNTRY_NAME, "CN"),
    (NameOID.STATE_OR_PROVINCE_NAME, "Zhejiang"),
    (NameOID.LOCALITY_NAME, "Hangzhou"),
    (NameOID.ORGANIZATION_NAME, "kubeEdge"),
    (NameOID.COMMON_NAME, "kubeedge.io"),
)
"""The same for every node (spec 3.5), in the order of the recorded request."""

RENEW_FROM, RENEW_TO = 0.7, 0.9
"""The shares of its lifetime between which a certificate is renewed, as from KubeEdge 1.4 on."""

_PKCS8_LABEL, _SEC1_LABEL = b" PRIVATE KEY-----", b" EC PRIVATE KEY-----"


class Lifetime(NamedTuple):
    """From when to when a certificate is good."""

    not_before: datetime
    not_after: datetime

    def renewal_at(self, jitter: float) -> datetime:
        """Return when to renew: after 70 % of the lifetime (``jitter`` 0) to 90 % (``jitter`` 1)."""
        share = RENEW_FROM + (RENEW_TO - RENEW_FROM) * jitter
        return self.not_before + timedelta(seconds=(self.not_after - self.not_before).total_seconds() * share)

    def expired(self, now: datetime) -> bool:
        """Say whether the certificate is not good any more."""
        return now >= self.not_after


class Facts(NamedTuple):
    """What people want to know of a certificate."""

    subject: str
    issuer: str
    lifetime: Lifetime
    fingerprint: str
    """SHA-256 of the DER bytes, hexadecimal."""


@contextmanager
def _reading() -> Iterator[None]:
    """Let the library raise ``ValueError`` alone, and not warn of what is odd but can be used, such as the serial 0.

    It looks at parts of a certificate when they are asked for, and has several ways of not liking them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        try:
            yield
        except (TypeError, x509.InvalidVersion, UnsupportedAlgorithm) as error:
            raise ValueError(str(error)) from error


def new_key() -> bytes:
    """Make an ECDSA P-256 key; return it as PEM, ``EC PRIVATE KEY`` as Go writes it."""
    return _key_pem(ec.generate_private_key(ec.SECP256R1()))


def usable_key(pem: bytes) -> bytes:
    """Return the key as PEM that OpenSSL reads.

    Go writes and reads SEC1 bytes under the label ``PRIVATE KEY``, which OpenSSL refuses (spec 3.2): they get the
    label that is theirs. Raises ``ValueError`` where this is no key, or one that needs a password.
    """
    key = _load_key(pem)
    return _key_pem(key) if isinstance(key, ec.EllipticCurvePrivateKey) and _mislabelled(pem) else pem


def is_p256(pem: bytes) -> bool:
    """Say whether this is a key as ``new_key`` makes it."""
    try:
        key = _load_key(pem)
    except ValueError:
        return False
    return isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)


def request_of(key_pem: bytes) -> bytes:
    """Return the certificate request of a key, as DER: the constant subject, no alternative names.

    Raises ``ValueError`` for a key that is no P-256 key.
    """
    key = _load_key(key_pem)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is not an ECDSA key")
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in SUBJECT])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.DER)


@_reading()
def to_pem(der: bytes) -> bytes:
    """Return a certificate as PEM. Raises ``ValueError`` where ``der`` is no certificate."""
    return _load_der(der).public_bytes(serialization.Encoding.PEM)


@_reading()
def to_der(pem: bytes) -> bytes:
    """Return the first certificate of a PEM text as DER. Raises ``ValueError``."""
    return _load_pem(pem).public_bytes(serialization.Encoding.DER)


@_reading()
def facts_of(der: bytes) -> Facts:
    """Return what to tell of a certificate. Raises ``ValueError`` where ``der`` is none."""
    certificate = _load_der(der)
    lifetime = Lifetime(certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    return Facts(
        certificate.subject.rfc4514_string(),
        certificate.issuer.rfc4514_string(),
        lifetime,
        certificate.fingerprint(hashes.SHA256()).hex(),
    )


@_reading()
def check_pair(certificate_pem: bytes, key_pem: bytes) -> Lifetime:
    """Return the lifetime of a certificate that belongs to the key. Raises ``ValueError``, saying what is wrong."""
    certificate = _load_pem(certificate_pem)
    if not _belongs(certificate, _load_key(key_pem)):
        raise ValueError("the certificate is for another key")
    return Lifetime(certificate.not_valid_before_utc, certificate.not_valid_after_utc)


@_reading()
def check_issued(der: bytes, *, key_pem: bytes, ca_der: bytes, now: datetime) -> None:
    """See that a certificate just issued is for our key, from this CA, and not over. Raises ``ValueError``."""
    certificate = _load_der(der)
    if not _belongs(certificate, _load_key(key_pem)):
        raise ValueError("it is for another key")
    try:
        certificate.verify_directly_issued_by(_load_der(ca_der))
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise ValueError("the CA has not signed it") from error
    if now >= certificate.not_valid_after_utc:
        raise ValueError(f"it expired at {said(certificate.not_valid_after_utc)}")


def at(now_ms: int) -> datetime:
    """Return the instant of a clock's ``now_ms``."""
    return datetime.fromtimestamp(now_ms / 1000, UTC)


def said(instant: datetime) -> str:
    """Return an instant for people."""
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def _belongs(certificate: x509.Certificate, key: PrivateKeyTypes) -> bool:
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    try:
        theirs = certificate.public_key().public_bytes(encoding, form)
    except (ValueError, UnsupportedAlgorithm):  # a curve or kind that nobody here knows
        return False
    return theirs == key.public_key().public_bytes(encoding, form)


def _load_der(der: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(der)


def _load_pem(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def _load_key(pem: bytes) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if _PKCS8_LABEL in pem and _SEC1_LABEL not in pem:
            try:
                return serialization.load_pem_private_key(_relabelled(pem), None)
            except (ValueError, TypeError, UnsupportedAlgorithm):
                pass
        reason = "it needs a password" if isinstance(error, TypeError) else "it is not a private key in PEM"
        raise ValueError(reason) from error


def _mislabelled(pem: bytes) -> bool:
    try:
        serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return True
    return False


def _relabelled(pem: bytes) -> bytes:
    return pem.replace(_PKCS8_LABEL, _SEC1_LABEL)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
