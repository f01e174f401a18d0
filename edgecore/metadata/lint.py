"""Looking over a whole database: every row by itself, then what belongs together."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network
from typing import Any, NamedTuple

from edgecore.beehive import resource as r
from edgecore.metadata.fakeips import FakeIps, fake_ip_findings, service_of
from edgecore.metadata.finding import ERROR, INFO, LEFT_OVER, WARNING, Finding, in_order
from edgecore.metadata.reading import Rows, all_rows, tables
from edgecore.metadata.row import MetaRow, parsed
from edgecore.metadata.shape import is_address, shape_findings
from edgecore.modules.edgemesh.fakeip import AddressRow
from edgecore.modules.edgemesh.names import ServiceKey

_ADDRESSES = "SELECT address, namespace, name, released_at_ms FROM edgemesh_address ORDER BY address"
_POOL = "SELECT subnet FROM edgemesh_pool"
_WRONG_KEYS = "SELECT count(*) FROM meta WHERE typeof(key) <> 'text'"
_LOST_PROVENANCE = (
    "SELECT count(*) FROM provenance WHERE NOT EXISTS (SELECT * FROM meta WHERE meta.key = provenance.key)"
)

Labels = Mapping[str, str]


class Report(NamedTuple):
    """What was looked at, and what was found: what matters most first."""

    rows: dict[str, int]
    """By type."""
    findings: list[Finding]


def check_database(rows: Rows) -> Report:
    """Look over a database. Raises ``StoreError`` where it cannot be read."""
    names = tables(rows)
    addresses: list[AddressRow] = []
    pool: IPv4Network | None = None
    findings: list[Finding] = []
    if "edgemesh_pool" in names:
        pool = next((_network(text) for (text,) in rows(_POOL, ())), None)
    if "edgemesh_address" in names:
        addresses = [AddressRow(text, ServiceKey(ns, name), at) for text, ns, name, at in rows(_ADDRESSES, ())]
    if wrong := rows(_WRONG_KEYS, ())[0][0]:
        text = f"{wrong} rows have a key that is no text"
        findings.append(Finding(ERROR, "wrong_key", "", text, "stop the node and delete them: nobody can ask for them"))
    if "provenance" in names and (lost := rows(_LOST_PROVENANCE, ())[0][0]):
        text = f"{lost} rows of provenance tell of rows that are not there: another program removed these"
        findings.append(Finding(INFO, "lost_provenance", "", text, "nothing"))
    others = _Unexplained()
    report = check_rows(others.counted(all_rows(rows)), addresses, pool)
    if "provenance" in names:
        findings += others.findings()
    return report._replace(findings=sorted([*findings, *report.findings], key=in_order))


def _network(text: object) -> IPv4Network | None:
    try:
        return IPv4Network(text)
    except ValueError:
        return None


class _Unexplained:
    """Counts the rows of which provenance does not say by which message they are as they are."""

    def __init__(self) -> None:
        self._count = 0

    def counted(self, rows: Iterable[MetaRow]) -> Iterator[MetaRow]:
        for row in rows:
            self._count += row.origin is None
            yield row

    def findings(self) -> Iterator[Finding]:
        if self._count:
            text = f"{self._count} rows were last written by another program, such as a Go edgecore"
            advice = "nothing, if such a program had the file; else its bits have changed: see to the disk"
            yield Finding(INFO, "written_by_others", "", text, advice)


def check_rows(
    rows: Iterable[MetaRow], addresses: Iterable[AddressRow] = (), pool: IPv4Network | None = None
) -> Report:
    """Look over ``rows``, and at the fake IPs of our own table, of which ``pool`` was used last."""
    seen = _Seen()
    counts: dict[str, int] = {}
    findings: list[Finding] = []
    for row in rows:
        counts[row.type] = counts.get(row.type, 0) + 1
        findings += shape_findings(row)
        seen.take(row)
    findings += fake_ip_findings(FakeIps(seen.services, seen.external, seen.listeners, list(addresses), pool))
    findings += seen.findings()
    return Report(dict(sorted(counts.items())), sorted(findings, key=in_order))


class _Seen:
    """What of the rows is needed to compare them with each other."""

    def __init__(self) -> None:
        self.services: dict[ServiceKey, Labels] = {}
        """With their selectors."""
        self.external: set[ServiceKey] = set()
        self.listeners: dict[ServiceKey, str] = {}
        self.pods: dict[tuple[str, str], Labels] = {}
        self.of_services: list[tuple[str, str, ServiceKey]] = []
        self.pod_statuses: dict[tuple[str, str], str] = {}
        self.node_keys: list[str] = []

    def take(self, row: MetaRow) -> None:
        place = row.place
        where = ServiceKey(place.namespace, place.name)
        match row.type:
            case r.SERVICE:
                service = parsed(row)
                self.services[where] = _texts(_at(service, "spec", "selector"))
                if _at(service, "spec", "type") == "ExternalName":
                    self.external.add(where)
            case r.LISTENER:
                value = parsed(row)
                if is_address(value):
                    self.listeners[service_of(place.name)] = value
            case r.POD:
                self.pods[where] = _texts(_at(parsed(row), "metadata", "labels"))
            case r.PODSTATUS:
                self.pod_statuses[where] = row.key
            case r.PODLIST | r.ENDPOINTS:
                self.of_services.append((row.type, row.key, where))
            case r.NODESTATUS:
                self.node_keys.append(row.key)

    def findings(self) -> Iterator[Finding]:
        for row_type, key, service in self.of_services:
            if service not in self.services:
                text = f"there is no service {service}"
                severity = WARNING if row_type == r.PODLIST else INFO
                yield Finding(severity, f"{row_type}_without_service", key, text, LEFT_OVER)
        for where, key in self.pod_statuses.items():
            if where not in self.pods:
                text = f"there is no pod {'/'.join(where)} (a Go edgecore leaves it for a minute: bug M6)"
                advice = "nothing: the running node removes it within modules.metaManager.podStatusSyncInterval"
                yield Finding(WARNING, "podstatus_without_pod", key, text, advice)
        yield from self._pods()
        if len(self.node_keys) > 1:
            text = f"the status of {len(self.node_keys)} nodes is here: {', '.join(sorted(self.node_keys))}"
            yield Finding(INFO, "many_nodes", self.node_keys[0], text, "nothing, if the node was renamed")

    def _pods(self) -> Iterator[Finding]:
        selectors: dict[str, list[Labels]] = {}
        for service, selector in self.services.items():
            if selector:
                selectors.setdefault(service.namespace, []).append(selector)
        by_namespace = {namespace: _Selectors(found) for namespace, found in selectors.items()}
        for (namespace, name), labels in self.pods.items():
            key = f"{namespace}/{r.POD}/{name}"
            if namespace not in by_namespace or not by_namespace[namespace].select(labels):
                text = "no service here selects the pod"
                yield Finding(INFO, "pod_without_service", key, text, "nothing, if none is meant to")
            if (namespace, name) not in self.pod_statuses:
                text = "no status of the pod was reported yet"
                yield Finding(INFO, "pod_without_status", key, text, "nothing: edged reports it once the node runs")


class _Selectors:
    """The selectors of one namespace, found by one of their labels each."""

    def __init__(self, selectors: Iterable[Labels]) -> None:
        self._by_label: dict[tuple[str, str], list[Labels]] = {}
        for selector in selectors:
            self._by_label.setdefault(next(iter(selector.items())), []).append(selector)

    def select(self, labels: Labels) -> bool:
        """Return whether one of them selects a pod with ``labels``."""
        return any(
            selector.items() <= labels.items() for label in labels.items() for selector in self._by_label.get(label, ())
        )


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _texts(value: Any) -> Labels:
    """Return a map of texts; empty for anything else."""
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        return {}
    return value
