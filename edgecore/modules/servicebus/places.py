"""Where a call may go: ports of this machine, and the other places that the configuration names (pure)."""

from collections.abc import Mapping

from edgecore.addresses import join_address

LOOPBACK = "127.0.0.1"
_LONGEST_PORT_DIGITS = 5
_LARGEST_PORT = 65535


class Places:
    """Which place a port in a call stands for.

    ``targets`` are ports that stand for ``host:port`` elsewhere; with ``only_targets`` no other port may be called.
    """

    def __init__(self, targets: Mapping[int, tuple[str, int]], *, only_targets: bool) -> None:
        self._targets = {port: join_address(*place) for port, place in targets.items()}
        self._only_targets = only_targets

    def find(self, port: str) -> str | None:
        """Return ``host:port`` of the service; ``None`` where ``port`` is none, or none that may be called."""
        if not (port.isascii() and port.isdigit() and len(port) <= _LONGEST_PORT_DIGITS):
            return None
        number = int(port)
        if not 0 < number <= _LARGEST_PORT:
            return None
        if number in self._targets:
            return self._targets[number]
        return None if self._only_targets else f"{LOOPBACK}:{number}"
