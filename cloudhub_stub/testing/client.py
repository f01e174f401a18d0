"""What a test asks of a running cloud: objects in and out, messages, figures; each call is one question.

Namespaces are ``default`` unless named; kinds are as ``kubectl`` takes them (``Pod``, ``pods``, ``po``). Every method
raises ``ControlError`` where the cloud does not answer or says no.
"""

from base64 import b64decode, b64encode
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple, cast

from cloudhub_stub.cluster.kinds import DEPLOYMENT_KIND, KINDS, Kind, Object, kind_of_argument
from cloudhub_stub.errors import NotFound
from cloudhub_stub.paths import (
    APPLY,
    CALLS,
    DELETE,
    DESCRIBE,
    HOLDS,
    LEDGER,
    MESSAGES,
    NODES,
    OBJECTS,
    SCALE,
    STATUS,
    TRACE,
    UPLOADS,
)
from cloudhub_stub.publishing import publication
from cloudhub_stub.testing.documents import Manifests, documents_of
from cloudhub_stub.testing.errors import Refused
from edgecore.control.client import ControlClient

Json = dict[str, Any]
Objects = list[Object]
Answers = list[Json]

DELETED_WITHIN_S = 30.0


class ServiceAnswer(NamedTuple):
    """What a service at a node answers; ``header`` has a list of values for each name."""

    status: int
    header: dict[str, list[str]]
    body: bytes


class CloudClient:
    """Asks the stub at the other end of ``control``."""

    def __init__(self, control: ControlClient) -> None:
        self.control = control
        """Asks what has no method here."""

    # Objects.

    def apply(self, manifests: Manifests, namespace: str = "default", *, dry_run: bool = False) -> Answers:
        """Apply manifests (``documents.py`` says what may be one), those without a namespace in ``namespace``.

        Returns ``kind``, ``namespace``, ``name`` and ``outcome`` of each: ``created``, ``configured`` or ``unchanged``.
        Raises ``BadManifest`` before any, and ``Refused`` after the others were taken, if some were not.
        """
        documents = documents_of(manifests, namespace)
        answers: Answers = self.control.post(APPLY, {"manifests": documents, "dry_run": dry_run})
        _check(answers, "apply")
        return answers

    def delete(
        self,
        kind: str,
        name: str,
        namespace: str = "default",
        *,
        grace_s: int | None = None,
        wait_s: float = DELETED_WITHIN_S,
        missing_ok: bool = False,
    ) -> str:
        """Delete an object, and wait up to ``wait_s`` seconds until it is gone.

        ``grace_s`` is how long a pod may take to end, by default what it says itself; with 0 it goes at once. Returns
        ``deleted``, ``deleting`` where it is not gone yet, or ``not_found``. Raises ``NotFound`` and ``Refused``.
        """
        key = {"kind": _kind(kind).name, "namespace": _namespace(kind, namespace), "name": name}
        body = {"keys": [key], "grace_s": grace_s, "ignore_not_found": missing_ok, "wait_s": wait_s}
        answers: Answers = self.control.post(DELETE, body)
        outcome = str(answers[0].get("outcome", "not_found")) if answers else "not_found"
        if outcome == "not_found":
            if missing_ok:
                return outcome
            raise NotFound(f'{_kind(kind).plural} "{name}" not found')
        _check(answers, "delete")
        return outcome

    def get(self, kind: str, name: str, namespace: str = "default") -> Object:
        """Return one object. Raises ``NotFound``."""
        query = {"kind": _kind(kind).name, "name": name}
        if where := _namespace(kind, namespace):
            query["namespace"] = where
        found: Objects = self.control.get(OBJECTS, query)
        if not found:
            raise NotFound(f'{_kind(kind).plural} "{name}" not found')
        return found[0]

    def find(self, kind: str, name: str, namespace: str = "default") -> Object | None:
        """Return one object, or ``None`` where there is none of that name."""
        try:
            return self.get(kind, name, namespace)
        except NotFound:
            return None

    def list(self, kind: str, namespace: str | None = None, selector: str = "") -> Objects:
        """Return the objects of a kind, by name; of all namespaces if none is named.

        ``selector`` is as after ``kubectl get -l``: ``app=web,tier!=cache``.
        """
        query = {"kind": _kind(kind).name}
        if namespace is not None and _kind(kind).namespaced:
            query["namespace"] = namespace
        if selector:
            query["selector"] = selector
        found: Objects = self.control.get(OBJECTS, query)
        return found

    def scale(self, name: str, replicas: int, namespace: str = "default", *, current: int | None = None) -> None:
        """Let a deployment have so many pods; only if it has ``current`` now, where that is named."""
        key = {"kind": DEPLOYMENT_KIND.name, "namespace": namespace, "name": name}
        self.control.post(SCALE, {**key, "replicas": replicas, "current_replicas": current})

    def describe(self, kind: str, name: str, namespace: str = "default") -> Json:
        """Return ``object``, ``events`` and ``related`` objects."""
        query = {"kind": _kind(kind).name, "namespace": _namespace(kind, namespace), "name": name}
        found: Json = self.control.get(DESCRIBE, query)
        return found

    # Nodes and messages.

    def nodes(self) -> Answers:
        """Return the nodes as ``cloudhub-stub nodes --json`` prints them."""
        found: Answers = self.control.get(NODES)
        return found

    def messages(self, node: str) -> Answers:
        """Return what was sent to a node and what became of it, as ``cloudhub-stub messages NODE -o json``."""
        found: Answers = self.control.get(TRACE, {"node": node})
        return found

    def holds(self, node: str) -> Json:
        """Return what a node is to have in its store: the object, or the list of pods, by key.

        ConfigMaps and Secrets are there only where they were sent or asked for.
        """
        found: Json = self.control.get(HOLDS, {"node": node})
        return found

    def send(self, *messages: Json, node: str | None = None, wait: bool = True) -> Json:
        """Send messages as they are on the wire, to ``node`` or to the only one that is connected.

        Waits, unless told not to, until it is known what became of each, and returns how many were ``acknowledged``,
        ``delivered``, ``superseded``, ``dropped`` and ``given_up``; else the event ``accepted`` (``sender.py``).
        """
        body = {"node": node, "messages": list(messages), "wait": wait}
        if not wait:
            accepted: Json = self.control.post(MESSAGES, body)
            return accepted
        last: Json = {}
        with closing(cast("Generator[Json]", self.control.stream("POST", MESSAGES, body))) as events:
            for event in events:
                last = event
        if last.get("event") != "finished":
            raise Refused(f"cannot see the messages to their end: the last that was heard is {last}")
        return last

    def call(
        self,
        node: str,
        place: str,
        *,
        method: str = "GET",
        header: Mapping[str, Sequence[str]] | None = None,
        body: bytes = b"",
        timeout_s: float = 15.0,
    ) -> ServiceAnswer:
        """Call an HTTP service at a node, ``port:/path``, by its ServiceBus, and return the answer."""
        port, _, path = place.partition(":")
        lines = {name: list(values) for name, values in (header or {}).items()}
        asked = {"node": node, "resource": f"{port}:{path.removeprefix('/')}", "method": method, "header": lines}
        found: Json = self.control.post(CALLS, {**asked, "body": b64encode(body).decode(), "timeout_s": timeout_s})
        return ServiceAnswer(found["status_code"], found["header"], b64decode(found["body"]))

    def publish(self, node: str, topic: str, payload: str, *, wait: bool = False) -> Json:
        """Let EventBus of a node publish something on its MQTT broker; returns what ``send`` does."""
        return self.send(publication(topic, payload), node=node, wait=wait)

    def uploads(self, node: str) -> Answers:
        """Return what devices of a node sent up by MQTT, as ``cloudhub-stub uploads NODE -o json`` prints it."""
        found: Answers = self.control.get(UPLOADS, {"node": node})
        return found

    def status(self) -> Json:
        """Return what ``cloudhub-stub status --json`` prints."""
        found: Json = self.control.get(STATUS)
        return found

    def ledger(self) -> Json:
        """Return what ``cloudhub-stub ledger --json`` prints: what became of every message."""
        found: Json = self.control.get(LEDGER)
        return found


def _kind(text: str) -> Kind:
    """Return the kind that is meant. Raises ``Refused``."""
    kind = kind_of_argument(text)
    if kind is None:
        raise Refused(f"cannot ask for {text!r}: no such kind; there are {', '.join(sorted(KINDS))}")
    return kind


def _namespace(kind: str, namespace: str) -> str:
    return namespace if _kind(kind).namespaced else ""


def _check(answers: Answers, verb: str) -> None:
    """Raise ``Refused`` if there is an error among the answers."""
    refused = [each for each in answers if each.get("error")]
    if refused:
        lines = [f"{each.get('where') or each['kind'] + ' ' + each['name']}: {each['error']}" for each in refused]
        raise Refused("\n".join([f"cannot {verb} {len(refused)} of {len(answers)} objects:", *lines]))
