"""An edge without sockets and tasks: what is on its disk, and a process made of the pure parts of the real one."""

from collections.abc import Callable, Iterator
from typing import Any

from cloudhub_stub.controllers.references import references
from cloudhub_stub.downstream.wanted import KIND_OF
from cloudhub_stub.upgrade import Upgrade
from edgecore.beehive import resource as r
from edgecore.beehive.frame import decode_frame, encode_frame
from edgecore.beehive.message import Header, Message, Route, content_json, content_value, response_to, with_sync
from edgecore.clock import Clock, Timer
from edgecore.errors import ContentError
from edgecore.ids import NewId
from edgecore.modules.edged import nodestatus
from edgecore.modules.edged.podnetwork import PodNetwork
from edgecore.modules.edged.pods import Delete, Kill, Pods, Post, Start, Update
from edgecore.modules.edged.simulated.simulated import SimulatedRuntime
from edgecore.modules.edgehub.conversation import KEEPALIVE_ROUTE, PROOF_ROUTE
from edgecore.modules.edgehub.destination import AnswerControl, Dispatch, HandToWaiter, destination_of
from edgecore.modules.edgehub.outbox import Ended, Outbox
from edgecore.modules.metamanager.applied import AppliedIds, State
from edgecore.modules.metamanager.plan import is_kept, plan
from edgecore.modules.metamanager.podstatus import report_route, resync
from edgecore.modules.metamanager.steps import Acknowledge, Forward, Plan, Put, ToCloud
from edgecore.store.outbox import is_durable
from world.twins import Devices, take
from world.wire import Wire

TICK_S = 10.0
HEARTBEAT_S = 15.0
PROOF_AFTER_S = 2.0
POD_STATUS_SYNC_S = 60.0
REGISTRATION_TIMEOUT_S = 60.0
QUESTION_TIMEOUT_S = 30.0
REDIAL_S = 0.5
AGENT = "edgecore/0"

_FACTS = nodestatus.HostFacts(4, 8192, "6.1", "Debian", "linux", "amd64")

Answered = Callable[[Message], None]


class EdgeDisk:
    """What outlives the processes of an edge."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[str, str]] = {}
        """The table ``meta``: key to type and value."""
        self.applied: dict[str, None] = {}
        self.outbox: dict[str, Message] = {}
        self.devices: Devices = {}

    def value(self, key: str) -> str | None:
        row = self.rows.get(key)
        return None if row is None else row[1]

    def of_type(self, row_type: str) -> Iterator[tuple[str, str]]:
        for key, (held, value) in sorted(self.rows.items()):
            if held == row_type:
                yield key, value


class EdgeProcess:
    """One process of an edge, from its making to ``end``. ``dial`` connects it, where there is somebody to answer.

    ``asks``: it asks for ConfigMaps and Secrets that its pods use, as the Go edge does.
    """

    def __init__(
        self,
        name: str,
        disk: EdgeDisk,
        clock: Clock,
        new_id: NewId,
        dial: Callable[["EdgeProcess"], Wire | None],
        *,
        asks: bool,
    ) -> None:
        self.name = name
        self.upgrade = Upgrade(name, "e632aba927ea4ac2b575ec1603d56f10", AGENT)
        self._disk = disk
        self._clock = clock
        self.clock = clock
        self._new_id = new_id
        self._dial = dial
        self._asks = asks
        self._identity = nodestatus.NodeIdentity(name, "default", "192.0.2.1", "simulated")
        self._wire: Wire | None = None
        self.box = Outbox()
        self._applied = AppliedIds()
        self._applied.load(disk.applied)
        self._awaited: dict[str, Answered] = {}
        self._registered = False
        self._timers: dict[str, Timer] = {}
        self._ended = False
        self._pods = Pods(name, self._identity.ip, PodNetwork())
        self._runtime = SimulatedRuntime(clock, start_delay_s=0.2)
        self._runtime.watch(self._observed)
        for message in disk.outbox.values():
            self.box.add(message, encode_frame(message), durable=True)
        pods = [value.encode() for _, value in disk.of_type(r.POD)]
        statuses = [value.encode() for _, value in disk.of_type(r.PODSTATUS)]
        self._pods.listed(pods, statuses, self._now())
        self._redial()
        self._tick()
        self._at("sync", POD_STATUS_SYNC_S, self._report_pods)
        self._work()

    @property
    def wire(self) -> Wire | None:
        """The connection, if there is one."""
        return self._wire

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it is on its way to the cloud."""
        return not len(self.box)

    def end(self) -> None:
        """The process is gone, at once."""
        self._ended = True
        for timer in self._timers.values():
            timer.cancel()
        self._runtime.let_go()
        if self._wire is not None:
            self._wire.forget_edge()

    # The link.

    def lost(self, wire: Wire) -> None:
        """The connection is gone."""
        if wire is self._wire and not self._ended:
            self._wire = None
            self._settle(self.box.connection_ended())
            self._at("dial", REDIAL_S, self._redial)

    def _redial(self) -> None:
        self._wire = self._dial(self)
        if self._wire is None:
            self._at("dial", REDIAL_S * 2, self._redial)
            return
        self._heartbeat()
        self._flush()

    def _heartbeat(self) -> None:
        if self._wire is not None:
            self._write(Message(Header(self._new_id(), "", self._clock.now_ms()), KEEPALIVE_ROUTE, "ping"))
            self._at("heartbeat", HEARTBEAT_S, self._heartbeat)

    def take(self, data: bytes) -> None:
        """Take one frame of the cloud."""
        if self._ended:
            return
        message = decode_frame(data)
        parent = message.header.parent_id
        if parent and self.box.awaits_proof(parent):
            self._settle(self.box.answered(parent))
            return
        match destination_of(message, self._awaited.__contains__):
            case AnswerControl():
                self._write(response_to(message, "ack", self._new_id, self._clock))
            case HandToWaiter():
                self._awaited.pop(parent)(message)
            case Dispatch(r.GROUP_META):
                self._meta(message)
            case Dispatch(r.GROUP_TWIN):
                take(self._disk.devices, message.route.resource, content_value(message))
        if parent:
            self._settle(self.box.answered(parent))
        self._work()

    def _send(self, message: Message, *, question: bool = False) -> None:
        durable = is_durable(message)
        message = with_sync(message, False)
        if durable:
            self._disk.outbox[message.header.id] = message
        self._settle(self.box.add(message, encode_frame(message), durable=durable, question=question))
        self._flush()

    def _flush(self) -> None:
        while self._wire is not None and (entry := self.box.take(self._clock.monotonic())) is not None:
            self._wire.write(entry.payload)
        if self.box.doubted_since() is not None and "proof" not in self._timers:
            self._at("proof", PROOF_AFTER_S, self._ask_for_proof)

    def _ask_for_proof(self) -> None:
        if self._wire is None or self.box.doubted_since() is None:
            return
        ping = Message(Header(self._new_id(), "", self._clock.now_ms()), PROOF_ROUTE, "ping")
        self.box.ask_for_proof(ping.header.id)
        self._write(ping)
        self._at("proof", HEARTBEAT_S, self._ask_for_proof)

    def _write(self, message: Message) -> None:
        if self._wire is not None:
            self._wire.write(encode_frame(message))

    def _settle(self, ended: list[Ended]) -> None:
        for entry, _, reason in ended:
            if entry.durable and reason != "in_outbox":
                self._disk.outbox.pop(entry.id, None)
        if self.box.doubted_since() is None and "proof" in self._timers:
            self._timers.pop("proof").cancel()

    def _ask(self, route: Route, content: Any, timeout_s: float, answered: Answered) -> None:
        message = Message(Header(self._new_id(), "", self._clock.now_ms()), route, content)
        message_id = message.header.id
        self._awaited[message_id] = answered

        def give_up() -> None:
            self._awaited.pop(message_id, None)
            self._settle(self.box.forget_unawaited(self._awaited.__contains__))

        self._at(f"ask {message_id}", timeout_s, give_up)
        self._send(message, question=True)

    # MetaManager.

    def _meta(self, message: Message) -> None:
        known = self._applied.find(message.header.id)
        if known is not None:
            self._acknowledge(message)
            return
        decided = self._plan(message)
        if not any(isinstance(step, Acknowledge) for step in decided.steps):
            self._carry_out(message, decided)
            return
        self._note_applied(message)
        self._carry_out(message, decided)
        self._acknowledge(message)

    def _plan(self, message: Message) -> Plan:
        return plan(message, self._disk.value, connected=self._wire is not None)

    def _carry_out(self, message: Message, decided: Plan) -> None:
        for change in decided.changes:
            if isinstance(change, Put):
                self._disk.rows[change.key] = (change.type, change.value)
            else:
                self._disk.rows.pop(change.key, None)
        for step in decided.steps:
            if isinstance(step, ToCloud):
                self._send(message)
            elif isinstance(step, Forward) and step.module == r.EDGED:
                self._edged(message)

    def _note_applied(self, message: Message) -> None:
        self._disk.applied[message.header.id] = None
        self._applied.take(message.header.id).state = State.DONE

    def _acknowledge(self, message: Message) -> None:
        self._send(response_to(message, r.OK, self._new_id, self._clock))

    def _report_pods(self) -> None:
        found = resync(self._disk.of_type(r.PODSTATUS), self._disk.value)
        for gone in found.gone:
            self._disk.rows.pop(gone.key, None)
        if self._wire is not None:
            for namespace, statuses in found.statuses.items():
                self._send(self._message(report_route(namespace), statuses))
        self._at("sync", POD_STATUS_SYNC_S, self._report_pods)

    # Edged.

    def _edged(self, message: Message) -> None:
        resource = r.parse_edge(message.route.resource)
        assert resource is not None
        if resource.type == r.POD:
            self._pods.apply(message.route.operation, resource, content_json(message), self._now())
            if self._asks and message.route.operation != r.DELETE:
                self._ask_for_what_is_used(content_value(message))

    def _ask_for_what_is_used(self, pod: dict[str, Any]) -> None:
        for used in sorted(references(pod)):
            row_type = next(name for name, kind in KIND_OF.items() if kind.name == used.kind)
            key = f"{used.namespace}/{row_type}/{used.name}"
            if self._wire is not None and self._disk.value(key) is None:
                route = Route(r.METAMANAGER, r.GROUP_META, r.QUERY, key)
                self._ask(route, None, QUESTION_TIMEOUT_S, lambda answer, key=key: self._keep(key, answer))  # type: ignore[misc]

    def _keep(self, key: str, answer: Message) -> None:
        if answer.route.operation != r.RESPONSE:
            return
        try:
            value = content_json(answer).decode()
        except ContentError:
            return
        if is_kept(value):
            self._disk.rows[key] = (key.split("/")[1], value)
        self._note_applied(answer)
        self._acknowledge(answer)

    def _observed(self, uid: str, containers: Any) -> None:
        self._pods.observed(uid, containers)
        self._at("work", 0.0, self._work)

    def _work(self) -> None:
        """Do what is to be done about pods."""
        now = self._clock.monotonic()
        while (action := self._pods.next(now)) is not None:
            match action:
                case Start(order):
                    self._runtime.start(order)
                case Update(order):
                    self._runtime.update(order)
                case Kill(uid):
                    self._runtime.kill(uid)
                case Post(key, _, request):
                    self._from_edged(r.UPDATE, f"{key.namespace}/{r.PODSTATUS}/{key.name}", request)
                    self._pods.done(action)
                case Delete(key, uid):
                    self._from_edged(r.DELETE, f"{key.namespace}/{r.POD}/{key.name}", uid)
                    self._pods.done(action)
        at = self._pods.next_at()
        if at is not None:
            self._at("work", max(0.0, at - now), self._work)

    def _from_edged(self, operation: str, resource: str, content: Any) -> None:
        message = self._message(Route(r.EDGED, r.GROUP_META, operation, resource), content)
        self._carry_out(message, self._plan(message))

    def _tick(self) -> None:
        """Register, then post the status."""
        self._at("tick", TICK_S, self._tick)
        resource = f"{self._identity.namespace}/{r.NODESTATUS}/{self.name}"
        if self._registered:
            request = nodestatus.status_request(self._identity, _FACTS, self._clock.now_ms())
            self._from_edged(r.UPDATE, resource, request)
        elif not self._awaited_registration():
            route = Route(r.EDGED, r.GROUP_META, r.INSERT, resource)
            content = nodestatus.registration(self._identity, _FACTS)
            self._ask(route, content, REGISTRATION_TIMEOUT_S, self._register)
            self._registration = next(reversed(self._awaited))

    def _awaited_registration(self) -> bool:
        return getattr(self, "_registration", "") in self._awaited

    def _register(self, answer: Message) -> None:
        self._registered = content_value(answer) == r.OK

    # The rest.

    def _message(self, route: Route, content: Any) -> Message:
        return Message(Header(self._new_id(), "", self._clock.now_ms()), route, content)

    def _now(self) -> str:
        return nodestatus.rfc3339(self._clock.now_ms())

    def _at(self, what: str, delay_s: float, do: Callable[[], None]) -> None:
        """Call ``do`` later, unless the process ends or the same is set anew before."""
        old = self._timers.pop(what, None)
        if old is not None:
            old.cancel()

        def run() -> None:
            self._timers.pop(what, None)
            if not self._ended:
                do()

        self._timers[what] = self._clock.call_at(self._clock.monotonic() + delay_s, run)
