"""Tables of objects: the columns that ``kubectl get`` shows of each kind (kubernetes pkg/printers, 1.17)."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from cloudhub_stub.cli.printing.fields import (
    NONE,
    device_model,
    device_node,
    endpoint_list,
    external_ip,
    joined,
    label_selector,
    node_address,
    node_roles,
    node_status,
    pairs,
    service_ports,
    spec_of,
    status_of,
)
from cloudhub_stub.cli.printing.podstate import pod_state
from cloudhub_stub.cluster.kinds import Kind, Object
from edgecore.control.ages import UNKNOWN, age
from edgecore.control.columns import Columns

Cells = Callable[[Object], list[str]]
_AGE = "AGE"


class Layout(NamedTuple):
    """The columns of a kind between NAME and AGE, those behind AGE, and those that ``-o wide`` adds."""

    columns: tuple[str, ...]
    cells: Cells
    wide_columns: tuple[str, ...] = ()
    wide_cells: Cells = lambda _: []
    after_age: int = 0
    """So many of the last columns stand behind AGE."""


class Table:
    """One table of objects of one kind, which may come in pieces (``get -w``)."""

    def __init__(
        self, kind: Kind, *, wide: bool = False, namespaces: bool = False, headers: bool = True, prefixed: bool = False
    ) -> None:
        self._kind = kind
        self._layout = _LAYOUTS.get(kind.name, _NOTHING_MORE)
        self._wide = wide
        self._namespaces = namespaces and kind.namespaced
        self._prefix = f"{kind.long_name}/" if prefixed else ""
        self._columns = Columns()
        self._header_due = headers

    def lines(self, objects: Sequence[Object], now_ms: int) -> list[str]:
        """Return the next rows, with the header before the first ones."""
        rows = [self._row(obj, now_ms) for obj in objects]
        if rows and self._header_due:
            self._header_due = False
            rows.insert(0, self._header())
        return self._columns.lines(rows)

    def _header(self) -> list[str]:
        layout = self._layout
        header = ["NAME", *_with_age(layout.columns, _AGE, layout.after_age)]
        return [*(["NAMESPACE"] * self._namespaces), *header, *(layout.wide_columns if self._wide else ())]

    def _row(self, obj: Object, now_ms: int) -> list[str]:
        metadata, layout = obj["metadata"], self._layout
        since = age(metadata.get("creationTimestamp"), now_ms)
        row = [f"{self._prefix}{metadata['name']}", *_with_age(layout.cells(obj), since, layout.after_age)]
        namespace = [str(metadata.get("namespace", ""))] * self._namespaces
        return [*namespace, *row, *(layout.wide_cells(obj) if self._wide else ())]


def _with_age(cells: Sequence[str], age_cell: str, after: int) -> list[str]:
    place = len(cells) - after
    return [*cells[:place], age_cell, *cells[place:]]


def _pod(pod: Object) -> list[str]:
    state = pod_state(pod)
    return [f"{state.ready}/{state.containers}", state.status, str(state.restarts)]


def _pod_wide(pod: Object) -> list[str]:
    spec, status = spec_of(pod), status_of(pod)
    addresses = [each.get("ip") for each in status.get("podIPs") or () if each.get("ip")]
    gates = [gate.get("conditionType") for gate in spec.get("readinessGates") or ()]
    true = {each.get("type") for each in status.get("conditions") or () if each.get("status") == "True"}
    return [
        str(status.get("podIP") or (addresses[0] if addresses else NONE)),
        str(spec.get("nodeName") or NONE),
        str(status.get("nominatedNodeName") or NONE),
        f"{sum(gate in true for gate in gates)}/{len(gates)}" if gates else NONE,
    ]


def _deployment(deployment: Object) -> list[str]:
    status = status_of(deployment)
    wanted = spec_of(deployment).get("replicas")
    return [
        f"{status.get('readyReplicas') or 0}/{1 if wanted is None else wanted}",
        str(status.get("updatedReplicas") or 0),
        str(status.get("availableReplicas") or 0),
    ]


def _deployment_wide(deployment: Object) -> list[str]:
    spec = spec_of(deployment)
    containers = spec_of(spec.get("template") or {}).get("containers") or ()
    return [
        joined((each.get("name") for each in containers), ""),
        joined((each.get("image") for each in containers), ""),
        label_selector(spec.get("selector")),
    ]


def _service(service: Object) -> list[str]:
    spec = spec_of(service)
    return [
        str(spec.get("type") or "ClusterIP"),
        str(spec.get("clusterIP") or NONE),
        external_ip(service),
        service_ports(service),
    ]


def _node(node: Object) -> list[str]:
    info = status_of(node).get("nodeInfo") or {}
    return [node_status(node), node_roles(node), str(info.get("kubeletVersion") or "")]


def _node_wide(node: Object) -> list[str]:
    info = status_of(node).get("nodeInfo") or {}
    known = [str(info.get(name) or UNKNOWN) for name in ("osImage", "kernelVersion", "containerRuntimeVersion")]
    return [node_address(node, "InternalIP"), node_address(node, "ExternalIP"), *known]


def _config_map(config_map: Object) -> list[str]:
    return [str(len(config_map.get("data") or ()) + len(config_map.get("binaryData") or ()))]


def _secret(secret: Object) -> list[str]:
    return [str(secret.get("type") or ""), str(len(secret.get("data") or ()))]


def _device(device: Object) -> list[str]:
    return [device_model(device), device_node(device)]


def _device_wide(device: Object) -> list[str]:
    twins = status_of(device).get("twins") or ()
    values = [
        f"{twin.get('propertyName')}={(twin.get('reported') or {}).get('value', '?')}"
        for twin in twins
        if isinstance(twin, dict)
    ]
    return [joined(values)]


def _device_model(model: Object) -> list[str]:
    return [str(len(spec_of(model).get("properties") or ()))]


def _namespace(namespace: Object) -> list[str]:
    ending = namespace["metadata"].get("deletionTimestamp")
    return [str(status_of(namespace).get("phase") or ("Terminating" if ending else "Active"))]


def _volume(volume: Object) -> list[str]:
    spec, status = spec_of(volume), status_of(volume)
    claim = spec.get("claimRef") or {}
    return [
        str((spec.get("capacity") or {}).get("storage") or ""),
        _access_modes(spec),
        str(spec.get("persistentVolumeReclaimPolicy") or "Retain"),
        str(status.get("phase") or ""),
        f"{claim.get('namespace')}/{claim.get('name')}" if claim else "",
        str(spec.get("storageClassName") or ""),
        str(status.get("reason") or ""),
    ]


def _claim(claim: Object) -> list[str]:
    spec, status = spec_of(claim), status_of(claim)
    bound = status.get("phase") == "Bound"
    ending = claim["metadata"].get("deletionTimestamp")
    return [
        "Terminating" if ending else str(status.get("phase") or ""),
        str(spec.get("volumeName") or ""),
        str((status.get("capacity") or {}).get("storage") or "") if bound else "",
        _access_modes(status) if bound else "",
        str(spec.get("storageClassName") or ""),
    ]


def _attachment(attachment: Object) -> list[str]:
    spec = spec_of(attachment)
    volume = (spec.get("source") or {}).get("persistentVolumeName") or ""
    attached = "true" if status_of(attachment).get("attached") else "false"
    return [str(spec.get("attacher") or ""), str(volume), str(spec.get("nodeName") or ""), attached]


def _access_modes(holder: Mapping[str, Sequence[str]]) -> str:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX"}
    modes = holder.get("accessModes") or ()
    return ",".join(short[mode] for mode in short if mode in modes)


_NOTHING_MORE = Layout((), lambda _: [])
_VOLUME_COLUMNS = ("CAPACITY", "ACCESS MODES", "RECLAIM POLICY", "STATUS", "CLAIM", "STORAGECLASS", "REASON")
_NODE_WIDE_COLUMNS = ("INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION", "CONTAINER-RUNTIME")
_LAYOUTS: Mapping[str, Layout] = {
    "Pod": Layout(
        ("READY", "STATUS", "RESTARTS"), _pod, ("IP", "NODE", "NOMINATED NODE", "READINESS GATES"), _pod_wide
    ),
    "Deployment": Layout(
        ("READY", "UP-TO-DATE", "AVAILABLE"), _deployment, ("CONTAINERS", "IMAGES", "SELECTOR"), _deployment_wide
    ),
    "Service": Layout(
        ("TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)"),
        _service,
        ("SELECTOR",),
        lambda service: [pairs(spec_of(service).get("selector"))],
    ),
    "Endpoints": Layout(("ENDPOINTS",), lambda endpoints: [endpoint_list(endpoints)]),
    "Node": Layout(("STATUS", "ROLES", "VERSION"), _node, _NODE_WIDE_COLUMNS, _node_wide, after_age=1),
    "ConfigMap": Layout(("DATA",), _config_map),
    "Secret": Layout(("TYPE", "DATA"), _secret),
    "Namespace": Layout(("STATUS",), _namespace),
    "Device": Layout(("MODEL", "NODE"), _device, ("REPORTED",), _device_wide),
    "DeviceModel": Layout(("PROPERTIES",), _device_model),
    "PersistentVolume": Layout(_VOLUME_COLUMNS, _volume),
    "PersistentVolumeClaim": Layout(("STATUS", "VOLUME", "CAPACITY", "ACCESS MODES", "STORAGECLASS"), _claim),
    "VolumeAttachment": Layout(("ATTACHER", "PV", "NODE", "ATTACHED"), _attachment),
}
