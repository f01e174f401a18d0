"""The embedded broker's program: Python and amqtt, nothing of the node.

It is run by the path of this file, with one argument (``Orders`` as JSON), by whichever interpreter has amqtt. Lines of
JSON on its output say what happens. When its input ends, which it does however the node ends, so does it.

amqtt is the protocol. What it does otherwise than it should, or not at all, is here:

- topics with a leading ``$`` may be published to: all of KubeEdge's have one (MQTT 3.1.1 section 4.7.2 leaves that to
  the server; amqtt ends the connection since 0.11.2);
- what is delivered has no higher quality of service than what was published (section 3.8.4), and comes once to a
  client, however many of its filters match;
- a client that is silent for one and a half of its keepalive is cut off (section 3.1.2.10);
- who connects gets no retained messages before it subscribes (section 3.3.1.3);
- clients, sessions, packets and what waits for a client have limits. Who does not take what is sent to it is waited for
  shortly, then passed over, then cut off.
"""

import asyncio
import json
import logging
import os
import sys
import threading
from collections import Counter
from importlib.metadata import version
from typing import Any, NamedTuple

KNOWN = "0.12."
"""The releases of amqtt whose inner methods are what ``Server`` takes them for."""
BAD_LIBRARY, NOT_LISTENING = 3, 4
"""Exit codes."""


def say(event: str, **values: object) -> None:
    """Print one line for the node; it is gone if nobody listens."""
    line = json.dumps({"event": event, **values}, separators=(",", ":")) + "\n"
    try:
        os.write(1, line.encode())
    except OSError:
        os._exit(0)


try:
    from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
    from amqtt.broker import Broker
    from amqtt.errors import BrokerError
    from amqtt.mqtt.publish import PublishPacket
    from amqtt.session import ApplicationMessage
except ImportError as error:
    say("failed", reason=f"{sys.executable} cannot import amqtt: {error}")
    sys.exit(BAD_LIBRARY)

CONNECT_S = 10.0
"""So long may a new connection take to say who it is."""
ROOM_S, SLOW_S = 2.0, 30.0
"""So long is a client waited for that takes nothing; so long it is passed over before it is cut off."""
UNSENT_LIMIT_BYTES = 1 << 20
INCOMING_LIMIT, INCOMING_LIMIT_BYTES = 10_000, 16 << 20
"""So much of one client waits for its turn; then nothing is read of it, and what has quality of service 0 is lost."""
KEPT_LIMIT, KEPT_LIMIT_BYTES = 10_000, 64 << 20
"""So many topics may have a retained message; so much they may have together."""
QUEUE_LIMIT_BYTES = 1 << 20
"""So much waits for a client that may come back, or else one message; the oldest go first."""
SESSIONS_LIMIT, SESSION_S = 1000, 3600
"""So many clients are here, or may come back within so long; for one more, the oldest that is away is forgotten."""
FILTERS_LIMIT, CLIENT_FILTERS_LIMIT = 10_000, 1000
"""So many filters are subscribed to, by all clients and by one; others are refused (0x80, section 3.9.3)."""
REFUSED = 0x80
FIGURES_S = 2.0
LINES_LIMIT = 50
"""So many lines of amqtt are passed on between two lines of figures."""


class Orders(NamedTuple):
    """What the node wants."""

    host: str
    port: int
    queue: int
    """So many messages of quality of service 1 and 2 wait for one client."""
    clients: int
    packet_bytes: int


class Reader(StreamReaderAdapter):  # type: ignore[misc]
    """Takes no packet that is larger than ``limit_bytes``."""

    def __init__(self, reader: asyncio.StreamReader, limit_bytes: int) -> None:
        super().__init__(reader)
        self._limit_bytes = limit_bytes

    async def read(self, n: int = -1) -> bytes:
        """Return ``n`` bytes. Ends the connection, by ``ConnectionResetError``, where they would be too many."""
        if n > self._limit_bytes:
            raise ConnectionResetError("packet_too_large")
        data: bytes = await super().read(n)
        return data


class Writer(StreamWriterAdapter):  # type: ignore[misc]
    """Knows how much waits in it, and can be cut."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        super().__init__(writer)
        self.transport = writer.transport
        self.slow_since: float | None = None
        self.waiting = 0
        """Messages on their way to the client that are not acknowledged."""
        self.freed = asyncio.Event()

    def cut(self) -> None:
        """End the connection at once."""
        self.transport.abort()


class Waiting(asyncio.Queue[Any]):
    """Messages from one client, or for one; it is full by their bytes, too."""

    waiting_bytes = 0

    def full(self) -> bool:  # noqa: D102 - see asyncio
        return super().full() or self.waiting_bytes >= INCOMING_LIMIT_BYTES

    def _put(self, item: Any) -> None:
        self.waiting_bytes += len(item.data or b"")
        super()._put(item)

    def _get(self) -> Any:
        item = super()._get()
        self.waiting_bytes -= len(item.data or b"")
        return item


class Server(Broker):  # type: ignore[misc]
    """amqtt's broker, as KubeEdge's devices need it."""

    def __init__(self, orders: Orders) -> None:
        listener = {"type": "tcp", "bind": f"{orders.host}:{orders.port}", "max_connections": orders.clients}
        plugins: dict[str, Any] = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {}}
        super().__init__({"listeners": {"default": listener}, "plugins": plugins, "session_expiry_interval": SESSION_S})
        self._orders = orders
        self._clock = asyncio.get_running_loop().time
        self._running: set[asyncio.Task[Any]] = set()
        self.counted: Counter[str] = Counter()
        self._strangers: dict[Writer, None] = {}
        self._kept_bytes = 0

    @property
    def clients(self) -> int:
        """How many are connected."""
        return sum(session.transitions.state == "connected" for session, _ in self.sessions.values())

    async def stream_connected(self, reader: Any, writer: Any, listener_name: str) -> None:
        """See amqtt; with limits, and without waiting for room."""
        ours = Writer(writer)
        if self._servers[listener_name].conn_count >= self._orders.clients:
            self.counted["clients_refused"] += 1
            leaving = next(iter(self._strangers), ours)  # who has not said who it is leaves for who comes
            self._strangers.pop(leaving, None)
            leaving.cut()
            if leaving is ours:
                return
        try:
            await self._client_connected(listener_name, Reader(reader, self._orders.packet_bytes), ours)
        except (OSError, asyncio.IncompleteReadError, UnicodeError):
            self.counted["connections_failed"] += 1
        finally:
            ours.cut()

    async def _initialize_client_session(self, reader: Reader, writer: Writer, *peer: Any) -> tuple[Any, Any]:
        timer = asyncio.get_running_loop().call_later(CONNECT_S, writer.cut)
        self._strangers[writer] = None
        try:
            handler, session = await super()._initialize_client_session(reader, writer, *peer)
        finally:
            timer.cancel()
            self._strangers.pop(writer, None)
        if session.keep_alive:
            session.keep_alive += session.keep_alive // 2 or 1
        handler.handle_read_timeout = writer.cut
        if session.parent == 0:
            session.delivered_message_queue, session.retained_messages = Waiting(INCOMING_LIMIT), Waiting()
        if len(self.sessions) >= SESSIONS_LIMIT and session.client_id not in self.sessions:
            away = (name for name, (one, _) in self.sessions.items() if one.transitions.state != "connected")
            oldest = next(away, None)
            if oldest is not None:
                self.counted["sessions_forgotten"] += 1
                await self._delete_session(oldest)
        return handler, session

    async def add_subscription(self, subscription: tuple[str, int], session: Any) -> int:
        """See amqtt; refused where there are too many."""
        wanted, mine = subscription[0], session.__dict__.setdefault("filters", set())
        is_over = wanted not in self.subscriptions and len(self.subscriptions) >= FILTERS_LIMIT
        if is_over or (wanted not in mine and len(mine) >= CLIENT_FILTERS_LIMIT):
            self.counted["subscriptions_refused"] += 1
            return REFUSED
        granted: int = await super().add_subscription(subscription, session)
        if granted != REFUSED:
            mine.add(wanted)
        return granted

    def _del_subscription(self, a_filter: str, session: Any) -> int:
        deleted = int(super()._del_subscription(a_filter, session))
        session.__dict__.setdefault("filters", set()).discard(a_filter)
        if not self.subscriptions.get(a_filter, True):  # amqtt keeps those that nobody has any more
            del self.subscriptions[a_filter]
        return deleted

    async def _del_all_subscriptions(self, session: Any) -> None:
        for each in list(session.__dict__.get("filters", ())):
            self._del_subscription(each, session)

    async def _authenticate(self, session: Any, _: Any) -> bool:
        return True

    async def _handle_message_delivery(self, client_session: Any, handler: Any, wait_deliver: Any) -> bool:
        message = wait_deliver.result()
        if message is None:
            return True
        self.counted["received"] += 1
        if not is_topic(message.topic):
            self.counted["bad_topics"] += 1
            if handler.writer is not None:
                handler.writer.cut()
            return True
        if message.publish_packet.retain_flag:
            await self._retain(client_session, message)
        await self._pass_on(message.topic, bytes(message.data), message.qos)
        return True

    async def _retain(self, session: Any, message: Any) -> None:
        """Keep a message, or where there is no room nothing for its topic: what was kept is not true any more."""
        topic, data = message.topic, message.data
        before = self.retained_messages.get(topic)
        rest = self._kept_bytes - (0 if before is None else len(topic) + len(before.data))
        size = len(topic) + len(data) if data else 0
        if size and (rest + size > KEPT_LIMIT_BYTES or (before is None and len(self.retained_messages) >= KEPT_LIMIT)):
            self.counted["not_kept"] += 1
            data, size = b"", 0
        self._kept_bytes = rest + size
        await self.retain_message(session, topic, data, message.qos)

    async def _publish_retained_messages_for_subscription(self, subscription: tuple[str, int], session: Any) -> None:
        if any(subscriber is session for subscriber, _ in self.subscriptions.get(subscription[0], ())):
            await super()._publish_retained_messages_for_subscription(subscription, session)

    async def _run_broadcast(self, running_tasks: Any) -> None:
        """Pass on what the broker itself says: last wills."""
        said = await self._broadcast_queue.get()
        await self._pass_on(said["topic"], bytes(said["data"] or b""), said.get("qos") or 0)

    async def _pass_on(self, topic: str, data: bytes, qos: int) -> None:
        packet = b""
        for session, granted in self._receivers(topic):
            wanted = min(qos, granted)
            handler = self._get_handler(session)
            if session.transitions.state != "connected" or handler is None or handler.writer is None:
                if wanted and not session.clean_session:
                    self._keep(session, ApplicationMessage(None, topic, wanted, data, retain=False))
                continue
            if not await self._has_room(handler.writer, wanted):
                self.counted["dropped"] += 1
                continue
            self.counted["sent"] += 1
            if wanted:
                self._send(handler, topic, data, wanted)
            else:
                packet = packet or PublishPacket.build(topic, data, None, False, 0, False).to_bytes()
                handler.writer.write(packet)

    def _receivers(self, topic: str) -> list[tuple[Any, int]]:
        """Return who wants this, each once, with the highest quality of service that it asked for."""
        found: dict[str, tuple[Any, int]] = {}
        for wanted, subscriptions in self.subscriptions.items():
            if subscriptions and self._matches(topic, wanted):
                for session, granted in subscriptions:
                    known = found.get(session.client_id)
                    if known is None or known[1] < granted:
                        found[session.client_id] = (session, granted)
        return list(found.values())

    def _keep(self, session: Any, message: Any) -> None:
        waiting = session.retained_messages
        room = QUEUE_LIMIT_BYTES - len(message.data)
        while waiting.qsize() >= self._orders.queue or waiting.waiting_bytes > max(room, 0):
            waiting.get_nowait()
            self.counted["dropped"] += 1
        waiting.put_nowait(message)

    def _send(self, handler: Any, topic: str, data: bytes, qos: int) -> None:
        writer = handler.writer
        writer.waiting += 1
        task = asyncio.ensure_future(handler.mqtt_publish(topic, data, qos, retain=False))
        self._running.add(task)

        def sent(task: asyncio.Task[Any]) -> None:
            self._running.discard(task)
            writer.waiting -= 1
            writer.freed.set()
            if not task.cancelled() and task.exception() is not None:
                self.counted["unacknowledged"] += 1

        task.add_done_callback(sent)

    async def _has_room(self, writer: Writer, qos: int) -> bool:
        """Whether the client takes one more; it is waited for once, and not again before it has taken something."""
        if self._is_free(writer, qos):
            writer.slow_since = None
            return True
        if writer.slow_since is None:
            writer.slow_since = self._clock()
            try:
                async with asyncio.timeout(ROOM_S):
                    while not self._is_free(writer, qos):
                        writer.freed.clear()
                        await (writer.freed.wait() if qos else writer.drain())
            except (TimeoutError, OSError):
                return False
            writer.slow_since = None
            return True
        if self._clock() - writer.slow_since > SLOW_S:
            self.counted["slow_clients_cut"] += 1
            writer.cut()
        return False

    def _is_free(self, writer: Writer, qos: int) -> bool:
        unsent_bytes: int = writer.transport.get_write_buffer_size()
        return writer.waiting < self._orders.queue if qos else unsent_bytes < UNSENT_LIMIT_BYTES


def is_topic(topic: str | None) -> bool:
    """Whether a client may publish to it: ``$SYS`` is the server's own."""
    return bool(topic) and not {"#", "+", "\0"}.intersection(topic or "") and not f"{topic}/".startswith("$SYS/")


class Lines(logging.Handler):
    """What amqtt warns of, for the node's log; never more than ``LINES_LIMIT`` between two lines of figures."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on the words without their values where they are apart: one of those is a whole packet."""
        self.said += 1
        if self.said <= LINES_LIMIT:
            words = str(record.msg)[:200]
            say("library", level=record.levelname.lower(), where=f"{record.module}.{record.funcName}", words=words)


async def serve(orders: Orders, ended: asyncio.Event) -> int:
    """Listen until the input has ended, and return the exit code."""
    lines = Lines()
    logging.getLogger().addHandler(lines)
    logging.getLogger("transitions").setLevel(logging.ERROR)
    server = Server(orders)
    try:
        await server.start()
    except BrokerError as error:
        say("failed", reason=str(error.__cause__ or error))
        return NOT_LISTENING
    say("listening", library=version("amqtt"), python=sys.version.split()[0])
    while True:
        say("counted", clients=server.clients, **server.counted)
        lines.said = 0
        try:
            async with asyncio.timeout(FIGURES_S):
                await ended.wait()
        except TimeoutError:
            continue
        break
    return 0


def _watch_input(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    """End with the input, also where the loop does nothing any more."""
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(ended.set)
    threading.Event().wait(1.0)
    os._exit(1)


async def main() -> int:
    """Read the orders and carry them out."""
    if not version("amqtt").startswith(KNOWN):
        say("failed", reason=f"amqtt {version('amqtt')} in {sys.executable} is not {KNOWN}x")
        return BAD_LIBRARY
    ended = asyncio.Event()
    threading.Thread(target=_watch_input, args=(asyncio.get_running_loop(), ended), daemon=True).start()
    return await serve(Orders(**json.loads(sys.argv[1])), ended)


async def _end() -> None:
    os._exit(await main())  # what is under way need not be cancelled one by one


if __name__ == "__main__":
    asyncio.run(_end())
