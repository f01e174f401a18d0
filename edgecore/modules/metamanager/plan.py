"""What MetaManager does with a message (pure; kubeedge edge/pkg/metamanager/process.go@v1.3.1, spec 5.3 to 5.12).

``plan`` returns which rows change and what happens once they are committed. Nothing is forwarded, answered or
acknowledged before that, so what the cloud was told is stored has been stored.

=============  ==========================================================================================
operation      what is done
=============  ==========================================================================================
insert         rows stored (an existing key is overwritten: bug M1); forwarded (a pod to both); acknowledged
update         the same
delete         row removed (and the podstatus of a pod: M6); forwarded; acknowledged
...            each of them from ``edged`` instead: sent on to the cloud, ``edged`` gets "OK" (M5)
query          answered from the rows; the types of ``REMOTE_TYPES`` are asked of the cloud if there is no row
response       an answer of the cloud that nobody waits for: stored if it is an object (M2), forwarded
volume         one of four operations: asked of ``edged``, whose answer the cloud gets
action         stored if there is no row: there is no ``edgefunction`` to tell; its ``action_result`` is sent on
sync           ``meta-internal-sync``: the cloud is told the states of all pods
=============  ==========================================================================================

Edged and EdgeMesh are both told of pods. Lists (``servicelist``, ``endpointslist``) become one row an element.
Listener rows are answered, never acknowledged.
"""

from collections.abc import Callable

import msgspec

from edgecore.beehive import resource as r
from edgecore.beehive.message import Message, Route, content_json, content_value
from edgecore.errors import ContentError
from edgecore.modules.metamanager.heartbeats import is_heartbeat
from edgecore.modules.metamanager.lists import LIST_TYPES, NotAList, elements
from edgecore.modules.metamanager.steps import (
    Acknowledge,
    AnswerLocally,
    AskCloud,
    AskEdged,
    Connection,
    Fault,
    Forward,
    Plan,
    Put,
    Remove,
    Reply,
    Report,
    ReportPods,
    Show,
    ToCloud,
)

REMOTE_TYPES = frozenset(
    {
        r.CONFIGMAP,
        r.SECRET,
        r.ENDPOINTS,
        r.PERSISTENT_VOLUME,
        r.PERSISTENT_VOLUME_CLAIM,
        r.VOLUME_ATTACHMENT,
        r.NODE,
    },
)
"""What is asked of the cloud when it is not stored."""
ALWAYS_REMOTE_TYPES = frozenset({r.NODE, r.VOLUME_ATTACHMENT})
"""What is asked of the cloud even when it is stored."""
MESH_TYPES = frozenset({r.SERVICE, r.SERVICELIST, r.ENDPOINTS, r.ENDPOINTSLIST, r.PODLIST})
"""What EdgeMesh is told of; everything else goes to Edged."""
KNOWN_TYPES = MESH_TYPES | REMOTE_TYPES | {r.POD, r.PODSTATUS, r.NODESTATUS, r.LISTENER, r.VOLUME}
REMOTE_SOURCES = frozenset({r.EDGECONTROLLER})
_MESH_QUESTIONS = frozenset({r.SERVICE, r.ENDPOINTS, r.LISTENER})
_GOES_WITH = {r.POD: r.PODSTATUS, r.SERVICE: r.PODLIST}
"""The row of which other type goes with a row that is deleted: no message ever deletes it (bug M6, and observed)."""


def plan(message: Message, stored: Callable[[str], str | None], *, connected: bool) -> Plan:
    """Return what is to be done with ``message``.

    ``stored`` returns the value under a key, or ``None``. Never raises on bad content: that is a ``Fault`` step.
    """
    handler = _HANDLERS.get(message.route.operation)
    if handler is None:
        return Plan(steps=(Fault("unknown_operation", message.route.operation),))
    try:
        return handler(_Request(message, stored, connected))
    except ContentError as error:
        return wrong_content(error)


def wrong_content(error: ContentError) -> Plan:
    """Return what is done with a message whose content cannot be read, or is no JSON value."""
    what = "unmarshal" if isinstance(error, NotAList) else "marshal message content"
    return Plan(steps=(Fault("wrong_content", str(error)), Report(f"Error to {what}: {error}")))


class _Request:
    """A message with what its handler looks at."""

    def __init__(self, message: Message, stored: Callable[[str], str | None], connected: bool) -> None:
        self.message = message
        self.stored = stored
        self.connected = connected
        self.key = message.route.resource
        self.source = message.route.source
        self.resource = r.parse_edge(self.key)
        self.type = self.resource.type if self.resource else ""

    @property
    def receiver(self) -> str:
        return r.EDGEMESH if self.type in MESH_TYPES else r.EDGED

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is stored and forwarded all the same, as Go does, but counted."""
        return () if self.type in KNOWN_TYPES else (Fault("unknown_resource_type", self.key),)

    @property
    def shown(self) -> tuple[Show, ...]:
        """A pod of this node may be newer than the pod lists in which it stands."""
        return (Show(),) if self.type == r.POD else ()

    def value(self) -> str:
        return content_json(self.message).decode()

    def put(self) -> Put:
        return Put(self.key, self.type, self.value())


def _insert(request: _Request) -> Plan:
    if request.type in LIST_TYPES:
        return _store_list(request)
    if request.type == r.LISTENER:
        return Plan((request.put(),), (Reply(None),))
    if request.source == r.EDGED:  # a volumeattachment, say (bug M5)
        return Plan((request.put(),), (ToCloud(), Reply(r.OK)))
    return Plan((request.put(),), (*request.faults, Forward(request.receiver), *request.shown, Acknowledge()))


def _update(request: _Request) -> Plan:
    if request.type in LIST_TYPES:
        return _store_list(request)
    if request.type == r.PODLIST:
        return Plan((request.put(),), (Forward(r.EDGEMESH), Acknowledge()))
    if request.type == r.PODSTATUS and request.stored(request.key) == request.value():
        return Plan(steps=(Reply(r.OK),), unchanged=1)
    if request.source == r.EDGED:
        if request.type == r.NODESTATUS and is_heartbeat(request.stored(request.key), request.value()):
            return Plan(steps=(ToCloud(), Reply(r.OK)), unchanged=1)
        return Plan((request.put(),), (ToCloud(), Reply(r.OK)))
    if request.source in REMOTE_SOURCES:
        return Plan((request.put(),), (*request.faults, Forward(request.receiver), *request.shown, Acknowledge()))
    return Plan(steps=(Fault("unknown_source", request.source),))


def _delete(request: _Request) -> Plan:
    if request.type in LIST_TYPES:
        found, faults = _elements(request)
        removed = tuple(change for key, _ in found for change in _removed(key))
        return Plan(removed, (*faults, Forward(r.EDGEMESH), Acknowledge()))
    if request.type == r.LISTENER:
        return Plan((Remove(request.key),), (Reply(r.OK),))
    changes = () if request.type == r.POD and _is_of_another(request) else _removed(request.key)
    if request.source == r.EDGED:
        return Plan(changes, (ToCloud(durable=request.type == r.POD), Reply(r.OK), *request.shown))
    return Plan(changes, (*request.faults, Forward(request.receiver), *request.shown, Acknowledge()))


def _removed(key: str) -> tuple[Remove, ...]:
    """Return the removal of a row, and of the row that nobody else would ever remove."""
    resource = r.parse_edge(key)
    goes_with_it = _GOES_WITH.get(resource.type) if resource is not None else None
    if resource is None or goes_with_it is None:
        return (Remove(key),)
    return (Remove(key), Remove(str(resource._replace(type=goes_with_it))))


class _Identity(msgspec.Struct):
    uid: str = ""


class _Identified(msgspec.Struct):
    metadata: _Identity


def _is_of_another(request: _Request) -> bool:
    """Whether a delete means a pod whose place one of the same name, which lies in the row, has taken."""
    row = request.stored(request.key)
    wanted = _uid(content_json(request.message))
    return bool(wanted) and row is not None and _uid(row.encode()) not in ("", wanted)


def _uid(data: bytes) -> str:
    """Return the uid of an object, or the one that stands for it, as edged writes it; empty where there is none."""
    try:
        found = msgspec.json.decode(data, type=str | _Identified)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""
    return found if isinstance(found, str) else found.metadata.uid


def _query(request: _Request) -> Plan:
    resource = request.resource
    if resource is None:
        return Plan(steps=(Fault("wrong_resource", request.key), Report("Error to query meta in DB: wrong resource")))
    if request.type in REMOTE_TYPES and resource.name and request.connected:
        wanted = request.type in ALWAYS_REMOTE_TYPES or request.stored(request.key) is None
        if wanted:
            return Plan(steps=(AskCloud(),))
    key = request.key if resource.name else ""
    return Plan(steps=(AnswerLocally(key, request.type, resource.namespace),))


def _response(request: _Request) -> Plan:
    if request.source not in REMOTE_SOURCES:
        return Plan(steps=(ToCloud(),))
    value = request.value()
    if request.type in LIST_TYPES or not is_kept(value):  # a list is rows of its elements: no delete would remove it
        return Plan()
    return Plan((request.put(),), (*request.faults, Forward(request.receiver)))


def is_kept(value: str) -> bool:
    """Return whether an answer of the cloud is worth a row: an object, as JSON text.

    An "OK" for a node, or an error text, would be a row that nobody can read (bug M2).
    """
    return value.startswith("{")


def receiver_of_answer(route: Route) -> str:
    """Return the module that gets the answer to a question of ``route`` whose sender does not wait for it."""
    resource = r.parse_edge(route.resource)
    return r.EDGEMESH if resource is not None and resource.type in _MESH_QUESTIONS else r.EDGED


def _publish(request: _Request) -> Plan:
    content = content_value(request.message)
    if request.key == r.NODE_CONNECTION and content in (r.CLOUD_CONNECTED, r.CLOUD_DISCONNECTED):
        return Plan(steps=(Connection(content == r.CLOUD_CONNECTED),))
    return Plan(steps=(Fault("unknown_resource", request.key),))


def _error(request: _Request) -> Plan:
    return Plan(steps=(Fault("error_reported", str(content_value(request.message))),))


def _volume(request: _Request) -> Plan:
    resource = request.resource
    if resource is None or resource.type != r.VOLUME or not resource.name:
        text = f"cannot {request.message.route.operation} {request.key}: it is no volume"
        return Plan(steps=(Fault("wrong_resource", request.key), Report(text)))
    return Plan(steps=(AskEdged(),))


def _action(request: _Request) -> Plan:
    """Legacy: for a module that no edgecore has. As in Go a row that is there stays: nobody is told of another."""
    return Plan(_unless_stored(request), (Fault("no_edgefunction", request.key),))


def _action_result(request: _Request) -> Plan:
    return Plan(_unless_stored(request), (ToCloud(),))


def _unless_stored(request: _Request) -> tuple[Put, ...]:
    return () if request.stored(request.key) is not None else (request.put(),)


def _sync(_: _Request) -> Plan:
    return Plan(steps=(ReportPods(),))


_HANDLERS: dict[str, Callable[[_Request], Plan]] = {
    r.INSERT: _insert,
    r.UPDATE: _update,
    r.DELETE: _delete,
    r.QUERY: _query,
    r.RESPONSE: _response,
    r.PUBLISH: _publish,
    r.ERROR: _error,
    r.META_INTERNAL_SYNC: _sync,
    r.ACTION: _action,
    r.ACTION_RESULT: _action_result,
    **dict.fromkeys(r.VOLUME_OPERATIONS, _volume),
}


def _store_list(request: _Request) -> Plan:
    found, faults = _elements(request)
    row_type = LIST_TYPES[request.type]
    puts = tuple(Put(key, row_type, value) for key, value in found)
    return Plan(puts, (*faults, Forward(r.EDGEMESH), Acknowledge()))


def _elements(request: _Request) -> tuple[list[tuple[str, str]], tuple[Fault, ...]]:
    named, wrong = elements(request.type, content_json(request.message))
    return named, (Fault("wrong_element", wrong),) if wrong else ()
