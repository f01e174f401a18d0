"""What services and their pods leave out, so that less of them is served than somebody will expect: told once each.

All of it is valid for Kubernetes, and nothing is refused; but the Go edgecore dies of some of it, and who looks for the
reason why a service is not reached should find it in the log (kubeedge
edgemesh/pkg/plugin/registry/registry.go:60-102@v1.3.1, bugs X8 to X10).
"""

from typing import NamedTuple

from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.podnames import asking
from edgecore.modules.edgemesh.published import external_name
from edgecore.modules.edgemesh.services import ServiceEntry

SHOWN = 3
"""So many places are named in one text."""
MAX_ALONE = 16
"""So many texts at most are about one place each."""

_TEXTS = {
    "service_without_ports": "service {key} has no ports: it has an address, and nothing listens there",
    "annotation_unusable": "service {key}: {places}",
    "external_name_unusable": "service {key} is an ExternalName that names nothing DNS could find: {places}",
    "pod_without_status": "pods of service {key} have no status: {places}",
    "pod_without_host_ip": "running pods of service {key} have no hostIP: {places}",
    "pod_without_host_port": "running pods of service {key} have no hostPort for its ports: {places}",
    "pod_without_name": "pods of service {key} have no names, as theirs are no labels or too many: {places}",
}
_ALONE = frozenset(("annotation_unusable",))
"""Each place is a sentence, and has a text of its own: the log cuts what is long."""
_OF_BACKENDS = {"no_host_ip": "pod_without_host_ip", "no_host_port": "pod_without_host_port"}

Found = dict[str, tuple[str, ...]]
"""Reason, a fixed snake_case word (a metric label), to the ports or pods of which it is true."""


class Omission(NamedTuple):
    """Something that is left out: the reason, and a text for people."""

    reason: str
    text: str


class Omissions:
    """Remembers what was told of each service."""

    def __init__(self) -> None:
        self._told: dict[ServiceKey, Found] = {}

    def look(self, key: ServiceKey, entry: ServiceEntry | None) -> tuple[Omission, ...]:
        """Return what is new since the last look at the service; ``None``: there is no such service.

        There is one a reason, but for what needs a text of its own.
        """
        before = self._told.pop(key, {})
        if entry is None:
            return ()
        found = find(entry)
        if found:
            self._told[key] = found
        fresh = {
            reason: tuple(place for place in places if place not in before.get(reason, ()))
            for reason, places in found.items()
        }
        return tuple(
            Omission(reason, _text(reason, key, together))
            for reason, places in fresh.items()
            for together in _grouped(reason, places)
        )


def find(entry: ServiceEntry) -> Found:
    """Return what is left out of a service, its ports and its pods.

    As for the API server, a headless service and an ExternalName need no ports.
    """
    if entry.service is None:
        return {}
    spec = entry.service.spec
    found: dict[str, dict[str, None]] = {reason: {} for reason in _TEXTS}
    if entry.is_external and not external_name(entry.service):
        found["external_name_unusable"][repr(spec.external_name[:100])] = None
    if not spec.ports and spec.type != "ExternalName" and spec.cluster_ip != "None":
        found["service_without_ports"][str(entry.key)] = None
    for route in entry.routes:
        found["annotation_unusable"].update(dict.fromkeys(route.plan.problems))
        for backend in route.backends:
            if backend.reason in _OF_BACKENDS:
                found[_OF_BACKENDS[backend.reason]][backend.pod] = None
    for pod in entry.selected_pods:
        if not pod.status.phase and not pod.terminating:
            found["pod_without_status"][pod.metadata.name] = None
    for pod in asking(entry.service, entry.selected_pods):
        if pod.spec.hostname not in entry.named:
            found["pod_without_name"][pod.metadata.name] = None
    return {reason: tuple(places) for reason, places in found.items() if places}


def _text(reason: str, key: ServiceKey, places: tuple[str, ...]) -> str:
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    return _TEXTS[reason].format(key=key, places=", ".join(places[:SHOWN]) + more)


def _grouped(reason: str, places: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the places of each text."""
    if reason in _ALONE:
        return tuple((place,) for place in places[:MAX_ALONE])
    return (places,) if places else ()
