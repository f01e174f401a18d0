"""A UDP socket that queries come in on, and the short way from a packet to its ready answer.

The socket is read straight from the event loop, many packets a wake-up (``mmsg``), and of each nothing is made but the
bytes: a datagram protocol costs a third more.

A wake-up that does not empty the socket may be a burst, or a flood that would leave no room for anyone else: the
system drops packets of all alike once the socket is full. So the rest is read first, which is quick, and answered then;
and if even that is a heap and there are several clients in it, whoever asked more than the others is cut.
"""

import asyncio
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

import structlog

from edgecore.addresses import join_address
from edgecore.modules.edgemesh.dns.listening import mmsg, pktinfo
from edgecore.modules.edgemesh.dns.listening.amplification import FACTOR
from edgecore.modules.edgemesh.dns.listening.asker import Answers
from edgecore.modules.edgemesh.dns.listening.clients import client_of, share_of_each
from edgecore.modules.edgemesh.dns.listening.mmsg import PACKET_BYTES, SLOTS, Slots
from edgecore.modules.edgemesh.dns.listening.shownasker import TRANSPORTS
from edgecore.modules.edgemesh.dns.resolver.exchange import Server
from edgecore.recording.watch import ShowDns

log = structlog.get_logger("edgemesh.dns")

BATCH = SLOTS
"""So many packets are answered at once, if they are there."""
HEAP = 512
"""So many packets that wait at one time are more than a burst of stub resolvers."""
HEAP_LIMIT = 1024
HEAP_BUDGET = 256
"""So many of a heap of several clients are answered: what comes meanwhile must find room in the socket."""

Peer = Any
"""What the socket says of the sender: a socket address, or a ``pktinfo.Route``."""


class UdpAsker:
    """The sender of one packet."""

    __slots__ = ("_listener", "_packet", "_peer")
    is_tcp = False

    def __init__(self, listener: "UdpListener", packet: bytes, peer: Peer) -> None:
        self._listener = listener
        self._packet = packet
        self._peer = peer

    @property
    def host(self) -> str:
        """See ``Asker``."""
        return str(self._peer[0])

    @property
    def text(self) -> str:
        """See ``Asker``."""
        return join_address(*self._peer[:2])

    def send(self, reply: bytes) -> None:
        """See ``Asker``."""
        self._listener.send(self._packet, reply, self._peer)

    def drop(self) -> None:
        """See ``Asker``."""


class UdpListener:
    """Answers on one bound socket, which it owns."""

    def __init__(self, sock: socket.socket, answers: Answers) -> None:
        self.address: Server = sock.getsockname()[:2]
        self._socket = sock
        self._answers = answers
        self._tally = answers.tally
        receive, self._send = pktinfo.ways(sock)
        is_plain = receive == sock.recvfrom
        self._slots = Slots(sock) if is_plain and mmsg.is_there() else None
        self._incoming: Iterator[tuple[bytes, Peer]] = iter(partial(receive, PACKET_BYTES), None)
        """Reads a packet at each step; raises ``BlockingIOError`` when there is none."""
        self._is_open = True
        asyncio.get_running_loop().add_reader(sock, self._drain)

    def send(self, query: bytes, reply: bytes, peer: Peer) -> None:
        """Send, or count as unsent what the socket does not take: the asker will ask again."""
        try:
            if self._is_open:
                self._send(self._answers.fitted(query, reply, peer[0]), peer)
                return
        except OSError:  # for instance a forged peer with port 0
            pass
        self._tally.replies["unsent"] += 1

    def close(self) -> None:
        """Close the socket; may be called again."""
        if self._is_open:
            self._is_open = False
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    def _drain(self) -> None:
        try:
            if self._slots is None:
                if not self._answer_each(islice(self._incoming, BATCH)):
                    return
            elif self._answer_slots(self._slots) < SLOTS:
                return
        except OSError as error:  # the system is out of memory, or the network is down
            log.warning("dns_socket_unreadable", address=join_address(*self.address), reason=str(error))
            return
        self._drain_rest()

    def _drain_rest(self) -> None:
        heap: list[tuple[bytes, Peer]] = []
        with suppress(OSError):
            for received in islice(self._incoming, HEAP_LIMIT):
                heap.append(received)  # noqa: PERF402 - what was read before it failed stays
        self._answer_each(heap if len(heap) < HEAP else self._cut(heap))

    def _answer_slots(self, slots: Slots) -> int:
        """Answer what is there; return how many packets that were. Raises ``OSError``."""
        answers = self._answers
        ready, cached = answers.ready, answers.cached
        nodata = known = others = 0
        packets = slots.receive()
        replies: list[bytes | None] = []
        reply: bytes | None
        for packet in packets:
            reply = ready(packet)
            if reply is None:
                reply = cached(packet)
                if reply is None:
                    others += 1
                    self._pass_on(packet, slots.sender(len(replies)))
                else:
                    known += 1
                    if len(reply) > FACTOR * len(packet):
                        reply = answers.fitted(packet, reply, slots.sender(len(replies))[0])
            elif not reply[7]:
                nodata += 1
            replies.append(reply)
        if replies:
            if answers.show is not None:
                self._show(answers.show, packets, replies, slots)
            self._tally.replies["unsent"] += slots.send(replies)
            self._count(len(replies) - nodata - known - others, nodata, known)
        return len(replies)

    def _show(self, show: ShowDns, packets: Sequence[bytes], replies: Sequence[bytes | None], slots: Slots) -> None:
        for index, (packet, reply) in enumerate(zip(packets, replies, strict=True)):
            if reply is not None:
                show(join_address(*slots.sender(index)[:2]), TRANSPORTS[False], packet, reply, 0)

    def _answer_each(self, packets: Iterable[tuple[bytes, Peer]]) -> bool:
        """Answer ``packets``; return whether there may be more. Raises ``OSError``."""
        answers, send, show = self._answers, self._send, self._answers.show
        answered = nodata = known = unsent = 0
        try:
            for packet, peer in packets:
                reply = answers.ready(packet)
                if reply is None:
                    reply = answers.cached(packet)
                    if reply is None:
                        self._pass_on(packet, peer)
                        continue
                    known += 1
                    if len(reply) > FACTOR * len(packet):
                        reply = answers.fitted(packet, reply, peer[0])
                elif reply[7]:
                    answered += 1
                else:
                    nodata += 1
                if show is not None:
                    show(join_address(*peer[:2]), TRANSPORTS[False], packet, reply, 0)
                try:
                    send(reply, peer)
                except OSError:  # the socket is full, or the peer is forged, with port 0
                    unsent += 1
        except BlockingIOError:
            return False
        finally:
            self._count(answered, nodata, known)
            self._tally.replies["unsent"] += unsent
        return True

    def _count(self, answered: int, nodata: int, known: int) -> None:
        queries = self._tally.queries
        queries["answered"] += answered
        queries["nodata"] += nodata
        queries["cached"] += known

    def _cut(self, heap: list[tuple[bytes, Peer]]) -> list[tuple[bytes, Peer]]:
        """Return the part of ``heap`` that is answered, in its order."""
        first = heap[0][1][0]
        if all(peer[0] == first for _, peer in heap):
            return heap
        clients = [client_of(peer[0]) for _, peer in heap]
        share = share_of_each(clients, HEAP_BUDGET)
        had: dict[str, int] = {}
        kept = []
        for entry, client in zip(heap, clients, strict=True):
            had[client] = had.get(client, 0) + 1
            if had[client] <= share:
                kept.append(entry)
        for client, count in had.items():
            if count > share:
                self._answers.surplus(client, count - share)
        return kept

    def _pass_on(self, packet: bytes, peer: Peer) -> None:
        try:
            self._answers.receive(packet, UdpAsker(self, packet, peer))
        except Exception:
            log.exception("dns_query_not_handled", packet=packet[:100].hex())
