"""The TLS side of the link: the CA that is trusted, the certificate that is shown."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgecore.errors import LinkError
from edgecore.modules.edgehub.certificates.x509 import usable_key


def client_context(ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a context that checks the cloud against ``ca`` alone, its name included, and shows ``certificate``.

    TLS 1.2 with the one suite that a cloudcore of 1.3.1 accepts there, or 1.3 (spec 3.1); no ALPN, for Go would take
    ``h2``.
    Raises ``LinkError``, naming the file that cannot be used.
    """
    context = _checking_context()
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    _trust(context, ca)
    _show(context, certificate, key)
    return context


def authority_context(ca_der: bytes, pair: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """Return a context for asking the cloud for a certificate: checked against ``ca_der`` alone, its name included.

    ``pair`` (certificate, key) is shown instead of a token. Raises ``LinkError``.
    """
    context = _checking_context()
    try:
        context.load_verify_locations(cadata=ca_der)
    except ssl.SSLError as error:
        raise LinkError(f"cannot use the CA certificate of the cloud: {error.strerror or error}") from error
    if pair is not None:
        _show(context, *pair)
    return context


def unchecked_context() -> ssl.SSLContext:
    """Return a context that believes anybody: for fetching the CA, which the hash in the token checks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _checking_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The CA that a cloudcore of 1.3.1 makes has no key identifiers, which this check of newer Pythons asks for.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    return context


def _trust(context: ssl.SSLContext, ca: Path) -> None:
    try:
        context.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as error:
        raise LinkError(f"cannot use the CA file {ca}: {error.strerror or error}") from error


def _show(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        with _readable(key) as readable:
            context.load_cert_chain(certificate, readable)
    except (OSError, ssl.SSLError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise LinkError(f"cannot use the certificate {certificate} with key {key}: {reason}") from error


@contextmanager
def _readable(key: Path) -> Iterator[Path]:
    """Yield a path under which OpenSSL can read the key: its own, or a file in memory where Go wrote its label."""
    pem = key.read_bytes()
    usable = usable_key(pem)
    if usable == pem:
        yield key
        return
    if not hasattr(os, "memfd_create"):
        raise ValueError("the key is SEC1 labelled PRIVATE KEY; change both lines to EC PRIVATE KEY")
    file = os.memfd_create("edgecore-key", os.MFD_CLOEXEC)
    try:
        os.write(file, usable)
        yield Path(f"/proc/self/fd/{file}")
    finally:
        os.close(file)
