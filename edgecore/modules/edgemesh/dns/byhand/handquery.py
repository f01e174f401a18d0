"""Answers a question that is asked by hand, by the same code that answers packets, and says why."""

from collections.abc import Callable
from typing import Any, NamedTuple

from edgecore.addresses import join_address
from edgecore.errors import ContentError
from edgecore.modules.edgemesh.dns.byhand.explain import Why, explain
from edgecore.modules.edgemesh.dns.byhand.presentation import present
from edgecore.modules.edgemesh.dns.byhand.question import query_packet, reverse_name, type_name, type_number
from edgecore.modules.edgemesh.dns.packets.packet import (
    HEADER_BYTES,
    TCP_LIMIT_BYTES,
    Malformed,
    Query,
    name_text,
    read_query,
)
from edgecore.modules.edgemesh.dns.packets.records import NOERROR, compose
from edgecore.modules.edgemesh.dns.resolver.resolved import How
from edgecore.modules.edgemesh.dns.resolver.resolver import Resolver
from edgecore.modules.edgemesh.dns.zone.aliases import Chase
from edgecore.modules.edgemesh.dns.zone.answers import Decision, Drop, Forward, Reply, decide, ready_outcome
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable


class HandQuery:
    """Asks ``names``, and ``resolver`` for what leads outside, as for a packet that came over TCP.

    ``led`` returns which name servers have their questions led here (``Hijack.told``); ``None``: that is not the mode.
    """

    def __init__(
        self, names: NameTable, resolver: Resolver, led: Callable[[], dict[str, Any] | None] = lambda: None
    ) -> None:
        self._names = names
        self._resolver = resolver
        self._led = led

    async def ask(self, name: str, type_text: str = "") -> dict[str, Any]:
        """Return the answer, and why it is that, as JSON values. Raises ``ContentError`` for what cannot be asked.

        Without a type it is A, or PTR where ``name`` is an IP address.
        """
        question = self._question(name, type_text)
        how = None
        match question.decision:
            case Forward():
                reply, how = await self._resolver.resolve(question.packet, question.query, is_tcp=True)
            case Chase():
                reply, how = await self._resolver.chase(question.decision)
            case decided:
                reply = _reply(decided)
        return {
            **question.told(reply),
            "upstream": None if how is None else _told(how),
            "led": self._led(),
        }

    def own(self, name: str, type_text: str = "") -> dict[str, Any]:
        """Return what the zone of this node says by itself, in the same form; nobody outside is asked.

        What leads outside has no ``status``, and no records but the aliases that lead there. Raises ``ContentError``
        for what cannot be asked.
        """
        question = self._question(name, type_text)
        match question.decision:
            case Forward():
                return {**question.told(bytes(HEADER_BYTES)), "status": None}
            case Chase(packet, query, aliases):
                records = [alias.record for alias in aliases]
                return {**question.told(compose(packet, query, NOERROR, answers=records)), "status": None}
            case decided:
                return question.told(_reply(decided))

    def _question(self, name: str, type_text: str) -> "_Question":
        reverse = reverse_name(name)
        if reverse is not None:
            name, type_text = reverse, type_text or "PTR"
        qtype = type_number(type_text or "A")
        packet = query_packet(name, qtype)
        ready = self._names.ready(packet)
        decision = Reply(ready, ready_outcome(ready)) if ready else decide(packet, self._names, TCP_LIMIT_BYTES)
        query = read_query(packet)
        if isinstance(query, Malformed):  # not by what is built here
            raise ContentError(f"cannot ask for {name!r}: {query.reason}")
        return _Question(packet, query, decision, explain(query, decision, self._names), ready is not None)


class _Question(NamedTuple):
    """A question, and what is decided about it."""

    packet: bytes
    query: Query
    decision: Decision
    why: Why
    ready: bool

    def told(self, reply: bytes) -> dict[str, Any]:
        """Return ``reply`` and why it is that, as JSON values."""
        why = self.why
        return {
            "name": name_text(self.packet[HEADER_BYTES:]),
            "type": type_name(self.query.qtype),
            **present(reply),
            "rule": why.rule,
            "why": why.text,
            "service": why.service._asdict() if why.service is not None else None,
            "ready": self.ready,
        }


def _reply(decision: Reply | Drop) -> bytes:
    return decision.packet if isinstance(decision, Reply) else bytes(HEADER_BYTES)


def _told(how: How) -> dict[str, Any]:
    return {
        **how._asdict(),
        "server": None if how.server is None else join_address(*how.server),
        "tried": [{**one._asdict(), "server": join_address(*one.server)} for one in how.tried],
    }
