"""The TLS side of the link: the CA that is trusted, the certificate that is shown."""

import ssl
from pathlib import Path

from edgecore.errors import LinkError


def client_context(ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a context that checks the cloud against ``ca`` alone, its name included, and shows ``certificate``.

    TLS 1.2 with the one suite that a cloudcore of 1.3.1 accepts there, or 1.3 (spec 3.1); no ALPN, for Go would take
    ``h2``.
    Raises ``LinkError``, naming the file that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    # The CA that a cloudcore of 1.3.1 makes has no key identifiers, which this check of newer Pythons asks for.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    try:
        context.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as error:
        raise LinkError(f"cannot use the CA file {ca}: {error.strerror or error}") from error
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise LinkError(
            f"cannot use the certificate {certificate} with key {key}: {error.strerror or error}"
        ) from error
    return context
