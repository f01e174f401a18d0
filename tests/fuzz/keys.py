"""Certificates and keys that corpora begin with; the keys are made of small numbers, and good for nothing else."""

from collections.abc import Iterable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DER, _PEM = serialization.Encoding.DER, serialization.Encoding.PEM


def certificates() -> Iterable[bytes]:
    """Return a certificate, as DER."""
    return [_certificate(1).public_bytes(_DER)]


def pems() -> Iterable[bytes]:
    """Return a certificate and its key, as PEM, with a zero byte between; and others that do not belong together."""
    certificate = _certificate(1).public_bytes(_PEM)
    forms = (serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8)
    keys = [_key(number).private_bytes(_PEM, form, serialization.NoEncryption()) for number in (1, 2) for form in forms]
    return [certificate + b"\0" + key for key in keys]


def requests() -> Iterable[bytes]:
    """Return a request for a certificate, as DER."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubeedge.io")])
    return [
        x509.CertificateSigningRequestBuilder()
        .subject_name(name)
        .sign(_key(1), hashes.SHA256(), ecdsa_deterministic=True)
        .public_bytes(_DER)
    ]


def _key(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(number, ec.SECP256R1())


def _certificate(number: int) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubeedge.io")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_key(number).public_key())
        .serial_number(7)
        .not_valid_before(datetime(2025, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2035, 1, 1, tzinfo=UTC))
        .sign(_key(number), hashes.SHA256(), ecdsa_deterministic=True)
    )
