"""``cloudhub-stub delete``: deletes objects of the cluster."""

import argparse
import sys
from typing import Any

from cloudhub_stub.cli.manifest_files import add_files, read_manifests_of
from cloudhub_stub.cli.resources import DEFAULT_NAMESPACE, Asked, add_resources, add_scope, complain, resources_of
from cloudhub_stub.cli.target import add_target, client_of
from cloudhub_stub.cli.values import seconds
from cloudhub_stub.cluster.kinds import KINDS, ObjectKey
from cloudhub_stub.cluster.manifests import Manifest
from cloudhub_stub.errors import BadManifest
from cloudhub_stub.paths import DELETE
from edgecore.control.mixed_parser import add_mixed_parser

_DESCRIPTION = """\
Delete objects of the running stub's cluster: those of manifests, those that are named,
those with certain labels, or all of a kind. A pod that runs is told to stop, and is gone
when its node has said so; the command waits for that, --timeout seconds at most. With
--force it is gone from the cluster at once, whatever its node does."""

_EPILOG = """\
exit code: 0 deleted, 1 an object was not there, is not gone in time, or the stub cannot
be asked, 2 wrong usage

examples:
  cloudhub-stub delete -f examples/manifests/edgemesh-guide
  cloudhub-stub delete pod nginx-deployment-54bf9847f8-sxk94 --grace-period 1
  cloudhub-stub delete deployments,services -l app=nginx
  cloudhub-stub delete service/nginx-svc --ignore-not-found
  cloudhub-stub delete pods --all -n shop --no-wait
  cloudhub-stub delete pod stuck --force
      of a node that will not come back"""

_MARGIN_S = 30.0
_LONGEST_WAIT_S = 24 * 3600.0


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = add_mixed_parser(
        subparsers, "delete", help="delete objects of the cluster", description=_DESCRIPTION, epilog=_EPILOG
    )
    add_resources(parser, required=False)
    add_files(parser, required=False)
    add_scope(parser, default_namespace=None)
    parser.add_argument("--all", action="store_true", help="all objects of the kind")
    parser.add_argument(
        "--grace-period",
        type=_whole_seconds,
        metavar="S",
        help="give pods so many seconds to stop (default: what the pod says); 0 only with --force, else 1",
    )
    parser.add_argument("--force", action="store_true", help="do not wait for the node: gone at once")
    parser.add_argument("--ignore-not-found", action="store_true", help="what is not there is no failure")
    parser.add_argument(
        "--wait", action=argparse.BooleanOptionalAction, default=True, help="wait until it is gone (default: yes)"
    )
    parser.add_argument(
        "--timeout", type=_patience, default=60.0, metavar="S", help="wait so long at most (default: %(default)g)"
    )
    add_target(parser)
    parser.set_defaults(run=run, usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Delete, show, and return the exit code."""
    asked = _checked(args)
    grace_s = _grace_s(args)
    if args.force:
        sys.stderr.write("warning: what is deleted by force may still run on its node\n")
    common = {
        "grace_s": grace_s,
        "ignore_not_found": args.ignore_not_found,
        "wait_s": args.timeout if args.wait else 0.0,
    }
    client = client_of(args, args.timeout + _MARGIN_S)
    shown = failed = 0
    for body in _bodies(args, asked):
        for result in client.post(DELETE, {**body, **common}):
            shown += 1
            failed += not _show(args, result)
    if not shown and not args.ignore_not_found:
        sys.stderr.write("No resources found\n")
    return int(bool(failed))


def _checked(args: argparse.Namespace) -> list[Asked]:
    """Return what the words name; flags that do not go together end the process as wrong usage."""
    if args.filename:
        if args.kind or args.selector or args.all or args.all_namespaces:
            args.usage_error("-f stands alone: no KIND, -l, --all or -A beside it")
        return []
    if not args.kind:
        args.usage_error("what shall be deleted? give -f FILE, or KIND and NAME")
    asked = resources_of(args)
    named = any(each.names for each in asked)
    if named and (args.selector or args.all or args.all_namespaces):
        args.usage_error("names and -l, --all or -A cannot be had together")
    if args.selector and args.all:
        args.usage_error("-l and --all cannot be had together")
    if not (named or args.selector or args.all):
        args.usage_error("give names, or -l SELECTOR, or --all")
    return asked


def _grace_s(args: argparse.Namespace) -> int | None:
    """Return the grace period; as in kubectl, 0 takes ``--force`` and is 1 without it."""
    if args.force:
        if args.grace_period:
            args.usage_error("--force is for a grace period of 0")
        return 0
    given: int | None = args.grace_period
    return 1 if given == 0 else given


def _bodies(args: argparse.Namespace, asked: list[Asked]) -> list[dict[str, Any]]:
    """Return what to ask for, one question after the other."""
    namespace = args.namespace or DEFAULT_NAMESPACE
    if args.filename:
        keys = [_key(manifest) for manifest in read_manifests_of(args.filename, args.namespace)]
    else:
        keys = [
            ObjectKey(kind.name, namespace if kind.namespaced else "", name) for kind, names in asked for name in names
        ]
    if keys:
        return [{"keys": [key._asdict() for key in keys]}]
    return [
        {
            "kind": kind.name,
            "namespace": namespace if kind.namespaced and not args.all_namespaces else None,
            "selector": args.selector,
            "all": args.all,
        }
        for kind, _ in asked
    ]


def _key(manifest: Manifest) -> ObjectKey:
    """Return which object a manifest means. Raises ``BadManifest``."""
    kind = KINDS.get(str(manifest.object.get("kind")))
    if kind is None:
        raise BadManifest(f"cannot delete {manifest.where}: kind: {manifest.object.get('kind')!r} is not known here")
    metadata = manifest.object.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    namespace = metadata.get("namespace") or DEFAULT_NAMESPACE if isinstance(metadata, dict) else None
    if not (isinstance(name, str) and name and isinstance(namespace, str)):
        raise BadManifest(f"cannot delete {manifest.where}: metadata: name and namespace are texts, and a name is due")
    return ObjectKey(kind.name, namespace if kind.namespaced else "", name)


def _show(args: argparse.Namespace, result: dict[str, Any]) -> bool:
    """Print what became of one object, and return whether it is as it should be."""
    kind = KINDS[result["kind"]]
    if result["outcome"] == "not_found":
        if not args.ignore_not_found:
            where = f" in namespace {result['namespace']}" if kind.namespaced else ""
            complain(f'cannot delete {kind.plural} "{result["name"]}": not found{where}')
        return bool(args.ignore_not_found)
    if result.get("error"):
        complain(f'cannot delete {kind.plural} "{result["name"]}": {result["error"]}')
        return False
    print(f'{kind.long_name} "{result["name"]}" {"force deleted" if args.force else "deleted"}', flush=True)
    if result["outcome"] == "deleting" and args.wait:
        complain(
            f'cannot see the end of {kind.plural} "{result["name"]}": it is told to stop, and not gone after'
            f" {args.timeout:g} s; if its node will not come back, use --force"
        )
        return False
    return True


def _whole_seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds")
    return int(text)


def _patience(text: str) -> float:
    value = seconds(text)
    if value > _LONGEST_WAIT_S:
        raise argparse.ArgumentTypeError(f"must be {_LONGEST_WAIT_S:g} seconds or less")
    return value
