"""How edges join: the CA, the token, the https listener and the TLS of the link, put together from the settings."""

import ipaddress
from ssl import SSLContext
from typing import Any

import structlog

from cloudhub_stub.certificates.https import HttpsServer
from cloudhub_stub.certificates.identity import Identity, load_identity
from cloudhub_stub.certificates.issuer import Issuer
from cloudhub_stub.certificates.tls import Admission, https_context, link_context
from cloudhub_stub.certificates.tokens import Tokens
from cloudhub_stub.errors import StubError
from cloudhub_stub.settings import Settings
from edgecore.addresses import split_address
from edgecore.clock import Clock
from edgecore.observe.metrics import Metrics

log = structlog.get_logger("cloudhub")


class Joining:
    """The certificate side of a stub, from ``start`` to ``stop``; with ``plain`` settings there is none.

    It can be stopped and started again: on the same port, with the same files.
    """

    def __init__(self, settings: Settings, metrics: Metrics, clock: Clock, *, faithful: bool) -> None:
        """Raises ``ValueError`` where ``https`` is no address."""
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._faithful = faithful
        self.admission = Admission()
        self.link_tls: SSLContext | None = None
        """The TLS of the link, once started; ``None`` where there is none."""
        self._tokens: Tokens | None = None
        self._issuer: Issuer | None = None
        self._https = None if settings.plain else HttpsServer(*split_address(settings.https), metrics, clock)

    @property
    def url(self) -> str | None:
        """Where certificates are given, once started; ``None`` where none are."""
        return None if self._https is None else self._https.url

    @property
    def tokens(self) -> Tokens:
        """The tokens. Raises ``StubError`` where there are none."""
        if self._tokens is None:
            text = "the stub runs with --plain" if self._https is None else "none was made yet"
            raise StubError(f"cannot use tokens: {text}")
        return self._tokens

    def expire(self) -> None:
        """Take back every token that was given out so far. Raises ``StubError`` where there are none."""
        self.tokens.expire()

    def refuse(self, times: int) -> None:
        """Refuse the next ``times`` certificates that are asked for or shown.

        Raises ``StubError`` where nobody asks for or shows any.
        """
        if self._https is None:
            raise StubError("cannot refuse certificates: the stub runs with --plain")
        self.admission.refuse(times)

    async def start(self) -> None:
        """Read or make the files, and listen. Raises ``ConfigError`` or ``ListenError``."""
        if self._https is None:
            return
        settings, now_ms = self._settings, self._clock.now_ms
        identity = self._identity(now_ms() / 1000)
        authority = identity.authority
        self.link_tls = link_context(identity, self.admission, self._metrics)
        self._tokens = Tokens(
            settings.token_path,
            authority.certificate_der,
            authority.key_der,
            self._clock,
            lifetime_s=settings.token_lifetime_s,
        )
        issued = 0 if self._issuer is None else self._issuer.issued
        self._issuer = Issuer(
            authority, self._tokens, self.admission, now_ms, cert_days=settings.cert_days, faithful=self._faithful
        )
        self._issuer.issued = issued
        self._tokens.start()
        await self._https.start(self._issuer, https_context(identity, self._metrics))

    async def stop(self) -> None:
        """Stop listening; does nothing the second time."""
        if self._tokens is not None:
            self._tokens.stop()
        if self._https is not None:
            await self._https.stop()

    def status(self) -> dict[str, Any]:
        """Return what ``status`` shows of it."""
        return {
            "https": self.url,
            "token_expires_at": None if self._tokens is None else self._tokens.expires_at,
            "certificates_given": 0 if self._issuer is None else self._issuer.issued,
            "certificates_refused_on_demand": self.admission.refused,
        }

    def _identity(self, now_s: float) -> Identity:
        settings = self._settings
        hosts = [split_address(address)[0] for address in (settings.listen, settings.https)]
        own = settings.certificate_files
        if own.certificate is None and not settings.advertise and any(map(_is_everywhere, hosts)):
            log.warning("nothing_advertised", hint="edges elsewhere trust no name of this stub: name one (--advertise)")
        return load_identity(settings.pki_dir, [*hosts, *settings.advertise], own, now_s)


def _is_everywhere(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
