"""What only one node of a network namespace can have, beside its pool: an address, and the chains of iptables."""

from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.heldname import Held, hold_name


class Alone:
    """What this node holds until ``close``."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}

    def claim(self, what: str, advice: str) -> None:
        """Hold ``what``, if it is not held yet. Raises ``InterceptError`` (``in_use``) with the advice."""
        if what in self._held:
            return
        try:
            held = hold_name(f"intercept/{what}")
        except OSError as error:
            raise InterceptError("refused", f"the {what} cannot be held: {error.strerror or error}") from error
        if held is None:
            raise InterceptError("in_use", f"another node of this machine has the {what}; {advice}")
        self._held[what] = held

    def close(self) -> None:
        """Let go of everything."""
        for held in self._held.values():
            held.close()
        self._held.clear()
