"""The link to the cloud, as the edge reads it: frames, what they make modules do, certificates, tokens."""

from contextlib import suppress
from datetime import UTC, datetime

from edgecore import kube
from edgecore.beehive import wire
from edgecore.beehive.frame import decode_frame, encode_frame
from edgecore.beehive.message import content_json, content_value
from edgecore.errors import ContentError, EnrolmentError, FrameError, StoreError
from edgecore.metaclient import _texts
from edgecore.modules.edgehub.certificates.authority import _fault
from edgecore.modules.edgehub.certificates.token import parse_token
from edgecore.modules.edgehub.certificates.x509 import (
    Facts,
    check_issued,
    check_pair,
    facts_of,
    is_p256,
    to_der,
    to_pem,
)
from edgecore.modules.edgehub.destination import destination_of
from edgecore.modules.metamanager.plan import plan
from edgecore.modules.metamanager.podstatus import resync
from edgecore.recording.entries import CloudFrame, Direction
from edgecore.recording.recorder import sightings
from edgecore.replay.facts import facts_of as facts_of_entries
from tests.fuzz.keys import certificates, pems
from tests.fuzz.recorded import contents, texts, to_cloud, to_edge
from tests.fuzz.target import target

_REASONS = {"not_utf8", "too_deep", "malformed_json", "wrong_shape"}
_KEY = b"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIGY\n-----END EC PRIVATE KEY-----\n"


@target("edgecore.beehive.wire", faces="the cloud: one frame of the websocket", seeds=to_edge)
def cloud_frame(data: bytes) -> None:
    """What is read is written so that it reads the same."""
    try:
        message = decode_frame(data)
    except FrameError as error:
        assert error.reason in _REASONS
        return
    destination_of(message, lambda _parent: False)
    again = decode_frame(encode_frame(message))
    assert (again.header, again.route) == (message.header, message.route)
    content_json(message)
    try:
        content = content_value(message)
    except ContentError:
        return  # a number beyond what a float holds: content is looked at when somebody wants it
    assert content_value(again) == content


@target(
    "edgecore.beehive.wire",
    "edgecore.beehive.message",
    "edgecore.metaclient",
    "edgecore.recording.recorder.sightings",
    faces="modules, and who injects messages",
    seeds=to_cloud,
)
def bus_message(data: bytes) -> None:
    """As bytes and as text it is the same message."""
    try:
        message = wire.decode(data)
    except FrameError:
        return
    assert wire.decode(data.decode()) == message
    wire.encode(message)
    sightings.frame_to_edge(0, 1, data)
    sightings.bus_message(0, ("a", "b", False), message)
    with suppress(StoreError):
        _texts(message)
    with suppress(ContentError):
        content_value(message)


@target(
    "edgecore.modules.metamanager.plan",
    "edgecore.modules.metamanager.lists",
    "edgecore.modules.metamanager.heartbeats",
    "edgecore.modules.metamanager.podstatus",
    faces="the cloud: what MetaManager keeps",
    seeds=to_edge,
)
def kept_objects(data: bytes) -> None:
    """Whatever is to be stored is text (an empty resource is a key too, as in Go)."""
    try:
        message = decode_frame(data)
    except FrameError:
        return
    rows: dict[str, str] = {}
    for _ in range(2):
        try:
            found = plan(message, rows.get, connected=True)
        except ContentError:
            return
        for change in found.changes:
            value = getattr(change, "value", None)
            if value is None:
                rows.pop(change.key, None)
            else:
                value.encode()
                rows[change.key] = value
    resync(rows.items(), rows.get)


@target("edgecore.kube", faces="the cloud: services, pods, endpoints, and lists of them", seeds=contents())
def kube_objects(data: bytes) -> None:
    """Each reader refuses with ``ContentError``, or gives what has the fields that it says."""
    for decode in (kube.decode_service, kube.decode_pod, kube.decode_endpoints):
        try:
            found = decode(data)
        except ContentError:
            continue
        assert found.metadata.version >= -1
        str(found)
    for decode_list in (kube.decode_services, kube.decode_pods, kube.decode_endpoints_list):
        try:
            decode_list(data)
        except ContentError:
            continue


@target(
    "edgecore.modules.edgehub.certificates.authority",
    "edgecore.modules.edgehub.certificates.x509",
    faces="the cloud's HTTPS: the CA and the certificate that it gives",
    seeds=certificates,
)
def join_reply(data: bytes) -> None:
    """An answer that is let pass is a certificate."""
    fault = _fault(200, "application/octet-stream", data)
    assert fault.isprintable()
    try:
        facts = facts_of(data)
    except ValueError:
        assert fault
        return
    assert isinstance(facts, Facts)
    assert to_der(to_pem(data)) == data
    for key in (data, _KEY):
        try:
            check_issued(data, key_pem=key, ca_der=data, now=datetime(2026, 1, 1, tzinfo=UTC))
        except ValueError:
            continue


@target("edgecore.modules.edgehub.certificates.x509", faces="the files of the node's certificate and key", seeds=pems)
def key_files(data: bytes) -> None:
    """Two PEM texts with a zero byte between them."""
    certificate, _, key = data.partition(b"\0")
    is_p256(key)
    for read in (lambda: to_der(certificate), lambda: check_pair(certificate, key)):
        try:
            read()
        except ValueError:
            continue


@target(
    "edgecore.modules.edgehub.certificates.token",
    faces="who gives the node its token",
    seeds=texts("a" * 64 + ".eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTUxNjk1OTR9.c2ln", "YWJjLmRlZg=="),
)
def token(data: bytes) -> None:
    """No error shows any of it."""
    text = data.decode(errors="replace")
    try:
        found = parse_token(text)
    except EnrolmentError as error:
        assert len(text) < 40 or text not in str(error)
        return
    found.age(datetime(2030, 1, 1, tzinfo=UTC))
    assert found.jwt not in repr(found)


@target("edgecore.replay.facts", faces="recordings of somebody else's node", seeds=to_cloud)
def recorded_facts(data: bytes) -> None:
    """Name and address are texts."""
    entry = CloudFrame(1, 0, Direction.TO_CLOUD, 1, data.decode(errors="replace"))
    found = facts_of_entries([entry])
    assert isinstance(found.name, str)
    assert isinstance(found.address, str)
