"""The schema of metadata, and the frame of every object: kind, apiVersion, metadata."""

from collections.abc import Iterable, Mapping
from typing import Any

from cloudhub_stub.cluster.names import label_fault, qualified_name_fault
from cloudhub_stub.cluster.schemas.shapes import (
    INT64_MAX,
    LABELS,
    Check,
    ListOf,
    MapOf,
    Number,
    Struct,
    Text,
    below,
    boolean,
    mapping,
    text,
)
from cloudhub_stub.errors import Invalid

MAX_ANNOTATIONS_CHARS = 256 * 1024


def _bounded_annotations(metadata: Any, path: str) -> None:
    annotations = metadata.get("annotations") or {}
    size = sum(len(key) + len(value) for key, value in annotations.items())
    if size > MAX_ANNOTATIONS_CHARS:
        raise Invalid(below(path, "annotations"), f"they have {size} characters, at most {MAX_ANNOTATIONS_CHARS} fit")


_OWNER = Struct(
    {
        "apiVersion": Text(),
        "kind": Text(),
        "name": Text(),
        "uid": Text(),
        "controller": boolean,
        "blockOwnerDeletion": boolean,
    },
    required=("apiVersion", "kind", "name", "uid"),
)

METADATA: Check = Struct(
    {
        "name": text,
        "generateName": text,
        "namespace": Text(label_fault, or_empty=True),
        "labels": LABELS,
        "annotations": MapOf(text, qualified_name_fault),
        "uid": text,
        "resourceVersion": text,
        "generation": Number(0, INT64_MAX),
        "creationTimestamp": text,
        "deletionTimestamp": text,
        "deletionGracePeriodSeconds": Number(0, INT64_MAX),
        "finalizers": ListOf(Text()),
        "ownerReferences": ListOf(_OWNER, "uid"),
        "selfLink": text,
    },
    also="managedFields clusterName initializers",
    rules=(_bounded_annotations,),
)


def top(
    fields: Mapping[str, Check], *, required: Iterable[str] = (), also: str = "", rules: Iterable[Check] = ()
) -> Check:
    """Return the check of a whole object with these fields beside those that all have."""
    frame: Mapping[str, Check] = {"kind": Text(), "apiVersion": Text(), "metadata": METADATA, "status": mapping}
    return Struct({**frame, **fields}, required=("metadata", *required), also=also, rules=rules)
