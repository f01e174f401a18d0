"""On what the mesh stands: a pool of fake IPs, and who leads connections for them to the proxy, by mode.

``auto`` comes to mode intercept if the process may change rules and the user named an interface; if that fails then,
mode rootless is in force, and the log says why.
"""

from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any, Literal, Protocol

import msgspec
import structlog
from prometheus_client.core import Metric

from edgecore.errors import InterceptError, ListenError, PoolExhausted
from edgecore.modules.edgemesh.intercept.capability import may_intercept, need_capability
from edgecore.modules.edgemesh.intercept.places import Places
from edgecore.modules.edgemesh.poolclaim import PoolClaim, TryLock, candidates, claim_pool, lock_subnet

log = structlog.get_logger("edgemesh")

Mode = Literal["rootless", "intercept"]


class Intercepting(Protocol):
    """Interception and the places that it leads to."""

    @property
    def places(self) -> Places:
        """Who leads connections to the proxy."""

    async def start(self) -> None:
        """Make the rules. Raises ``InterceptError`` or ``ListenError`` with all undone."""

    async def stop(self) -> None:
        """Take them away; may be called again."""

    def status(self) -> Mapping[str, Any]:
        """Return how it is, as a JSON object."""

    def families(self) -> Iterable[Metric]:
        """Yield the figures for Prometheus."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """``subnet`` is the /16 of fake IPs of mode intercept, ``rootless_subnet`` the first one to try of mode rootless.

    ``interface_named``: the user named the interface, which ``auto`` takes as the wish to intercept.
    """

    mode: Literal["auto", "rootless", "intercept"] = "auto"
    interface_named: bool = False
    subnet: IPv4Network = IPv4Network("9.251.0.0/16")
    rootless_subnet: IPv4Network = IPv4Network("127.251.0.0/16")

    @property
    def may_intercept(self) -> bool:
        """Whether mode intercept may come to be in force."""
        return self.mode == "intercept" or (self.mode == "auto" and self.interface_named)


class Footing:
    """See the module. ``rootless`` makes the places of that mode; it is called at most once."""

    def __init__(
        self,
        wanted: Wanted,
        rootless: Callable[[], Places],
        intercepting: Intercepting | None = None,
        *,
        try_lock: TryLock | None = None,
        may_intercept: Callable[[], bool] = may_intercept,
    ) -> None:
        self._wanted = wanted
        self._rootless = rootless
        self._intercepting = intercepting
        self._may_intercept = may_intercept
        self._try_lock = try_lock or lock_subnet
        self._claim: PoolClaim | None = None
        self._places: Places | None = None
        self.mode: Mode = "intercept" if wanted.mode == "intercept" else "rootless"
        """The one in force."""
        self.why_rootless = ""
        """Why it is not mode intercept, which was asked for."""

    @property
    def pool(self) -> IPv4Network | None:
        """The fake IPs, between ``start`` and ``close``."""
        return self._claim.subnet if self._claim is not None else None

    @property
    def places(self) -> Places | None:
        """Who leads connections to the proxy, between ``start`` and ``stop``."""
        return self._places

    async def start(self, last_used: str | None) -> tuple[IPv4Network, Places]:
        """Claim a pool and have its places; ``last_used`` is the pool before.

        Raises ``PoolExhausted``, ``ListenError`` or, where only mode intercept will do, ``InterceptError``.
        """
        wanted = self._wanted
        if wanted.mode == "intercept":
            return await self._intercept()
        if wanted.may_intercept:
            if not self._may_intercept():
                self.why_rootless = "this process lacks CAP_NET_ADMIN"
            else:
                try:
                    return await self._intercept()
                except (InterceptError, ListenError, PoolExhausted) as error:
                    self.why_rootless = str(error)
                    self.close()
            log.warning("not_intercepting", reason=self.why_rootless, used="rootless")
        self.mode = "rootless"
        claim = self._claim = claim_pool(candidates(wanted.rootless_subnet, last_used), self._try_lock)
        self._places = self._rootless()
        return claim.subnet, self._places

    async def stop(self) -> None:
        """Lead nobody here any more."""
        places, self._places = self._places, None
        try:
            if self.mode == "intercept" and self._intercepting is not None:
                await self._intercepting.stop()
        finally:
            if places is not None:
                await places.stop()

    def close(self) -> None:
        """Let the pool go."""
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.close()

    def status(self) -> dict[str, Any]:
        """Return the mode and what there is to say of it, as a JSON object."""
        said: dict[str, Any] = {"mode": self.mode, "pool": str(self.pool) if self.pool is not None else None}
        if self.why_rootless:
            said["why_rootless"] = self.why_rootless
        if self.mode == "intercept" and self._intercepting is not None:
            said["intercept"] = self._intercepting.status()
        return said

    def families(self) -> Iterable[Metric]:
        """Yield the figures of interception for Prometheus."""
        return self._intercepting.families() if self.mode == "intercept" and self._intercepting is not None else ()

    async def _intercept(self) -> tuple[IPv4Network, Places]:
        need_capability(has_it=self._may_intercept())
        if self._intercepting is None:
            raise InterceptError("refused", "this node was made without interception")
        # No other pool will do: an address outside of it belongs to somebody in the world.
        claim = self._claim = claim_pool((self._wanted.subnet,), self._try_lock, "subNet to another network")
        await self._intercepting.start()
        self.mode = "intercept"
        self._places = self._intercepting.places
        return claim.subnet, self._places
