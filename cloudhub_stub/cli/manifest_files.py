"""The manifests that ``-f`` names, for the commands that take them."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cloudhub_stub.cluster.kinds import KINDS
from cloudhub_stub.cluster.manifests import Manifest, read_path
from cloudhub_stub.errors import BadManifest


def add_files(parser: "argparse._ActionsContainer", *, required: bool) -> None:
    """Add ``-f``."""
    parser.add_argument(
        "-f",
        "--filename",
        action="append",
        default=[],
        required=required,
        metavar="FILE",
        help="a manifest, YAML or JSON: a file, a directory with such files, or - for standard input;"
        " may be given several times",
    )


def read_manifests_of(files: Sequence[str], namespace: str | None) -> list[Manifest]:
    """Return what is in the files; with ``namespace`` where a manifest names none.

    Raises ``BadManifest``: a file that cannot be read, no manifest in any of them, another namespace in a manifest.
    """
    manifests = [manifest for file in files for manifest in read_path(Path(file), sys.stdin.buffer)]
    if not manifests:
        places = ("standard input" if file == "-" else file for file in files)
        raise BadManifest(f"cannot find a manifest in {', '.join(places)}: nothing is in there")
    return manifests if namespace is None else [_placed(manifest, namespace) for manifest in manifests]


def _placed(manifest: Manifest, namespace: str) -> Manifest:
    kind = KINDS.get(str(manifest.object.get("kind")))
    metadata = manifest.object.get("metadata")
    if kind is None or not kind.namespaced or not isinstance(metadata, dict):
        return manifest  # without a place, or wrong: the stub says in what way
    given = metadata.get("namespace") or namespace
    if given != namespace:
        raise BadManifest(
            f"cannot take {manifest.where}: it is for namespace {given!r}, and -n says {namespace!r}; leave out one"
        )
    return manifest._replace(object={**manifest.object, "metadata": {**metadata, "namespace": namespace}})
