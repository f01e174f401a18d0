"""What a test may hand to ``apply``, made into the documents that the cloud takes."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from cloudhub_stub.cluster.kinds import KINDS
from cloudhub_stub.cluster.manifests import Manifest, read_manifests, read_path
from cloudhub_stub.errors import BadManifest

Manifests: TypeAlias = str | Path | Mapping[str, Any] | Sequence["Manifests"]
"""YAML or JSON text with any number of documents; the path of a file or of a directory of files; an object as a
mapping; or a sequence of all these. A one-line text that ends as a file name of a manifest does is a path."""

_SUFFIXES = (".yaml", ".yml", ".json")


def documents_of(manifests: Manifests, namespace: str = "default") -> list[dict[str, Any]]:
    """Return ``{"where", "object"}`` for each; what is namespaced and says no namespace is put into ``namespace``.

    Raises ``BadManifest``.
    """
    return [{"where": each.where, "object": _placed(each.object, namespace)} for each in _read(manifests, "manifest")]


def _read(manifests: Manifests, name: str) -> Iterator[Manifest]:
    if isinstance(manifests, Path):
        yield from read_path(manifests, sys.stdin)
    elif isinstance(manifests, str):
        if "\n" not in manifests and manifests.endswith(_SUFFIXES):
            yield from _read(Path(manifests), name)
        else:
            yield from read_manifests(manifests, name)
    elif isinstance(manifests, Mapping):
        yield from read_manifests(_as_json(manifests, name), name)
    else:
        for number, each in enumerate(manifests, 1):
            yield from _read(each, f"{name} {number}")


def _as_json(obj: Mapping[str, Any], name: str) -> str:
    try:
        return json.dumps(obj)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadManifest(f"cannot take {name}: it is no JSON: {error}") from error


def _placed(obj: dict[str, Any], namespace: str) -> dict[str, Any]:
    kind, metadata = KINDS.get(str(obj.get("kind"))), obj.get("metadata")
    if kind is None or not kind.namespaced or not isinstance(metadata, dict) or metadata.get("namespace"):
        return obj
    return {**obj, "metadata": {**metadata, "namespace": namespace}}
