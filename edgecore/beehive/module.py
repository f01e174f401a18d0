"""What a module is."""

from typing import Any, Protocol


class Module(Protocol):
    """One module of the node. Its constructor only keeps what it is given."""

    name: str
    group: str

    async def start(self) -> None:
        """Bind sockets and open what ``run`` needs. May raise ``EdgecoreError``.

        A start that fails, or is cancelled because it takes too long, leaves nothing behind: it is called again.
        """

    async def run(self) -> None:
        """Work until cancelled, or until the bus is closed. Called again, after a pause, where it ends otherwise."""

    async def stop(self) -> None:
        """End everything that ``start`` and ``run`` began, in any state. Cancelled where it takes too long."""

    def status(self) -> dict[str, Any]:
        """Return what people want to know of this module, as a JSON object."""
