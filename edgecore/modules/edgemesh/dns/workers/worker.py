"""A process that answers beside the node: ``python -m edgecore.modules.edgemesh.dns.workers.worker <socket>``."""

from msgspec import Struct

from edgecore.clock import Clock
from edgecore.ids import random_query_id
from edgecore.modules.edgemesh.dns.answering import Answering
from edgecore.modules.edgemesh.dns.listening.listeners import Bind
from edgecore.modules.edgemesh.dns.recipe import Recipe
from edgecore.modules.edgemesh.dns.tally import Figures
from edgecore.modules.edgemesh.dns.workers.feed import tell
from edgecore.modules.edgemesh.dns.workers.orders import Begin, Complaint, Exchange, Exchanges, Listen, Order
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.workers.link import Link
from edgecore.modules.edgemesh.workers.relay import Look, Relay
from edgecore.modules.edgemesh.workers.sharing import Sharing
from edgecore.modules.edgemesh.workers.worker import run_worker


class AnsweringDuty:
    """Answers as it is told."""

    def __init__(self, link: Link[Struct], clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._names: NameTable | None = None
        self._answering: Answering | None = None
        self._shown: Relay[Exchange] = Relay(link, clock, Exchanges)

    async def obey(self, order: Order) -> None:
        """See ``Duty``."""
        match order:
            case Begin(recipe):
                self._begin(recipe)
            case Listen(host, port):
                if self._answering is not None:
                    await self._answering.listeners.listen([Bind(host, port)])
            case Look(on):
                if self._answering is not None:
                    self._answering.responder.show = self._show if on else None
            case _:
                if self._names is not None:
                    tell(self._names, order)

    def figures(self) -> Figures | None:
        """See ``Duty``."""
        return None if self._answering is None else self._answering.figures()

    async def stop(self) -> None:
        """See ``Duty``."""
        if self._answering is not None:
            await self._answering.stop()
        self._shown.stop()

    def _show(self, client: str, transport: str, query: bytes, answer: bytes, took_us: int) -> None:
        self._shown.take((client, transport, query, answer, took_us))

    def _begin(self, recipe: Recipe) -> None:
        self._names = recipe.names.table()
        self._answering = Answering(
            self._names,
            recipe,
            clock=self._clock,
            random_id=random_query_id,
            report=lambda *complaint: self._link.mention(Complaint(*complaint)),
            sharing=Sharing.MORE,
        )


def main() -> None:
    """Run the program."""
    run_worker(Order, AnsweringDuty, "edgemesh.dns")


if __name__ == "__main__":
    main()
