"""What there is to be explained from, as values and as tables that are looked at and never changed."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from edgecore.modules.edgemesh.directory import ServiceDirectory
from edgecore.modules.edgemesh.intercept.places import Places
from edgecore.modules.edgemesh.proxy.figures.figures import PortFigures
from edgecore.modules.edgemesh.services import ServiceTable
from edgecore.modules.edgemesh.upstream.spec import PortKey

Origins = Callable[[str], dict[str, Any] | None]
"""From the key of a row of ``meta`` to the message by which it became what it is (``NodeState.origin``)."""


class Sight(NamedTuple):
    """The mesh, in one moment."""

    table: ServiceTable
    figures: Mapping[PortKey, PortFigures]
    """Of all processes."""
    places: Places | None
    """``None``: the mesh has not started."""
    now: float
    """By the monotonic clock."""
    mode: str = "rootless"
    pool: str = ""
    """The fake IPs, a network."""
    plain: str = ""
    """Where the plain listener is; empty if it is not."""
    findings: tuple[str, ...] = ()
    """What is amiss with the rules of the kernel, for people."""
    cut: tuple[str, ...] = ()
    """The fake IPs, as networks, that are not led to the mesh for that."""
    why_rootless: str = ""
    """Why it is not mode intercept, which was asked for."""
    name_servers: tuple[str, ...] = ()
    """Those of the host whose questions rules of the kernel lead to the node."""

    def standing_on(self, footing: Mapping[str, Any]) -> "Sight":
        """Return the same with what ``Footing.status`` says of the mode."""
        intercept = footing.get("intercept") or {}
        findings = [*intercept.get("findings", ()), *filter(None, [intercept.get("problem")])]
        return self._replace(
            mode=footing["mode"],
            pool=footing["pool"] or "",
            findings=tuple(findings),
            cut=tuple(intercept.get("cut", ())),
            why_rootless=footing.get("why_rootless", ""),
            name_servers=tuple(intercept.get("names", ())),
        )


class Cloud(NamedTuple):
    """The link to the cloud."""

    state: str = ""
    """As in ``edgecore status``; empty: this node has no link."""
    away_s: float = 0.0
    """How long it has not been there, as far as this process knows."""
    error: str = ""
    url: str = ""
    sessions: int = 1
    """How often it was there since the start of this process."""

    @property
    def is_away(self) -> bool:
        """Whether its word may be stale."""
        return self.state not in ("", "connected")


class Node(NamedTuple):
    """What the mesh does not know of its node."""

    directory: ServiceDirectory
    origins: Origins
    cloud: Cloud = Cloud()
    settings: Mapping[str, str] = {}
    """Path to value, of those that are spoken of."""
    given: frozenset[str] = frozenset()
    """The paths of those that somebody has set."""
    domain: str = "cluster.local"
    processes: int = 1
    """That forward."""
    dns: tuple[str, ...] = ()
    """Where DNS listens."""
