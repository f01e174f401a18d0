"""The certificate authority of the cloud: makes the CA and the server's certificate, and signs what edges ask for.

| certificate | subject | key usage | extended key usage |
| --- | --- | --- | --- |
| CA | CN=KubeEdge | digitalSignature, keyEncipherment, certSign | serverAuth, clientAuth |
| server | O=KubeEdge, CN=KubeEdge; names and addresses as SAN | digitalSignature, keyEncipherment | serverAuth |
| edge | O and CN of its request | digitalSignature, keyEncipherment | clientAuth |

All three last 100 years unless told otherwise, and all keys made here are ECDSA P-256
(``kubeedge cloud/pkg/cloudhub/servers/httpserver/signcerts.go@v1.3.1``). Other than those of Go, the CA and the server
certificate have key identifiers, so that strict verifiers are content with them.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloudhub_stub.errors import CsrRefused
from cloudhub_stub.settings import HUNDRED_YEARS_DAYS
from edgecore.errors import ConfigError

_NAME = "KubeEdge"
_CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
_SERVER = ExtendedKeyUsageOID.SERVER_AUTH
_UNFIT = (
    ValueError,
    TypeError,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
)
"""What the library raises for bytes that are not what they should be."""

_PRIVATE_KEY = re.compile(rb"-----BEGIN (?:EC )?PRIVATE KEY-----(.*?)-----END (?:EC )?PRIVATE KEY-----", re.DOTALL)
_DNS_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")


class PemPair(NamedTuple):
    """A certificate (or a chain of them, the leaf first) and its key, as the files of a server hold them."""

    certificate: bytes
    key: bytes


class Issued(NamedTuple):
    """A certificate that was signed for an edge."""

    certificate: bytes
    """DER."""
    subject: str
    serial: str
    """Hexadecimal, as openssl prints it."""
    expires_at: datetime


class Authority:
    """A CA certificate with its key."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, key_der: bytes) -> None:
        self._certificate = certificate
        self._key = key
        self.certificate_der = certificate.public_bytes(serialization.Encoding.DER)
        self.key_der = key_der
        """The key in SEC1 DER: tokens are signed with these very bytes."""

    @property
    def pem(self) -> PemPair:
        """Both, to be kept."""
        return PemPair(self._certificate.public_bytes(serialization.Encoding.PEM), _key_pem(self._key))

    def sign(self, csr: bytes, now_s: float, lifetime_days: float) -> Issued:
        """Return a client certificate for the request ``csr`` (DER), whatever name it asks for.

        Raises ``CsrRefused``, also where the request is not signed with the key that it is for: Go does not look.
        """
        try:
            request = x509.load_der_x509_csr(csr)
            if not request.is_signature_valid:
                raise CsrRefused("cannot sign the certificate request: it is not signed with its own key")
            wanted = [
                attribute
                for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
                for attribute in request.subject.get_attributes_for_oid(oid)
            ]
            builder = _builder(x509.Name(wanted), request.public_key(), self._certificate.subject, now_s, lifetime_days)
            certificate = self._signed(builder, _CLIENT)
            der = certificate.public_bytes(serialization.Encoding.DER)
            subject = certificate.subject.rfc4514_string()
        except _UNFIT as error:
            reason = str(error).partition("\n")[0][:120]
            raise CsrRefused(f"cannot read the certificate request, which must be PKCS #10 in DER: {reason}") from error
        return Issued(der, subject, f"{certificate.serial_number:x}", certificate.not_valid_after_utc)

    def server_pair(self, names: Iterable[str], now_s: float) -> PemPair:
        """Return a new server certificate for ``names``, which ``alternative_names`` has made."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(_NAME, organization=_NAME)
        builder = _builder(subject, key.public_key(), self._certificate.subject, now_s, HUNDRED_YEARS_DAYS)
        builder = builder.add_extension(x509.SubjectAlternativeName(map(_general_name, names)), critical=False)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        certificate = self._signed(builder, _SERVER)
        return PemPair(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key))

    def still_serves(self, pair: PemPair, names: Iterable[str], now_s: float) -> bool:
        """Return whether ``pair`` can go on serving: of this CA, for these names, not expired, the key its own."""
        try:
            certificate, key = x509.load_pem_x509_certificate(pair.certificate), _load_key(pair.key)
            certificate.verify_directly_issued_by(self._certificate)
            has = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except _UNFIT:
            return False
        return (
            set(has) == {_general_name(name) for name in names}
            and certificate.not_valid_after_utc > _instant(now_s)
            and certificate.public_key() == key.public_key()
        )

    def check_server_pair(self, pair: PemPair, certificate_file: str, key_file: str) -> None:
        """Raise ``ConfigError`` where a server's own certificate is not one that edges would trust by this CA."""
        chain = _load_certificates(pair.certificate, certificate_file)
        key = _load_user_key(pair.key, key_file)
        _must_be_one(chain[0], key, certificate_file, key_file)
        try:
            for below, above in pairwise([*chain, self._certificate]):
                if below != self._certificate:
                    below.verify_directly_issued_by(above)
        except _UNFIT as error:
            text = "the CA has not signed it, so no edge would trust it; name the one that has (--ca-file)"
            raise ConfigError(f"cannot use {certificate_file}: {text}") from error

    def _signed(self, builder: x509.CertificateBuilder, use: x509.ObjectIdentifier) -> x509.Certificate:
        builder = _with_usages(builder, [use], signs_certificates=False)
        try:
            own = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
        except x509.ExtensionNotFound:
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return builder.add_extension(identifier, critical=False).sign(self._key, SHA256())


def make_authority(now_s: float) -> Authority:
    """Return a new CA, which begins at ``now_s`` (Unix time)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject, identifier = _name(_NAME), x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = _builder(subject, key.public_key(), subject, now_s, HUNDRED_YEARS_DAYS)
    builder = _with_usages(builder, [_SERVER, _CLIENT], signs_certificates=True)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(identifier, critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
    )
    return Authority(builder.sign(key, SHA256()), key, _sec1(key))


def load_authority(pair: PemPair, certificate_file: str, key_file: str) -> Authority:
    """Return the CA that two files hold. Raises ``ConfigError``, which names the file that is wrong."""
    certificate = _load_certificates(pair.certificate, certificate_file)[0]
    key = _load_user_key(pair.key, key_file)
    _must_be_one(certificate, key, certificate_file, key_file)
    try:
        is_ca = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except _UNFIT:
        is_ca = False
    if not is_ca:
        raise ConfigError(f"cannot use {certificate_file}: it is no CA certificate (basic constraint CA:TRUE)")
    der = _key_der(pair.key)
    return Authority(certificate, key, der if _is_sec1(der) else _sec1(key))


def alternative_names(hosts: Iterable[str]) -> tuple[str, ...]:
    """Return ``hosts`` as a certificate names them: without doubles, without 0.0.0.0 and ::, which nobody can dial.

    Raises ``ConfigError`` for what is neither an IP address nor a DNS name.
    """
    names = dict.fromkeys(_alternative_name(host) for host in hosts)
    return tuple(name for name in names if name)


def _alternative_name(host: str) -> str:
    bare = host.removeprefix("[").removesuffix("]").partition("%")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        name = host.lower().removesuffix(".")
        if len(name) > 253 or not _DNS_NAME.fullmatch(name):
            text = f"cannot put {host[:80]!r} into a certificate: it is neither an IP address nor a DNS name"
            raise ConfigError(text) from None
        return name
    return "" if address.is_unspecified else str(address)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(common_name: str, organization: str = "") -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _instant(unix_s: float) -> datetime:
    return datetime.fromtimestamp(int(unix_s), UTC)


def _builder(
    subject: x509.Name, key: CertificatePublicKeyTypes, issuer: x509.Name, now_s: float, days: float
) -> x509.CertificateBuilder:
    begin = _instant(now_s)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
    )


def _with_usages(
    builder: x509.CertificateBuilder, extended: list[x509.ObjectIdentifier], *, signs_certificates: bool
) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = builder.add_extension(usage, critical=True)
    return builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)


def _load_certificates(pem: bytes, file: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except _UNFIT as error:
        raise ConfigError(f"cannot use {file}: there is no PEM certificate in it") from error


def _load_user_key(pem: bytes, file: str) -> ec.EllipticCurvePrivateKey:
    if b"ENCRYPTED" in pem:
        raise ConfigError(f"cannot use {file}: the key is encrypted; take the password off (openssl pkey)")
    try:
        return _load_key(pem)
    except _UNFIT as error:
        text = "there is no unencrypted EC private key in PEM in it; edges of KubeEdge 1.3.1 want ECDSA"
        raise ConfigError(f"cannot use {file}: {text}") from error


def _load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Return an EC key, SEC1 or PKCS #8 under either label, since Go mixes them up. Raises ``ValueError``."""
    key = serialization.load_der_private_key(_key_der(pem), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an EC key")
    return key


def _key_der(pem: bytes) -> bytes:
    found = _PRIVATE_KEY.search(pem)
    if found is None:
        raise ValueError("no private key")
    try:
        return base64.b64decode(b"".join(found.group(1).split()), validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error


def _is_sec1(der: bytes) -> bool:
    """Return whether a key is SEC1 (version 1, RFC 5915) and not PKCS #8 (version 0, RFC 5958)."""
    header = 2 if der[1] < 0x80 else 2 + (der[1] & 0x7F)
    return der[header : header + 3] == b"\x02\x01\x01"


def _sec1(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _must_be_one(
    certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, certificate_file: str, key_file: str
) -> None:
    try:
        fits = certificate.public_key() == key.public_key()
    except _UNFIT:
        fits = False
    if not fits:
        raise ConfigError(f"cannot use {certificate_file} with {key_file}: the key is not that of the certificate")
