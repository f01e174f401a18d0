"""What a request for a certificate gets: the paths of KubeEdge's https port, and who may have one."""

from collections.abc import Callable
from typing import NamedTuple

import structlog

from cloudhub_stub.certificates.authority import Authority
from cloudhub_stub.certificates.tls import Admission
from cloudhub_stub.certificates.tokens import Tokens
from cloudhub_stub.errors import CsrRefused

log = structlog.get_logger("cloudhub")

BINARY = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"
_NO_TOKEN = b"Invalid authorization token"


class Ask(NamedTuple):
    """One request."""

    method: str
    path: str
    peer: str
    authorization: str | None = None
    """The header of that name."""
    certificate: bytes | None = None
    """The client's own certificate (DER), which TLS has found to be of our CA."""
    body: bytes = b""


class Answer(NamedTuple):
    """The answer to one request."""

    status: int
    body: bytes
    content_type: str = TEXT
    refused: str = ""
    """Why it was bad input: a fixed snake_case word."""


class Issuer:
    """Answers requests (``kubeedge cloud/pkg/cloudhub/servers/httpserver/server.go@v1.3.1``).

    | path | answer |
    | --- | --- |
    | ``/ca.crt`` | the CA certificate, DER |
    | ``/edge.crt`` | a certificate for the CSR (DER) in the body, for who shows a token or a certificate of ours |
    | ``/readyz`` | a sentence |
    """

    def __init__(
        self,
        authority: Authority,
        tokens: Tokens,
        admission: Admission,
        now_ms: Callable[[], int],
        *,
        cert_days: float,
        faithful: bool,
    ) -> None:
        self._authority = authority
        self._tokens = tokens
        self._admission = admission
        self._now_ms = now_ms
        self._cert_days = cert_days
        self._bad_token_status = 400 if faithful else 401
        self.issued = 0
        """How many certificates were given."""
        self._paths = {"/ca.crt": self._give_ca, "/edge.crt": self._give_certificate, "/readyz": _be_ready}

    def answer(self, ask: Ask) -> Answer:
        """Answer one request."""
        give = self._paths.get(ask.path)
        if give is None:
            return Answer(404, b"404 page not found\n", refused="no_such_page")
        if ask.method != "GET":
            return Answer(405, b"", refused="method_not_allowed")
        return give(ask)

    def _give_ca(self, _ask: Ask) -> Answer:
        return Answer(200, self._authority.certificate_der, BINARY)

    def _give_certificate(self, ask: Ask) -> Answer:
        if self._admission.refuses():
            return Answer(403, b"cannot give a certificate: refused on demand\n")
        # A certificate of ours is as good as a token, as in cloudcore from 1.4 on: so edges renew theirs.
        if ask.certificate is None and (refusal := self._refusal(ask.authorization)) is not None:
            return refusal
        try:
            issued = self._authority.sign(ask.body, self._now_ms() / 1000, self._cert_days)
        except CsrRefused as error:
            return Answer(400, f"{error}\n".encode(), refused="bad_certificate_request")
        self.issued += 1
        log.info(
            "certificate_given",
            peer=ask.peer,
            subject=issued.subject,
            serial=issued.serial,
            expires_at=issued.expires_at.isoformat(),
            shown="token" if ask.certificate is None else "certificate",
        )
        return Answer(200, issued.certificate, BINARY)

    def _refusal(self, authorization: str | None) -> Answer | None:
        if authorization is None:
            return Answer(401, _NO_TOKEN, refused="no_token")
        words = authorization.split(" ")
        if len(words) != 2:
            return Answer(401, _NO_TOKEN, refused="malformed_authorization")
        # The first word is not looked at, as there.
        if not self._tokens.admits(words[1]):
            return Answer(self._bad_token_status, _NO_TOKEN, refused="bad_token")
        return None


def _be_ready(_ask: Ask) -> Answer:
    return Answer(200, b"Cloudcore is ready")
