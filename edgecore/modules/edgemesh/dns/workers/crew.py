"""The processes that answer beside the node, with the names that the node has."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from edgecore.clock import Clock
from edgecore.modules.edgemesh.dns.listening.responder import Report
from edgecore.modules.edgemesh.dns.recipe import Recipe
from edgecore.modules.edgemesh.dns.resolver.exchange import Server
from edgecore.modules.edgemesh.dns.tally import Figures, added
from edgecore.modules.edgemesh.dns.workers.feed import Feed
from edgecore.modules.edgemesh.dns.workers.orders import Begin, Complaint, Exchange, Exchanges, Listen, News
from edgecore.modules.edgemesh.workers.crew import Crew, Member
from edgecore.modules.edgemesh.workers.relay import Look
from edgecore.recording.watch import Watch

_PROGRAM = "edgecore.modules.edgemesh.dns.workers.worker"


class AnsweringCrew(Crew[Figures]):
    """``size`` workers that answer as ``recipe`` says, with the names of ``feed``.

    What they answer is shown to ``watch`` too, a moment later.
    """

    def __init__(
        self, size: int, recipe: Recipe, feed: Feed, clock: Clock, report: Report, *, watch: Watch | None = None
    ) -> None:
        super().__init__(size, clock, work="dns", program=_PROGRAM, news=News)
        self._recipe = recipe
        self._feed = feed
        self._report = report
        self._shown_to = watch or Watch()
        self._is_looked_at = False
        self._shown_to.follow(self._look)
        self._addresses: dict[Server, None] = {}
        self._is_following = False

    def start(self) -> None:
        """See ``Crew``."""
        self._feed.follow(self.tell)
        self._is_following = True
        super().start()

    def leave_unmarked(self) -> None:
        """See ``DnsServer``."""
        self._recipe = replace(self._recipe, mark=0)

    def listen(self, address: Server) -> None:
        """Have them answer at ``address``, at which the node listens already."""
        self._addresses[address] = None
        self.tell(Listen(*address))

    async def stop(self) -> None:
        """See ``Crew``."""
        if self._is_following:
            self._is_following = False
            self._feed.unfollow(self.tell)
        self._addresses.clear()
        await super().stop()

    def everything(self) -> Iterator[Struct]:
        """See ``Crew``."""
        yield Begin(self._recipe)
        yield from self._feed.everything()
        for address in self._addresses:
            yield Listen(*address)
        if self._shown_to.dns is not None:
            yield Look(True)

    def take(self, member: Member[Figures], news: Any) -> None:
        """See ``Crew``."""
        match news:
            case Complaint(kind, reason, peer, left_out, details):
                self._report(kind, reason, peer, left_out, details)
            case Exchanges(exchanges, lost):
                self._show(exchanges, lost)

    def _show(self, exchanges: Iterable[Exchange], lost: int) -> None:
        show = self._shown_to.dns
        if show is None:
            return
        if lost and self._shown_to.lost is not None:
            self._shown_to.lost(lost, "dns_worker_not_heard")
        for exchange in exchanges:
            show(*exchange)

    def _look(self) -> None:
        on = self._shown_to.dns is not None
        if on != self._is_looked_at:
            self._is_looked_at = on
            self.tell(Look(on))

    def total(self, figures: Iterable[Figures]) -> Figures:
        """See ``Crew``."""
        return added(figures)

    def lasting(self, figures: Figures) -> Figures:
        """See ``Crew``."""
        return {family: counts for family, counts in figures.items() if family != "now"}
