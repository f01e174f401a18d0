"""``cloudhub-stub apply``: makes the cluster have what manifests say."""

import argparse
import json
from collections.abc import Iterable, Iterator
from typing import Any

from cloudhub_stub.cli.manifest_files import add_files, read_manifests_of
from cloudhub_stub.cli.printing.documents import long_name
from cloudhub_stub.cli.resources import add_namespace, complain
from cloudhub_stub.cli.target import add_target, client_of
from cloudhub_stub.cluster.manifests import Manifest
from cloudhub_stub.paths import APPLY

_DESCRIPTION = """\
Create the objects of manifests in the running stub's cluster, or change those that are
there already, as kubectl apply does: what others have set stays, what an earlier apply
set and the manifest has no more goes. The manifests are ordinary ones of Kubernetes:
YAML or JSON, many documents in a file if you like. If a file cannot be read as such,
nothing is applied; an object that is refused is named, and the others are applied."""

_EPILOG = """\
exit code: 0 all applied, 1 a manifest was refused or cannot be read, or the stub cannot
be asked, 2 wrong usage

examples:
  cloudhub-stub apply -f examples/manifests/edgemesh-guide
      every manifest of a directory
  cloudhub-stub apply -f deployment.yaml -f service.yaml -n shop
  cloudhub-stub get service/nginx-svc -o yaml | sed 's/12345/12346/' | cloudhub-stub apply -f -
  cloudhub-stub apply -f service.yaml --dry-run
      check it, and say what would happen"""

_BATCH = 500
_BATCH_BYTES = 16 * 1024 * 1024
"""A batch is one question: a thousand objects at once would keep the command silent for long."""
_TIMEOUT_S = 120.0


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "apply",
        help="create or change objects as manifests say",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_files(parser, required=True)
    add_namespace(parser, default=None)
    parser.add_argument("--dry-run", action="store_true", help="check and say what would happen; change nothing")
    add_target(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Apply, show, and return the exit code."""
    client = client_of(args, _TIMEOUT_S)
    refused = False
    for batch in batches(read_manifests_of(args.filename, args.namespace)):
        manifests = [{"where": where, "object": obj} for where, obj in batch]
        for result in client.post(APPLY, {"manifests": manifests, "dry_run": args.dry_run}):
            if result.get("error"):
                refused = True
                complain(f"cannot apply {_subject(result)}: {result['error']}")
            else:
                suffix = " (dry run)" if args.dry_run else ""
                print(f"{long_name(result['kind'], result['name'])} {result['outcome']}{suffix}", flush=True)
    return int(refused)


def batches(manifests: Iterable[Manifest]) -> Iterator[list[Manifest]]:
    """Yield the manifests in order, so many at a time that each lot is small enough to be sent."""
    batch: list[Manifest] = []
    batch_bytes = 0
    for manifest in manifests:
        size = len(json.dumps(manifest.object)) + len(manifest.where)
        if batch and (len(batch) == _BATCH or batch_bytes + size > _BATCH_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(manifest)
        batch_bytes += size
    if batch:
        yield batch


def _subject(result: dict[str, Any]) -> str:
    """Return which object of which file a result is about."""
    if result.get("kind") and result.get("name"):
        return f"{long_name(result['kind'], result['name'])} ({result['where']})"
    return str(result["where"])
