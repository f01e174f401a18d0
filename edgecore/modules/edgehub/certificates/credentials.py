"""The node's certificate as EdgeHub needs it: there before each dial, renewed before its end.

======================  =====================================================================================
the files               what ``ready`` does
======================  =====================================================================================
good                    uses them
missing or no good      applies with the token; without one it says what to do
expired                 applies with the token; where that fails or there is none, uses them and warns
past 70 to 90 %         renews where the cloud can (1.4 and later, our stub), else warns once a day
======================  =====================================================================================
"""

import random
import ssl
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import structlog

from edgecore.clock import Clock
from edgecore.errors import EnrolmentError, LinkError
from edgecore.modules.edgehub.certificates.authority import Authority
from edgecore.modules.edgehub.certificates.enrolment import Enrolment, keep_issued
from edgecore.modules.edgehub.certificates.keyfiles import Held, KeyFiles
from edgecore.modules.edgehub.certificates.tls import client_context
from edgecore.modules.edgehub.certificates.x509 import Lifetime, at, new_key, request_of, said
from edgecore.modules.edgehub.cloud import is_from_1_4, is_stub

log = structlog.get_logger("edgehub")

DAY_S = 86_400.0
RETRY_S = 3_600.0
"""The pause between two renewals, or applications with an old certificate at hand; less for short certificates."""
RETRY_SHARE = 1 / 50
"""As a share of the certificate's lifetime: of the tenth that is left at the latest, five attempts."""


class Credentials:
    """The certificate files of one node, and how they are got and kept."""

    def __init__(
        self,
        files: KeyFiles,
        authority: Authority,
        token: str,
        *,
        clock: Clock,
        jitter: random.Random,
        cloud_version: str,
        node: str,
    ) -> None:
        self._files = files
        self._authority = authority
        self._has_token = bool(token.strip())
        self._clock = clock
        self._node = node
        self._share = jitter.random()
        self._cloud_renews = is_from_1_4(cloud_version)
        self._enrolment = Enrolment(files, authority, token, clock=clock, node=node if self._cloud_renews else "")
        self._lifetime: Lifetime | None = None
        self._stub = False
        self._again_at = self._warn_at = float("-inf")

    async def ready(self) -> ssl.SSLContext:
        """Return what to dial with, having seen to the files. Raises ``LinkError``: a dial that failed."""
        held = self._look()
        if held.ca is None or held.lifetime is None:
            await self._apply(held.fault)
        elif held.lifetime.expired(self._now()):
            await self._replace_expired()
        elif self._due_in_s() <= 0:
            await self._renew_if_possible()
        return client_context(*self._files)

    async def renewed(self) -> None:
        """Return once the certificate was renewed while a session lives: EdgeHub ends it and dials anew.

        A cloud that cannot renew is spoken of once a day; a renewal that fails is tried again after an hour.
        """
        while True:
            wait_s = self._due_in_s()
            if wait_s > 0:
                await self._clock.sleep(min(wait_s, DAY_S))  # in days, as the wall clock may be set
            elif await self._renew_if_possible():
                return
            else:
                await self._clock.sleep(self._retry_s)

    def learned(self, server: str) -> None:
        """Take note of the ``Server`` header of the last upgrade: our stub renews, whatever version is configured."""
        self._stub = is_stub(server)

    def status(self) -> dict[str, Any]:
        """Return until when the certificate is good and when it is to be renewed; nothing before it was read."""
        if self._lifetime is None:
            return {}
        return {
            "valid_until": said(self._lifetime.not_after),
            "renewal_due": said(self._lifetime.renewal_at(self._share)),
            "cloud_renews": self._renewable,
        }

    @property
    def _retry_s(self) -> float:
        if self._lifetime is None:
            return RETRY_S
        whole = self._lifetime.not_after - self._lifetime.not_before
        return min(RETRY_S, max(1.0, whole.total_seconds() * RETRY_SHARE))

    @property
    def _renewable(self) -> bool:
        return self._cloud_renews or self._stub

    def _look(self) -> Held:
        held = self._files.held()
        self._lifetime = held.lifetime
        return held

    def _due_in_s(self) -> float:
        """Return the seconds until the certificate is to be renewed; a day where nothing is known of it."""
        if self._lifetime is None:
            return DAY_S
        return (self._lifetime.renewal_at(self._share) - self._now()).total_seconds()

    async def _apply(self, fault: str = "") -> None:
        if not self._has_token:
            present = self._files.present()
            why = fault or f"missing: {', '.join(str(path) for path in self._files if path not in present)}"
            raise EnrolmentError(
                "token",
                f"cannot apply for a certificate: modules.edgeHub.token is empty ({why});"
                " `edgecore join --help` tells how to get a token",
            )
        if fault:
            log.warning("certificate_files_unusable", reason=fault, hint="applying for new ones")
        facts = await self._enrolment.enrol()
        self._lifetime = facts.lifetime
        log.info("certificate_issued", subject=facts.subject, valid_until=said(facts.lifetime.not_after))

    async def _replace_expired(self) -> None:
        """Try what there is; the cloud judges the old certificate where nothing helps (our clock may be wrong)."""
        if self._has_token:
            await self._try(self._apply)
        else:
            self._warn("certificate_expired", "join again with a new token: edgecore join --force")

    async def _renew_if_possible(self) -> bool:
        """Say whether the certificate was renewed."""
        if not self._renewable:
            self._warn("certificate_renewal_due", "this cloud cannot renew it: join again with a new token in time")
            return False
        return await self._try(self._renew)

    async def _renew(self) -> None:
        held = self._look()
        if held.ca is None or held.lifetime is None:
            raise EnrolmentError("files", "cannot renew the node's certificate: its files went away")
        key = new_key()
        der = await self._authority.renew(request_of(key), ca=held.ca, files=self._files, node=self._node)
        keep_issued(self._files, ca=held.ca, key=key, der=der, now=self._now())
        self._look()
        log.info("certificate_renewed", valid_until=self.status().get("valid_until"))

    async def _try(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Do what the present certificate can wait for, and say whether it was done: no more than once an hour.

        Not even where it succeeds: by a clock that is far ahead, a new certificate is an old one too.
        """
        if self._clock.monotonic() < self._again_at:
            return False
        self._again_at = self._clock.monotonic() + self._retry_s
        try:
            await work()
        except LinkError as error:
            log.warning("certificate_not_renewed", error=str(error), again_in_s=self._retry_s, **self.status())
            return False
        return True

    def _warn(self, event: str, hint: str) -> None:
        if self._clock.monotonic() >= self._warn_at:
            self._warn_at = self._clock.monotonic() + DAY_S
            log.warning(event, hint=hint, **self.status())

    def _now(self) -> datetime:
        return at(self._clock.now_ms())
