"""Manifests: the objects in files as ``kubectl apply -f`` takes them, each with the place where it stands."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from cloudhub_stub.cluster.documents import read_documents
from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.cluster.yamltext import DocumentError
from cloudhub_stub.errors import BadManifest
from edgecore.errors import reason_of

MAX_BYTES = 32 * 1024 * 1024
MAX_FILES = 1000
MAX_OBJECTS = 50_000
STDIN = "-"
_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
_LIST = "List"


class Manifest(NamedTuple):
    """One object that shall be."""

    where: str
    """Where it stands: ``svc.yaml, document 2``, and ``, items[0]`` if that is a list of objects."""
    object: Object
    """A mapping with a kind; all else is for ``validation`` to say."""


def read_path(path: Path, stdin: IO[Any]) -> list[Manifest]:
    """Return what stands in a file, in ``stdin`` (``-``), or in the files of a folder, by name and not below it.

    Raises ``BadManifest``.
    """
    if str(path) == STDIN:
        return read_manifests(_text(stdin, "the standard input"), "standard input")
    try:
        if path.is_dir():
            return [manifest for file in _files(path) for manifest in _read_file(file)]
    except OSError as error:
        raise BadManifest(f"cannot read {path}: {reason_of(error)}") from error
    return _read_file(path)


def read_manifests(text: str, name: str) -> list[Manifest]:
    """Return what stands in ``text``: YAML or JSON, any number of documents, with lists of objects (``kind: List``)
    taken apart. ``name`` is what errors call it. Raises ``BadManifest``."""
    if len(text) > MAX_BYTES:
        raise BadManifest(f"cannot use {name}: over {MAX_BYTES} bytes")
    try:
        documents = read_documents(text.removeprefix("\ufeff"))
    except DocumentError as error:
        raise BadManifest(f"cannot read {name} as YAML or JSON: {error}") from None
    found: list[Manifest] = []
    for number, document in enumerate(documents, 1):
        if document.value is None:
            continue
        for manifest in _unrolled(f"{name}, document {number}", document.value, document.line):
            found.append(manifest)
            if len(found) > MAX_OBJECTS:
                raise BadManifest(f"cannot use {name}: over {MAX_OBJECTS} objects")
    return found


def _files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and not path.is_dir())
    if not files:
        raise BadManifest(f"cannot read {folder}: no file in it ends in {', '.join(sorted(_SUFFIXES))}")
    if len(files) > MAX_FILES:
        raise BadManifest(f"cannot read {folder}: over {MAX_FILES} files")
    return files


def _read_file(path: Path) -> list[Manifest]:
    try:
        with path.open("rb") as file:
            return read_manifests(_text(file, str(path)), str(path))
    except OSError as error:
        raise BadManifest(f"cannot read {path}: {reason_of(error)}") from error


def _text(file: IO[Any], name: str) -> str:
    data: str | bytes = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise BadManifest(f"cannot read {name}: over {MAX_BYTES} bytes")
    try:
        return data if isinstance(data, str) else data.decode()
    except UnicodeDecodeError as error:
        raise BadManifest(f"cannot read {name}: not UTF-8 at byte {error.start}") from None


def _unrolled(where: str, value: Any, line: int) -> Iterator[Manifest]:
    """Yield the object, or those of a list: ``List``, or ``PodList`` and the like, whose items need no kind."""
    if not isinstance(value, dict):
        raise BadManifest(f"cannot use {where} (line {line}): it is no object with apiVersion, kind and metadata")
    kind = value.get("kind")
    if not kind or not isinstance(kind, str):
        reason = "kind is missing" if not kind else "kind is no text"
        raise BadManifest(f"cannot use {where} (line {line}): {reason}")
    if kind != _LIST and not (kind.endswith(_LIST) and "items" in value):
        yield Manifest(where, value)
        return
    items = value.get("items") or []
    if not isinstance(items, list):
        raise BadManifest(f"cannot use {where} (line {line}): items is no list")
    frame = {} if kind == _LIST else {"kind": kind.removesuffix(_LIST), "apiVersion": value.get("apiVersion")}
    for index, item in enumerate(items):
        yield from _unrolled(f"{where}, items[{index}]", {**frame, **item} if isinstance(item, dict) else item, line)
