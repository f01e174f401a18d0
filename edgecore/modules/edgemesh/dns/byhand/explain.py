"""Why a question gets the answer that it gets (pure): the rule of ``answers.py`` that applied, and whose name it is.

==================  ===================================================================================================
rule                when
==================  ===================================================================================================
service             the name is that of a service, a pod or a port, and there are records of that type
no_such_type        the same, and there are none of that type
external_name       the name is that of a service that stands for a name outside
address             the name is the reverse one of an address that a service or a pod has
domain              the name is one of the zone itself: its own, its server's, its version's
names_below         nothing has that very name, but there are names below it
search              a pod's search list begins with this name: answered is what it would end with
no_such_part        the service is known, the port or the pod before its name is not
no_such_service     the name is one of our zones and nobody's
recovering          the same, and it is not known yet which services there are
outside             the name is none of ours: the name servers are asked
not_answered        the question is none that a server of this kind answers
==================  ===================================================================================================
"""

from typing import NamedTuple

from edgecore.modules.edgemesh.dns.byhand.question import type_name
from edgecore.modules.edgemesh.dns.packets.labels import Labels, folded, is_within
from edgecore.modules.edgemesh.dns.packets.packet import Query
from edgecore.modules.edgemesh.dns.zone.aliases import Chase
from edgecore.modules.edgemesh.dns.zone.answers import Decision, Drop, Forward, Reply
from edgecore.modules.edgemesh.dns.zone.nametable import Found, NameTable, Standing
from edgecore.modules.edgemesh.names import ServiceKey

_KIND = {
    Standing.SERVICE: "service",
    Standing.ALIAS: "service",
    Standing.POD: "a pod of service",
    Standing.PORT: "a port of service",
}
_SVC = b"svc"


class Why(NamedTuple):
    """The reason of an answer."""

    rule: str
    text: str
    """One sentence for people."""
    service: ServiceKey | None = None
    """The service that the answer is about, or that the name would be of."""


def explain(query: Query, decision: Decision, names: NameTable) -> Why:
    """Say why ``query`` got ``decision``, as ``names`` stands."""
    found = names.find(query.labels)
    match decision:
        case Drop(reason):
            return Why("not_answered", f"not answered: {reason}")
        case Forward():
            key = service_named(query.labels, names.domains)
            key = key if key is not None and _has_services(key.namespace, names) else None
            return Why("outside", _why_outside(query.labels, key, names), key)
        case Chase(search=search) if search is not None:
            return _searched(query.labels)
        case Chase():
            return _of_service(query, found)
        case Reply(_, "failed") if found.standing is Standing.ALIAS:
            return Why("external_name", "too many names lead to each other", _key(found))
        case Reply(_, "failed"):
            return Why("recovering", "what the cloud sent before the start is still being entered; ask again")
        case Reply(_, "answered" | "nodata" | "nxdomain"):
            return _of_ours(query, found, decision.outcome, names)
        case Reply(_, outcome):
            return Why("not_answered", f"a question of this kind is not answered: {outcome}")


def service_named(labels: Labels, domains: tuple[Labels, ...]) -> ServiceKey | None:
    """Return the service that a name would be of, or be below of, known or not; ``None``: a name of another form.

    Below ``<service>.<namespace>.svc`` are its ports (``_http._tcp``) and pods. A name of one label is left alone.
    """
    name = folded(labels)
    domain = max((domain for domain in domains if is_within(name, domain)), key=len, default=None)
    if domain is not None:
        name = name[: -len(domain)]
    elif len(name) == 2:
        name = (*name, _SVC)
    if len(name) < 3 or name[-1] != _SVC:
        return None
    service, namespace = (label.decode(errors="replace") for label in name[-3:-1])
    return ServiceKey(namespace, service)


def _of_ours(query: Query, found: Found, outcome: str, names: NameTable) -> Why:
    match found.standing:
        case Standing.APEX | Standing.SERVER | Standing.VERSION if outcome == "answered":
            return Why("domain", f"the name is one of the zone {_text(found.zone)} itself")
        case Standing.APEX | Standing.SERVER | Standing.VERSION | Standing.EMPTY:
            return Why("names_below", "nothing has this very name with such a record, but there are names below it")
        case Standing.POINTER:
            key = _key(names.find(found.target))
            return Why("address", f"the address is that of {_text(found.target)}", key)
        case Standing.MISSING if outcome == "answered":
            return _searched(query.labels)
        case Standing.MISSING:
            return _why_missing(query.labels, found, names)
        case _:
            return _of_service(query, found, has_records=outcome == "answered")


def _of_service(query: Query, found: Found, *, has_records: bool = True) -> Why:
    key = _key(found)
    text = f"the name is that of {_KIND.get(found.standing, 'service')} {key}"
    if found.standing is Standing.ALIAS:
        return Why("external_name", f"{text}, which stands for {_text(found.target)}", key)
    if has_records:
        return Why("service", f"{text}{_unready(found)}", key)
    return Why("no_such_type", f"{text}, which has no record of type {type_name(query.qtype)}", key)


def _unready(found: Found) -> str:
    service = found.service
    if found.standing is Standing.POD:
        return "" if any(pod.is_ready for pod in found.pods) else ", which is not ready: edgecore status says why"
    if service is None or service.is_ready:
        return ""
    return ", which has no backend that is ready: edgecore status says why"


def _key(found: Found) -> ServiceKey | None:
    return found.service.key if found.service is not None else None


def _searched(labels: Labels) -> Why:
    return Why("search", f"a pod's search list begins with {_text(labels)}: answered is what it would end with")


def _why_outside(labels: Labels, key: ServiceKey | None, names: NameTable) -> str:
    if len(labels) == 1:
        return "the name is no service's of the namespace that short names are in: the name servers are asked"
    if key is not None:
        return f"it would be short for service {key}, which there is not: the name servers are asked"
    return f"the name is not below {_domains(names)}: the name servers are asked"


def _why_missing(labels: Labels, found: Found, names: NameTable) -> Why:
    if found.is_reverse:
        return Why("no_such_service", "no service and no pod has that address")
    key = service_named(labels, names.domains)
    if key is None:
        form = f"<service>.<namespace>.svc.{_text(names.domains[0])}"
        return Why("no_such_service", f"no name of that form is served; services are {form}")
    full = (key.name.encode(), key.namespace.encode(), _SVC, *names.domains[0])
    if len(folded(labels)) > len(full) - 1 and names.find(full).service is not None:
        return Why("no_such_part", f"service {key} has no pod and no port of that name", key)
    if names.is_hidden(key):
        hidden = "has no backend that is ready, and dns.unready is nxdomain: edgecore status says why"
        return Why("no_such_service", f"service {key} {hidden}", key)
    others = f"no other server is asked for names below {_domains(names)}"
    return Why("no_such_service", f"there is no service {key} here; {others}", key)


def _has_services(namespace: str, names: NameTable) -> bool:
    return names.find((namespace.encode(), _SVC, *names.domains[0])).standing is Standing.EMPTY


def _domains(names: NameTable) -> str:
    return " or ".join(map(_text, names.domains))


def _text(labels: Labels) -> str:
    return b".".join(labels).decode(errors="replace")
