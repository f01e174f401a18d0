"""What an upstream asks of the part that judges its hosts."""

from collections.abc import Callable
from typing import Protocol

from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import PortKey


class Health(Protocol):
    """Judges the hosts of one port: it sets ``ejected_until`` and ``checked`` of a host, then calls ``changed``."""

    def follow(self, hosts: tuple[Host, ...], policy: Policy) -> None:
        """Judge these hosts, and no others, as ``policy`` says, from now on. ``changed`` is not called by this."""

    def failed(self, host: Host) -> None:
        """Take note that a request failed at ``host`` and that it is to blame; ``host.failures`` is counted already."""

    def close(self) -> None:
        """Judge no more: no timer and no task is left."""


MakeHealth = Callable[[PortKey, Callable[[], None]], Health]
"""Makes the judge of one port; it calls what it is given when a host is in or out from now on."""


class NoHealth:
    """Takes every host for well."""

    def __init__(self, key: PortKey, changed: Callable[[], None]) -> None:
        pass

    def follow(self, hosts: tuple[Host, ...], policy: Policy) -> None:
        """See ``Health``."""

    def failed(self, host: Host) -> None:
        """See ``Health``."""

    def close(self) -> None:
        """See ``Health``."""
