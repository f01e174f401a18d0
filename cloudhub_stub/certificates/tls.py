"""TLS as the cloud speaks it: a context for each listener, handshakes that fail, certificates refused on demand."""

import ssl
from collections.abc import Callable
from typing import TypeVar

import structlog

from cloudhub_stub.certificates.identity import Identity
from edgecore.errors import ConfigError
from edgecore.observe.metrics import Metrics

log = structlog.get_logger("cloudhub")

_SUITE = "ECDHE-ECDSA-AES128-GCM-SHA256"
"""The one of TLS 1.2 that cloudcore takes (``kubeedge cloud/pkg/cloudhub/servers/server.go:31@v1.3.1``)."""

_FAULTS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no_certificate",
    "CERTIFICATE_VERIFY_FAILED": "bad_certificate",
    "NO_SHARED_CIPHER": "no_common_tls",
    "UNSUPPORTED_PROTOCOL": "no_common_tls",
    "HTTP_REQUEST": "no_tls",
    "WRONG_VERSION_NUMBER": "no_tls",
}
"""What OpenSSL says of a handshake, as words for the counter."""


class Admission:
    """Whether certificates are refused on demand: asked once for each certificate wanted or shown."""

    def __init__(self) -> None:
        self.refuse_certificates: bool | int = False
        """``True`` refuses all from now on, a number that many."""
        self.refused = 0
        """How many were."""

    def refuse(self, times: int) -> None:
        """Refuse the next ``times``, beside those that are to be refused already."""
        self.refuse_certificates = self.refuse_certificates is True or self.refuse_certificates + times

    def refuses(self) -> bool:
        """Return whether this one is refused, and count it."""
        wanted = self.refuse_certificates
        if not wanted:
            return False
        if wanted is not True:
            self.refuse_certificates = wanted - 1
        self.refused += 1
        log.info("certificate_refused_on_demand")
        return True


def link_context(identity: Identity, admission: Admission, metrics: Metrics) -> ssl.SSLContext:
    """Return the context of the websocket listener: nobody comes in without a certificate of our CA.

    Raises ``ConfigError``. One that is refused on demand meets a cloud that has never heard of its CA.
    """
    context = _context(_DemandingContext, identity)
    context.stranger = _context(_WatchedContext, identity)
    context.stranger.verify_mode = context.verify_mode = ssl.CERT_REQUIRED
    context.stranger.report_faults(lambda _fault: None)  # it was counted as wanted
    context.admission = admission
    _trust(context, identity)
    context.report_faults(lambda fault: _count(metrics, fault))
    return context


def https_context(identity: Identity, metrics: Metrics) -> ssl.SSLContext:
    """Return the context of the https listener: a certificate is asked for, and must then be one of our CA.

    Raises ``ConfigError``.
    """
    context = _context(_WatchedContext, identity)
    context.verify_mode = ssl.CERT_OPTIONAL
    _trust(context, identity)
    context.report_faults(lambda fault: _count(metrics, fault))
    return context


def fault_word(error: ssl.SSLError) -> str:
    """Return what a failed handshake is counted as."""
    reason = error.reason or ""
    if "_ALERT_" in reason:
        return "tls_refused_by_peer"
    return _FAULTS.get(reason, "tls_failed")


class _WatchedContext(ssl.SSLContext):
    """A context that tells of handshakes that failed, and lets the peer know: asyncio does neither."""

    def report_faults(self, report: Callable[[ssl.SSLError], None]) -> None:
        class Watched(ssl.SSLObject):
            failure: ssl.SSLError | None = None

            def do_handshake(self) -> None:
                if self.failure is not None:
                    raise self.failure
                try:
                    super().do_handshake()
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    raise
                except ssl.SSLError as error:
                    report(error)
                    if fault_word(error) == "no_tls":
                        raise
                    self.failure = error
                    # The alert is written, but event loops send it only if this goes on. The connection ends as soon
                    # as the peer says anything or hangs up, or else with the deadline of handshakes.
                    raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "the alert has to leave") from error

        self.sslobject_class = Watched


class _DemandingContext(_WatchedContext):
    """The context of the link; every connection asks whether it is refused on demand."""

    stranger: _WatchedContext
    """The same, trusting no CA at all."""
    admission: Admission

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        if self.admission.refuses():
            return self.stranger.wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)


_Kind = TypeVar("_Kind", bound=ssl.SSLContext)


def _context(kind: type[_Kind], identity: Identity) -> _Kind:
    context = kind(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_SUITE)
    # No session is resumed: a certificate is looked at whenever somebody connects.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    try:
        context.load_cert_chain(identity.certificate_file, identity.key_file, password="")
    except (ssl.SSLError, OSError) as error:
        files = f"{identity.certificate_file} with {identity.key_file}"
        raise ConfigError(f"cannot use {files}: {error.strerror or error}") from error
    return context


def _trust(context: ssl.SSLContext, identity: Identity) -> None:
    context.load_verify_locations(cadata=identity.authority.certificate_der)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the user's own CA may be one below another


def _count(metrics: Metrics, fault: ssl.SSLError) -> None:
    detail = getattr(fault, "verify_message", "") or fault.reason or str(fault)
    # The library tells of the connection's bytes only, not whose they are.
    metrics.bad_input("cloudhub", fault_word(fault), "unknown", detail=detail)
