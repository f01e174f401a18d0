"""ServiceBus on the bus: takes calls of the cloud, has so many under way at a time, and sends the answers up."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edgecore.beehive import resource as r
from edgecore.beehive.message import Message, Route
from edgecore.beehive.port import Port
from edgecore.config.schema import EdgeCoreConfig
from edgecore.errors import BusClosed, BusError
from edgecore.modules.servicebus.answers import Answer, Refusal, Refused
from edgecore.modules.servicebus.calls import read_call
from edgecore.modules.servicebus.places import Places
from edgecore.modules.servicebus.transport import Transport
from edgecore.observe.metrics import Metrics

log = structlog.get_logger("servicebus")

MAX_WAITING = 256
"""How many calls wait for others to end; beyond that they are refused."""
MAX_WAITING_BYTES = 64 * 1024 * 1024
"""How long their messages may be together; one may always wait."""
MAX_KNOWN = 4096
"""How many calls are known by their id, so that none is made twice."""
ANSWERED = "answered"
BAD_INPUT = frozenset(
    {"resource_malformed", "content_malformed", "path_malformed", "method_malformed", "header_malformed"}
)
BAD_INPUT_OR_FORBIDDEN = BAD_INPUT | {"port_not_allowed"}
"""What is the cloud's fault."""
_ROUTE = Route(r.SERVICEBUS, r.GROUP_USER)
"""Of an answer: neither operation nor resource, as in Go."""


class CallRules(NamedTuple):
    """What the settings say of calls."""

    places: Places
    timeout_s: float
    """From the arrival of the message on."""
    max_calls: int
    """Under way at a time."""
    max_body_bytes: int
    """Of an answer."""


class _Waiting(NamedTuple):
    message: Message
    size_bytes: int
    deadline: float


class ServiceBus:
    """The module ``servicebus``."""

    name = r.SERVICEBUS
    group = r.GROUP_BUS

    def __init__(
        self,
        port: Port,
        metrics: Metrics,
        transport: Transport,
        rules: CallRules,
        *,
        rules_of: Callable[[EdgeCoreConfig], CallRules] | None = None,
    ) -> None:
        """``rules_of`` is asked when the configuration is read again."""
        self._port = port
        self._metrics = metrics
        self._transport = transport
        self._rules = rules
        self._rules_of = rules_of
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._under_way: set[asyncio.Task[None]] = set()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._outcomes: Counter[str] = Counter()
        self._passed_over = 0
        self._stopped = False
        metrics.pull(self.families)

    async def start(self) -> None:
        """Nothing to bind."""
        self._stopped = False

    async def run(self) -> None:
        """Take calls until the bus is closed."""
        async for message in self._port:
            if self._stopped:
                continue
            if message.route.source == r.ROUTER_REST:
                await self._take(message)
            else:
                self._passed_over += 1

    async def stop(self) -> None:
        """End the calls that are under way, and begin none any more; the cloud hears nothing of them."""
        self._stopped = True
        self._waiting.clear()
        self._waiting_bytes = 0
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def reload(self, config: EdgeCoreConfig) -> None:
        """Go by other settings: calls that begin from now on, those that wait among them."""
        if self._rules_of is not None:
            self._rules = self._rules_of(config)
            self._begin_those_there_is_room_for()

    def status(self) -> dict[str, Any]:
        """Return how many calls there are, and how the others ended."""
        return {
            "under_way": len(self._under_way),
            "waiting": len(self._waiting),
            "outcomes": dict(sorted(self._outcomes.items())),
            "passed_over": self._passed_over,
        }

    def families(self) -> Iterator[Metric]:
        """Yield the figures for Prometheus."""
        calls = CounterMetricFamily("edgecore_servicebus_calls", "Calls of the cloud that ended.", labels=("outcome",))
        for outcome, count in self._outcomes.items():
            calls.add_metric((outcome,), count)
        yield calls
        yield GaugeMetricFamily("edgecore_servicebus_under_way", "Calls under way.", value=len(self._under_way))
        yield GaugeMetricFamily("edgecore_servicebus_waiting", "Calls that wait.", value=len(self._waiting))

    async def _take(self, message: Message) -> None:
        """Begin a call, or let it wait, or refuse it. One that came before is on its way already, or was made."""
        if self._is_repeated(message.header.id):
            self._outcomes["repeated"] += 1
            return
        content = message.content
        size_bytes = len(bytes(content)) if isinstance(content, msgspec.Raw) else 0
        waiting = _Waiting(message, size_bytes, self._port.clock.monotonic() + self._rules.timeout_s)
        if len(self._under_way) < self._rules.max_calls:
            self._begin(waiting)
        elif not self._waiting or (
            len(self._waiting) < MAX_WAITING and self._waiting_bytes + size_bytes <= MAX_WAITING_BYTES
        ):
            self._waiting.append(waiting)
            self._waiting_bytes += size_bytes
        else:
            await self._end(message, Refused(Refusal.BUSY, "too_many_calls"))

    def _is_repeated(self, message_id: str) -> bool:
        """Note that a call came; a cloud that lost the link may send it once more."""
        if message_id in self._known:
            return True
        self._known[message_id] = None
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return False

    def _begin(self, waiting: _Waiting) -> None:
        task = asyncio.create_task(self._serve(waiting), name="servicebus call")
        self._under_way.add(task)
        task.add_done_callback(self._begin_next)

    def _begin_next(self, ended: "asyncio.Task[None]") -> None:
        self._under_way.discard(ended)
        self._begin_those_there_is_room_for()

    def _begin_those_there_is_room_for(self) -> None:
        while self._waiting and len(self._under_way) < self._rules.max_calls:
            waiting = self._waiting.popleft()
            self._waiting_bytes -= waiting.size_bytes
            self._begin(waiting)

    async def _serve(self, waiting: _Waiting) -> None:
        """Make one call and send its answer. Raises nothing: no call takes others with it."""
        try:
            answer = await self._answer(waiting)
        except Exception:
            log.exception("call_crashed", id=waiting.message.header.id)
            answer = Refused(Refusal.CALL, "crashed")
        await self._end(waiting.message, answer)

    async def _answer(self, waiting: _Waiting) -> Answer | Refused:
        rules = self._rules
        call = read_call(waiting.message, rules.places)
        if isinstance(call, Refused):
            return call
        if self._port.clock.monotonic() >= waiting.deadline:  # nobody waits for what it would do
            return Refused(Refusal.CALL, "waited_too_long")
        return await self._transport.call(call, waiting.deadline, rules.max_body_bytes)

    async def _end(self, message: Message, found: Answer | Refused) -> None:
        """Count how a call ended, and tell the cloud."""
        message_id, port = message.header.id, message.route.resource.partition(":")[0][:20]
        outcome = found.reason if isinstance(found, Refused) else ANSWERED
        self._outcomes[outcome] += 1
        if outcome in BAD_INPUT_OR_FORBIDDEN:
            self._metrics.bad_input(r.SERVICEBUS, outcome, "cloud", id=message_id, port=port)
        elif isinstance(found, Refused):
            log.warning("service_not_called", id=message_id, port=port, reason=outcome)
        else:
            log.debug("service_called", id=message_id, port=port, status=found.status_code)
        answer = found.answer if isinstance(found, Refused) else found
        try:
            await self._port.send_to_group(r.GROUP_HUB, self._port.build(_ROUTE, answer, message_id))
        except BusClosed:
            return
        except BusError as error:
            self._outcomes["answer_not_sent"] += 1
            log.error("answer_not_sent", id=message_id, error=str(error))
