"""One MQTT client: the one owner of paho, which is driven here by the event loop, without a thread.

paho knows the protocol: packets, message ids, acknowledgements, what has to be sent again after a reconnect. Its socket
is a ``Stream``; whatever may wait for the broker waits here, in the loop.
"""

import asyncio
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edgecore.clock import Clock, before
from edgecore.errors import BrokerError
from edgecore.modules.eventbus.endpoint import Endpoint, Login
from edgecore.modules.eventbus.outgoing import Publication
from edgecore.modules.eventbus.transport import MOST_UNSENT_BYTES, Stream, dial

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

PACKETS_A_TURN = 256
"""Then others have a turn of the loop."""
PACKET_OVERHEAD_BYTES = 32
NO_LIMIT = 2**28
SUBSCRIBE_QOS = 1
LONGEST_PROPERTY = 1024
NOBODY_SUBSCRIBED = 0x10
"""The reason code of an acknowledgement (MQTT 5, 3.4.2.1)."""
_VERSIONS = {"3.1.1": MQTTProtocolVersion.MQTTv311, "5": MQTTProtocolVersion.MQTTv5}

Arrived = Callable[[str, bytes], None]
"""Takes topic and payload of what came."""


class _UserProperties(Properties):
    """Those of a message that is published, packed by hand: paho takes 30 us for four of them (MQTT 5, 2.2.2)."""

    _packed: bytes

    def __init__(self, named: Sequence[tuple[str, str]]) -> None:
        texts = (text.encode(errors="replace")[:LONGEST_PROPERTY] for each in named for text in each)
        packed = [len(text).to_bytes(2, "big") + text for text in texts]
        pairs = b"".join(b"\x26" + name + value for name, value in zip(packed[::2], packed[1::2], strict=True))
        object.__setattr__(self, "_packed", _varying(len(pairs)) + pairs)  # the class above lets no name pass

    def pack(self) -> bytes:
        """Return the length and the properties."""
        return self._packed


class _Paho(Client):
    """paho on connections that were made already."""

    stream: Stream | None = None
    acknowledged: Callable[[int, ReasonCode], None] | None = None
    """``on_publish`` is called for each message of QoS 0 too, and that takes 10 us."""

    def _create_socket(self) -> "SocketLike":
        assert self.stream is not None  # noqa: S101 - set before each connect
        return self.stream

    def _do_on_publish(self, mid: int, reason_code: ReasonCode, properties: Properties) -> MQTTErrorCode:
        if self.acknowledged is not None:
            self.acknowledged(mid, reason_code)
        return super()._do_on_publish(mid, reason_code, properties)


class MqttClient:
    """One client of one broker: connected, over, connected again.

    ``arrived`` gets what comes; ``room_again`` is called when ``room`` may have become true; ``malformed`` gets a word
    and a detail for what could not be taken in. ``kept`` gets what the broker had kept for whoever subscribes; where
    there is none, ``arrived`` gets that too. ``taken`` is told whether anybody has subscribed what was published with
    QoS 1, and not to be kept: brokers of MQTT 5 say so.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        client_id: str,
        clock: Clock,
        *,
        arrived: Arrived,
        room_again: Callable[[], None],
        malformed: Callable[[str, str], None],
        kept: Arrived | None = None,
        taken: Callable[[bool], None] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._arrived = arrived
        self._kept = kept or arrived
        self._room_again = room_again
        self._malformed = malformed
        self._taken = taken
        self._asking: set[int] = set()
        self._stream: Stream | None = None
        self._answer: asyncio.Future[None] | None = None
        self._lost: asyncio.Future[str] | None = None
        self._connected = self._held = self._reading = self._writing = False
        self._inflight: deque[MQTTMessageInfo] = deque()
        self._unwritten_bytes = 0
        self._asked: dict[int, Sequence[str]] = {}
        self._receive_maximum = self._largest = NO_LIMIT
        self.refused: dict[str, str] = {}
        """Filters that the broker would not subscribe, with its words."""
        self.client_id = client_id
        self._paho = self._made(client_id)

    def _made(self, client_id: str) -> _Paho:
        endpoint = self._endpoint
        version = _VERSIONS[endpoint.version]
        paho = _Paho(CallbackAPIVersion.VERSION2, client_id, protocol=version, reconnect_on_failure=False)
        paho.max_inflight_messages_set(0)  # the window is kept here: see ``room``
        paho.on_connect = self._on_connect
        paho.on_disconnect = self._on_disconnect
        paho.on_message = self._on_message
        paho.on_subscribe = self._on_subscribe
        if self._taken is not None and endpoint.version == "5":
            paho.acknowledged = self._acknowledged
        paho.on_socket_register_write = lambda *_: self._write_soon()
        if endpoint.will is not None:
            paho.will_set(*endpoint.will)
        address = endpoint.host, endpoint.port, endpoint.keep_alive_s
        if endpoint.version == "5":
            limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            limits.MaximumPacketSize = endpoint.max_packet_bytes  # what is larger is left out by the broker itself
            paho.connect_async(*address, clean_start=True, properties=limits)
        else:
            paho.connect_async(*address)
        return paho

    @property
    def connected(self) -> bool:
        """Whether the broker has taken us in, and was not lost since."""
        return self._connected

    @property
    def inflight(self) -> int:
        """Messages of QoS 1 and 2 that the broker has not acknowledged."""
        while self._inflight and self._inflight[0].is_published():
            self._inflight.popleft()
        return len(self._inflight)

    @property
    def room(self) -> bool:
        """Whether a message may be published now."""
        if not self._connected or self._stream is None or not self._stream.room:
            return False
        window = min(self._endpoint.max_inflight, self._receive_maximum)
        return self._unwritten_bytes < MOST_UNSENT_BYTES and self.inflight < window

    async def connect(self) -> None:
        """Dial, and return when the broker has taken us in. Raises ``BrokerError``, with nothing left open."""
        loop = asyncio.get_running_loop()
        deadline = self._clock.monotonic() + self._endpoint.connect_timeout_s
        self._log_in(self._endpoint.login)
        stream = await dial(self._endpoint, self._new_stream, self._clock, deadline)
        self._stream = self._paho.stream = stream
        self._answer, self._lost = loop.create_future(), loop.create_future()
        self._held = False
        self._asked.clear()
        self._asking.clear()
        try:
            self._greet()
            await before(self._clock, deadline, _of(self._answer))
        except TimeoutError:
            stream.abort()
            text = f"it takes connections and did not answer in {self._endpoint.connect_timeout_s:g} s"
            raise BrokerError(f"cannot connect to {self._endpoint.url}: {text}") from None
        except BaseException:
            stream.abort()
            raise
        self._connected = not self._lost.done()  # it may be over already
        self._read()  # what came behind the answer
        self._room_again()

    def _greet(self) -> None:
        self._unwritten_bytes = 0
        try:
            self._paho.reconnect()
        except struct.error:  # a length of MQTT has two bytes
            text = "the user's name, the password or the last will has over 65535 bytes"
            raise BrokerError(f"cannot connect to {self._endpoint.url}: {text}") from None
        self._read_soon()  # it may have ended already

    async def lost(self) -> str:
        """Return why the connection is over, once it is; meanwhile see to it that it is alive."""
        assert self._lost is not None  # noqa: S101 - there was a connect before
        while not self._lost.done():
            try:
                await before(self._clock, self._clock.monotonic() + 1.0, _of(self._lost))
            except TimeoutError:
                self._paho.loop_misc()
        return self._lost.result()

    def publish(self, publication: Publication) -> str:
        """Hand one message to the broker; there has to be ``room``. Return why it cannot be, or nothing."""
        if publication.size + PACKET_OVERHEAD_BYTES > self._largest:
            return "too_large_for_broker"
        topic, payload, qos, retain, named = publication
        info = self._paho.publish(topic, payload, qos, retain, self._properties(named))
        self._unwritten_bytes += publication.size
        if publication.qos and info.rc == 0:
            self._inflight.append(info)
            if qos == 1 and not retain and self._paho.acknowledged is not None:
                self._asking.add(info.mid)
        return "" if info.rc == 0 else "not_published"

    def _properties(self, named: Sequence[tuple[str, str]]) -> Properties | None:
        """Return what MQTT 5 has beside the payload."""
        if not named or self._endpoint.version != "5":
            return None
        return _UserProperties(named)

    def give_up_inflight(self) -> int:
        """Forget what was published and not acknowledged; return how many messages that were."""
        self._inflight.clear()
        return len(self._paho.drop_out_messages())

    def subscribe(self, filters: Sequence[str]) -> None:
        """Subscribe, each of ``filters``, where connected; who connects subscribes anew."""
        if self._connected and filters:
            _, number = self._paho.subscribe([(each, SUBSCRIBE_QOS) for each in filters])
            if number is not None:
                self._asked[number] = filters

    def unsubscribe(self, wanted: str) -> None:
        """Take a subscription back."""
        self.refused.pop(wanted, None)
        if self._connected:
            self._paho.unsubscribe(wanted)

    def hold(self, held: bool) -> None:
        """Take nothing in, or go on."""
        if held == self._held or self._stream is None:
            return
        self._held = held
        self._stream.hold(held)
        if not held:
            self._read_soon()

    async def close(self, deadline: float) -> None:
        """Take leave of the broker."""
        stream = self._stream
        if stream is not None and not stream.is_over:
            if self._connected:
                self._connected = False
                self._paho.on_disconnect = None  # it would cut off the farewell, which the broker has to hear
                self._paho.disconnect()
                self._write()
            await stream.end(self._clock, deadline)
        self._stream = None

    def abort(self) -> None:
        """Leave without a word."""
        if self._stream is not None:
            self._stream.abort()

    # Reading and writing.

    def _new_stream(self) -> Stream:
        return Stream(self._read, self._write, self._endpoint.max_packet_bytes)

    def _read_soon(self) -> None:
        if not self._reading:
            self._reading = True
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        self._reading = False
        self._read()

    def _read(self) -> None:
        stream = self._stream
        if stream is None or stream is not self._paho.stream or self._answer is None or self._reading:
            return
        left = PACKETS_A_TURN
        while stream.unread and left and not self._held:
            left -= 1
            if not self._does(self._paho.loop_read):
                return
        if stream.unread and not self._held:
            self._read_soon()
        elif stream.is_over and not stream.unread:
            self._end(stream.why)
        if self._inflight:
            self._room_again()

    def _write_soon(self) -> None:
        if not self._writing:
            self._writing = True
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        self._writing = False
        stream = self._stream
        if stream is None or stream.is_over or not self._does(self._paho.loop_write):
            return
        stream.flush()
        if not self._paho.want_write():
            self._unwritten_bytes = 0
        elif stream.room:
            self._write_soon()
        self._room_again()

    def _does(self, work: Callable[[], int]) -> bool:
        """Let paho work; return whether the connection goes on."""
        try:
            code = work()
        except Exception as error:  # what a broker sends may be anything
            self._malformed("packet_malformed", f"{type(error).__name__}: {error}")
            code = 1
        if code:
            self._end((self._stream.why if self._stream else "") or "the broker broke the protocol")
        return not code

    def _end(self, why: str) -> None:
        self._connected = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(BrokerError(f"cannot connect to {self._endpoint.url}: {why}"))
            self._answer.exception()  # whoever waits for it may have given up
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(f"lost {self._endpoint.url}: {why}")
        if self._stream is not None:
            self._stream.abort()

    def _log_in(self, login: Login | None) -> None:
        if login is None:
            return
        password = login.password
        if login.password_file is not None:
            try:
                password = login.password_file.read_text().partition("\n")[0].rstrip("\r")
            except (OSError, UnicodeDecodeError) as error:
                text = f"cannot read {login.password_file}: {getattr(error, 'strerror', None) or error}"
                raise BrokerError(f"cannot log in to {self._endpoint.url}: {text}") from error
        self._paho.username_pw_set(login.user, password)

    # What paho calls.

    def _on_connect(self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, properties: Any) -> None:
        if reason.is_failure:
            said = f"it refused the node: {reason}"
            hint = "; see mqttUsername and mqttPassword" if "uthor" in str(reason) or "password" in str(reason) else ""
            self._end(said + hint)
            return
        self._receive_maximum = getattr(properties, "ReceiveMaximum", NO_LIMIT)
        self._largest = getattr(properties, "MaximumPacketSize", NO_LIMIT)
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(None)

    def _on_disconnect(self, _client: Client, _data: Any, flags: Any, reason: ReasonCode, _properties: Any) -> None:
        said = self._stream.why if self._stream is not None else ""
        self._end(f"the broker ended it: {reason}" if flags.is_disconnect_packet_from_server else said or str(reason))

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError as error:
            self._malformed("topic_malformed", str(error))
            return
        take = self._kept if message.retain else self._arrived
        take(topic, bytes(message.payload))

    def _acknowledged(self, number: int, reason: ReasonCode) -> None:
        if number in self._asking and self._taken is not None:
            self._asking.remove(number)
            self._taken(reason.value != NOBODY_SUBSCRIBED)

    def _on_subscribe(self, _client: Client, _data: Any, number: int, reasons: list[ReasonCode], _: Any) -> None:
        for wanted, reason in zip(self._asked.pop(number, ()), reasons, strict=False):
            if reason.is_failure:
                self.refused[wanted] = str(reason)
                self._malformed("subscription_refused", f"{wanted}: {reason}")
            else:
                self.refused.pop(wanted, None)


def _varying(number: int) -> bytes:
    """Return a number as MQTT writes lengths (1.5.5): seven bits a byte, the lowest first."""
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    written.append(number)
    return bytes(written)


async def _of(future: "asyncio.Future[Any]") -> Any:
    return await asyncio.shield(future)
