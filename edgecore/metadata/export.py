"""Rows as documents: all of them with where they come from, and back; and the Kubernetes objects among them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from edgecore.errors import ContentError
from edgecore.metadata.row import Json, MetaRow, NoJson, parsed
from edgecore.modules.metamanager.tables import Origin

FORMAT = "edgecore-meta/1"

_KINDS = {
    "pod": ("v1", "Pod"),
    "service": ("v1", "Service"),
    "endpoints": ("v1", "Endpoints"),
    "configmap": ("v1", "ConfigMap"),
    "secret": ("v1", "Secret"),
    "node": ("v1", "Node"),
    "persistentvolume": ("v1", "PersistentVolume"),
    "persistentvolumeclaim": ("v1", "PersistentVolumeClaim"),
    "volumeattachment": ("storage.k8s.io/v1", "VolumeAttachment"),
}
_OF_THE_CLUSTER = (
    "creationTimestamp",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)
"""What an object has of the cluster in which it is; another one, or a later state, would refuse it."""

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""Whoever applies the manifest writes it anew."""


def export_lines(rows: Iterable[MetaRow], head: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of one JSON document: a field a line, and a row a line.

    A value is the stored text, to the byte, where that is JSON; else it is the string ``text``.
    """
    yield "{"
    for name, value in {"format": FORMAT, **head}.items():
        yield f"{_dumped(name)}: {_dumped(value)},"
    yield '"rows": ['
    before = ""
    for row in rows:
        yield before + _row_line(row)
        before = ","
    yield "]}"


def rows_of_export(text: bytes) -> list[MetaRow]:
    """Return the rows of an exported document, by key. Raises ``ContentError`` where it is none."""
    try:
        document = json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise ContentError(f"it is no JSON: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ContentError(f"its field format is not {FORMAT!r}; make one with `edgecore meta export`")
    try:
        rows = {str(one["key"]): _row_of(one) for one in document["rows"]}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ContentError(f"a row of it lacks or has a wrong {error}") from error
    return [rows[key] for key in sorted(rows)]


def kubernetes_objects(rows: Iterable[MetaRow]) -> Iterator[Json]:
    """Yield the objects that are stored, as manifests: with kind and version, without what a cluster adds.

    Hidden secrets, and what is no object, are left out.
    """
    for row in rows:
        kind, value = _KINDS.get(row.type), parsed(row)
        if kind is None or not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
            continue
        metadata = _without_its_cluster(value["metadata"])
        rest = {name: field for name, field in value.items() if name not in ("metadata", "status")}
        yield {**_without_cluster_ip(rest), "apiVersion": kind[0], "kind": kind[1], "metadata": metadata}


def _without_its_cluster(metadata: Json) -> Json:
    kept = {name: field for name, field in metadata.items() if name not in _OF_THE_CLUSTER}
    annotations = kept.get("annotations")
    if isinstance(annotations, dict) and _LAST_APPLIED in annotations:
        kept["annotations"] = {name: text for name, text in annotations.items() if name != _LAST_APPLIED}
    return kept


def _without_cluster_ip(value: Json) -> Json:
    """Leave out the address that the old cluster gave a service; ``None``, for none, is what its owner wanted."""
    spec = value.get("spec")
    if not isinstance(spec, dict) or spec.get("clusterIP", "None") == "None":
        return value
    return {**value, "spec": {name: field for name, field in spec.items() if name not in ("clusterIP", "clusterIPs")}}


def is_object(row: MetaRow) -> bool:
    """Return whether ``kubernetes_objects`` knows the type of ``row``."""
    return row.type in _KINDS


def _row_line(row: MetaRow) -> str:
    fields = [f'"key": {_dumped(row.key)}', f'"type": {_dumped(row.type)}', f'"size": {row.size}']
    if row.hidden:
        fields.append('"hidden": true')
    elif row.value is not None:
        text = row.value.decode(errors="replace")
        is_json = "\n" not in text and not isinstance(parsed(row), NoJson)
        fields.append(f'"value": {text}' if is_json else f'"text": {_dumped(text)}')
    fields.append(f'"origin": {_dumped(row.origin and row.origin._asdict())}')
    return "{" + ", ".join(fields) + "}"


def _row_of(document: Mapping[str, Any]) -> MetaRow:
    if "value" in document:
        document = {**document, "text": _dumped(document["value"])}
    text = document.get("text")
    origin = document.get("origin")
    value = None if text is None else str(text).encode(errors="replace")
    _dumped([document["key"], document["type"], origin]).encode()  # half a surrogate pair can be written nowhere
    return MetaRow(
        str(document["key"]),
        str(document["type"]),
        value,
        int(document.get("size", len(value or b""))),
        None if origin is None else Origin(**origin),
        bool(document.get("hidden", False)),
    )


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
