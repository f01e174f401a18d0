"""The cloud's stub: frames of edges, how they join, manifests, what its commands ask."""

import asyncio
from contextlib import suppress
from functools import cache
from typing import Any

import msgspec

from cloudhub_stub.answers import answer
from cloudhub_stub.calls import CallAnswer, CallOptions, is_call_answer
from cloudhub_stub.certificates.authority import Authority, make_authority
from cloudhub_stub.certificates.issuer import Ask, Issuer
from cloudhub_stub.certificates.tokens import end_of, make_token
from cloudhub_stub.cluster.defaults import with_defaults
from cloudhub_stub.cluster.instants import rfc3339, unix_ms
from cloudhub_stub.cluster.kinds import KINDS, Object
from cloudhub_stub.cluster.manifests import read_manifests
from cloudhub_stub.cluster.merge import last_applied, merged, with_last_applied
from cloudhub_stub.cluster.quantities import canonical, whole
from cloudhub_stub.cluster.selectors import parse_selector
from cloudhub_stub.cluster.validation import validate
from cloudhub_stub.controllers.names import CONTROLLERS
from cloudhub_stub.controlplane import ControlPlane
from cloudhub_stub.delivery.queue import QueueRules
from cloudhub_stub.delivery.queues import Delivery
from cloudhub_stub.errors import BadManifest, BadMessage, Invalid
from cloudhub_stub.faults.scenario import read_scenario
from cloudhub_stub.faults.spec import FaultSpec, check, describe
from cloudhub_stub.nodes import Nodes
from cloudhub_stub.objectroutes import ApplyOptions, DeleteOptions, ScaleOptions, _converted
from cloudhub_stub.objects import Objects
from cloudhub_stub.replay.addresses import AddressMap
from cloudhub_stub.replay.plan import ReplayOptions
from cloudhub_stub.sender import SendOptions
from cloudhub_stub.sender import whole as whole_messages
from cloudhub_stub.session import Session
from cloudhub_stub.store.cluster import stored_objects, stored_version
from cloudhub_stub.upgrade import Upgrade, read_upgrade
from cloudhub_stub.uploads import LONGEST_SHOWN, LONGEST_TOPIC, is_upload, upload_of
from cluster.devices import device
from cluster.objects import node as edge_node
from cluster.objects import pod
from edgecore.beehive.frame import decode_frame
from edgecore.beehive.message import Message, content_value
from edgecore.beehive.wire import encode
from edgecore.clock import VirtualClock
from edgecore.control.documents import as_yaml
from edgecore.control.routes import ControlRefused
from edgecore.control.server import decoded
from edgecore.errors import ConfigError, ContentError, FrameError, StoreError
from edgecore.ids import seeded_ids
from edgecore.observe.ledger import Ledger
from edgecore.observe.metrics import Metrics
from manifests_of_all_kinds import valid
from tests.fuzz.keys import requests
from tests.fuzz.recorded import http_heads, texts, to_cloud
from tests.fuzz.target import target

NOW_S = 1_795_169_594.0


class DoneRows:
    """A database that has committed at once whatever it is given, and holds nothing."""

    def submit(self, *_statements: object) -> "asyncio.Future[None]":
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    keep = forget = submit

    def rows(self, _sql: str) -> list[tuple[Any, ...]]:
        return []

    kept = rows


@target(
    "cloudhub_stub.session",
    "cloudhub_stub.answers",
    "cloudhub_stub.controllers.devicereports",
    "cloudhub_stub.uploads",
    "cloudhub_stub.calls",
    faces="edges: one frame of the websocket",
    seeds=lambda: [*to_cloud(), *map(_of_led, to_cloud())],
)
def edge_frame(data: bytes) -> None:
    """Every frame has a meaning, and what it is answered can be sent."""
    try:
        message = decode_frame(data)
    except FrameError:
        return
    Session("edge-1", 1, 0.0, 30.0).receive(message, 1.0)
    if is_upload(message):
        upload = upload_of(message, 1)
        assert len(upload.shown) <= LONGEST_SHOWN
        assert len(upload.topic) <= LONGEST_TOPIC
    if is_call_answer(message):
        with suppress(ContentError, msgspec.ValidationError):
            msgspec.convert(content_value(message), CallAnswer)
    asyncio.run(_ask(message))


def _of_led(frame: bytes) -> bytes:
    return frame.replace(b"sensor-1", b"led").replace(b"edge-node", b"edge-1")


async def _ask(message: Message) -> None:
    clock, metrics, ids = VirtualClock(), Metrics(), seeded_ids(1)
    nodes = Nodes(clock, keepalive_timeout_s=30.0, max_nodes=3, faithful=False, write_timeout_s=30.0)
    rows: Any = DoneRows()
    delivery = Delivery(QueueRules(), rows, Ledger(clock.monotonic), metrics)
    plane = ControlPlane(
        rows,
        delivery,
        metrics,
        clock=clock,
        new_id=ids,
        is_connected=nodes.is_connected,
        controllers=frozenset(CONTROLLERS),
    )
    node, _ = nodes.connect(Upgrade("edge-1", ""))
    for obj in (edge_node("edge-1"), pod("p", "edge-1"), device("led", node="edge-1", uid="u", desired={"a": "1"})):
        plane.registry.put(obj)
    got = answer(message, node, plane, Objects(), is_ours=True)
    assert got.outcome
    if got.reply is not None:
        encode(Message(content=got.reply.content))


@target(
    "cloudhub_stub.upgrade",
    faces="whoever connects: the headers of its upgrade, name and value a line",
    seeds=lambda: [*http_heads(), b"Node_id: edge-1\nConnectionUse: msg\nUser-Agent: edgecore"],
)
def upgrade_headers(data: bytes) -> None:
    """Who is let in has a name that no path or log can be led astray by."""
    lines = [line.partition(":") for line in data.decode("latin-1").split("\n")]
    found = read_upgrade((name, value) for name, _, value in lines)
    if isinstance(found, Upgrade):
        assert found.node.isascii()
        assert not {"/", "\0", "\n", " "} & set(found.node)
    else:
        assert len(found.text) < 500


@cache
def _authority() -> Authority:
    return make_authority(NOW_S)


@target(
    "cloudhub_stub.certificates.issuer",
    "cloudhub_stub.certificates.authority",
    faces="edges that join: a certificate request",
    seeds=requests,
)
def certificate_request(data: bytes) -> None:
    """It gets a certificate, or is refused as bad."""
    issuer = Issuer(_authority(), _Admitting(), _Admitting(), lambda: int(NOW_S * 1000), cert_days=1.0, faithful=False)  # type: ignore[arg-type]
    got = issuer.answer(Ask("GET", "/edge.crt", "127.0.0.1:1", "Bearer x", None, data))
    assert got.status in (200, 400)


class _Admitting:
    """Lets everybody in."""

    def admits(self, _text: str) -> bool:
        return True

    def refuses(self) -> bool:
        return False


@target(
    "cloudhub_stub.certificates.tokens",
    faces="edges that join: the token that they show",
    seeds=lambda: [make_token(b"ca", bytes(32), 1_900_000_000).partition(".")[2].encode()],
)
def shown_token(data: bytes) -> None:
    """Only what was signed with the key has an end."""
    for text in (data.decode("latin-1"), data.decode(errors="replace")):
        end_of(text, bytes(32))
        assert end_of(text, bytes(31) + b"\1") is None


@target(
    "cloudhub_stub.cluster.manifests",
    "cloudhub_stub.cluster.documents",
    "cloudhub_stub.cluster.yamltext",
    "cloudhub_stub.cluster.scalars",
    "cloudhub_stub.cluster.merge",
    "cloudhub_stub.cluster.schemas.data",
    faces="who applies manifests",
    seeds=lambda: [
        *(as_yaml(valid(kind)).encode() for kind in KINDS),
        *texts("a: &a [1]\nb: *a\n", '{"kind":"Pod"}{"kind":"List","items":[{"kind":"X"}]}', "- 0o17\n- .inf\n")(),
    ],
)
def manifest(data: bytes) -> None:
    """Whatever is valid has defaults that are valid too, and merged with itself it is itself."""
    text = data.decode(errors="replace")
    try:
        found = read_manifests(text, "x.yaml")
    except BadManifest:
        return
    for one in found[:4]:
        try:
            validate(one.object)
        except Invalid:
            continue
        _check(one.object)


def _check(obj: Object) -> None:
    filled = with_defaults(obj)
    validate(filled)
    assert with_defaults(filled) == filled
    try:
        noted = with_last_applied(obj)
    except Invalid:  # too long
        return
    merged(last_applied(noted), noted, filled)


@target(
    "cloudhub_stub.cluster.selectors",
    "cloudhub_stub.cluster.quantities",
    "cloudhub_stub.cluster.instants",
    "cloudhub_stub.replay.addresses",
    faces="who applies manifests, and types commands: short texts",
    seeds=texts(
        "a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1",
        "100m",
        "1.5Gi",
        "1e3",
        "-1E-3",
        "2026-01-02T03:04:05.123Z",
        "2020-02-30T00:00:00+23:59",
        '{"a":"10.66.0.2:80"}',
    ),
)
def cluster_texts(data: bytes) -> None:
    """Each is understood, or refused."""
    text = data.decode(errors="replace")
    for read in (parse_selector, whole):
        try:
            read(text)
        except Invalid:
            continue
    try:
        shown = canonical(text)
    except Invalid:
        pass
    else:
        assert canonical(shown) == shown
    instant = unix_ms(text)
    if instant is not None and instant >= 0:
        assert unix_ms(rfc3339(instant)) == instant // 1000 * 1000
    mapped = AddressMap({"10.66.0.2": "10.0.0.9", "fd00::1": "fd00::2"}).apply(text)
    assert "10.66.0.2" in text or "fd00::1" in text or mapped == text


@target(
    "cloudhub_stub.faults.scenario",
    "cloudhub_stub.faults.spec",
    faces="who writes faults that are to happen",
    seeds=texts(
        "- at: 5\n  do: {cut: {node: edge-1}}\n- after: {connected: edge-1, wait: 1}\n  do: cut\n",
        "- after: {messages: 3, operation: update}\n  do: {delay: {delay_s: 2, times: 5}}\n",
        "- at: 1\n  do: {drop: {resource_regex: '(a+)+', every: 2}}\n",
    ),
)
def fault_scenario(data: bytes) -> None:
    """They are steps, or refused with their place."""
    try:
        steps = read_scenario(data.decode(errors="replace"), "faults.yaml")
    except ConfigError as error:
        assert "faults.yaml" in str(error)
        return
    for step in steps:
        assert describe(step.fault)


@target(
    "cloudhub_stub.sender",
    "cloudhub_stub.routes",
    "cloudhub_stub.objectroutes",
    "cloudhub_stub.faults.routes",
    "cloudhub_stub.cli.send",
    faces="commands of the stub: the body of a request",
    seeds=lambda: [
        b'{"messages":[' + b",".join(frame.strip() for frame in list(to_cloud())[:2]) + b"]}",
        b'{"fault":"delay","delay_s":2,"times":5}',
        b'{"node":"n","resource":"80:/x","body":"aGk=","header":{"a":["b"]}}',
        b'{"file":"/x","map":{"10.0.0.1":"10.0.0.2"},"only":"pod"}',
        b'{"kind":"Pod","selector":"a=b","grace_s":1}',
    ],
)
def stub_request(data: bytes) -> None:
    """It is what some route takes, or refused; messages to send are whole."""
    try:
        body = decoded(data, "/v1/x")
    except ControlRefused:
        return
    for kind in (ApplyOptions, DeleteOptions, ScaleOptions, CallOptions, ReplayOptions, FaultSpec, SendOptions):
        try:
            options = _converted(body, kind)
        except ControlRefused:
            continue
        if isinstance(options, FaultSpec):
            list(check(options))
        if isinstance(options, SendOptions):
            _check_messages(options.messages)


def _check_messages(documents: list[dict[str, Any]]) -> None:
    try:
        messages = whole_messages(documents, seeded_ids(1), VirtualClock())
    except BadMessage:
        return
    for message in messages:
        assert message.header.id
        encode(message)


@target(
    "cloudhub_stub.store.cluster",
    faces="the database file of the stub",
    seeds=lambda: [b'{"kind":"Pod","metadata":{"name":"p"}}', b"7", b"text"],
)
def stub_rows(data: bytes) -> None:
    """A row is an object, or an error that names it."""
    for content in (data, data.decode(errors="replace")):
        (key, found), *_ = stored_objects(_OneRow("Pod", "default", "p", content))
        assert key.name == "p"
        assert isinstance(found, dict | StoreError)
        try:
            stored_version(_OneRow(content))
        except StoreError as error:
            assert "; " in str(error)


class _OneRow:
    """A database whose only row this is."""

    def __init__(self, *columns: Any) -> None:
        self._columns = columns

    def rows(self, _sql: str) -> list[tuple[Any, ...]]:
        return [self._columns]
