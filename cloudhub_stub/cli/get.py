"""``cloudhub-stub get``: shows objects of the cluster, once or as they change."""

import argparse
import sys
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, cast
from urllib.parse import urlencode

from cloudhub_stub.cli.printing.documents import as_list, long_name
from cloudhub_stub.cli.printing.tables import Table
from cloudhub_stub.cli.resources import Asked, add_resources, add_scope, complain, query_of, resources_of
from cloudhub_stub.cli.target import add_target, client_of
from cloudhub_stub.cluster.kinds import Kind, Object
from cloudhub_stub.paths import OBJECTS
from edgecore.clock import SystemClock
from edgecore.control.client import ControlClient
from edgecore.control.documents import as_json, as_yaml
from edgecore.control.mixed_parser import add_mixed_parser
from edgecore.errors import ControlError

_DESCRIPTION = """\
Show objects of the running stub's cluster, as kubectl get shows those of a real one:
a table, names, or whole documents. KIND is a name of the kind in any of its forms: pod,
pods, po; several with commas between them; all for pods, services and deployments."""

_EPILOG = """\
exit code: 0 shown (also when there are none), 1 an object that is named is not there, or
the stub cannot be asked, 2 wrong usage, 130 ended by Ctrl-C

examples:
  cloudhub-stub get nodes
  cloudhub-stub get pods -o wide -w
      with addresses and nodes; then each pod that changes, until Ctrl-C
  cloudhub-stub get deploy,svc,ep -n shop
  cloudhub-stub get pods -l app=nginx -o name
  cloudhub-stub get service/nginx-svc -o yaml
  cloudhub-stub get pods -A -o json | jq -r '.items[].status.podIP'"""

_WIDE, _JSON, _YAML, _NAME = "wide", "json", "yaml", "name"
_BOOKMARK = "BOOKMARK"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = add_mixed_parser(
        subparsers, "get", help="show objects of the cluster", description=_DESCRIPTION, epilog=_EPILOG
    )
    add_resources(parser)
    add_scope(parser)
    parser.add_argument(
        "-o", "--output", choices=(_WIDE, _YAML, _JSON, _NAME), help="more columns, whole documents, or names alone"
    )
    parser.add_argument("-w", "--watch", action="store_true", help="go on with each object that changes")
    parser.add_argument("--no-headers", action="store_true", help="leave out the first line of a table")
    add_target(parser)
    parser.set_defaults(run=run, usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Show the objects, and return the exit code."""
    asked = resources_of(args)
    if any(each.names for each in asked) and (args.selector or args.all_namespaces):
        args.usage_error("names and -l or -A cannot be had together")
    client = client_of(args)
    if args.watch:
        if len(asked) > 1 or len(asked[0].names) > 1:
            args.usage_error("-w watches objects of one kind: all, or the one of a name")
        return _watch(args, client, asked[0])
    found: dict[Kind, list[Object]] = {each.kind: [] for each in asked}
    missing = False
    for each in asked:
        for name in each.names or ("",):
            objects: list[Object] = client.get(OBJECTS, query_of(args, each.kind, name))
            found[each.kind] += objects
            if name and not objects:
                missing = True
                complain(f'cannot get {each.kind.plural} "{name}": {_not_found(args, each.kind)}')
    _show(args, asked, found, missing=missing)
    return int(missing)


def _show(args: argparse.Namespace, asked: list[Asked], found: dict[Kind, list[Object]], *, missing: bool) -> None:
    everything = [obj for objects in found.values() for obj in objects]
    if not everything and missing:
        return
    if args.output in (_JSON, _YAML):
        is_one = len(asked) == 1 and len(asked[0].names) == 1
        document = as_json if args.output == _JSON else as_yaml
        print(document(everything[0] if is_one else as_list(everything)), end="")
    elif not everything:
        sys.stderr.write(f"{_none(args, asked)}\n")
    elif args.output == _NAME:
        print("\n".join(long_name(obj["kind"], obj["metadata"]["name"]) for obj in everything))
    else:
        tables = [
            _table(args, kind, prefixed=len(asked) > 1).lines(objects, SystemClock().now_ms())
            for kind, objects in found.items()
            if objects
        ]
        print("\n\n".join("\n".join(lines) for lines in tables))


def _watch(args: argparse.Namespace, client: ControlClient, asked: Asked) -> int:
    """Show the objects, then each change, until one side ends. Raises ``ControlError`` when the stub does."""
    show = _shower(args, asked.kind)
    query = {**query_of(args, asked.kind, *asked.names), "watch": "1"}
    stream = client.stream("GET", f"{OBJECTS}?{urlencode(query)}")
    present: list[Object] | None = []
    with closing(cast("Generator[dict[str, Any]]", stream)) as events:
        for event in events:
            if event["type"] == _BOOKMARK:
                show(present or [])
                present = None
            elif present is None:
                show([event["object"]])
            else:
                present.append(event["object"])
    raise ControlError(
        f"cannot watch {asked.kind.plural} any longer: the stub hung up; cloudhub-stub status says whether it runs"
    )


def _shower(args: argparse.Namespace, kind: Kind) -> Callable[[list[Object]], None]:
    """Return what shows the next objects of a watch, at once."""
    table = _table(args, kind)
    now_ms = SystemClock().now_ms

    def texts(objects: list[Object]) -> list[str]:
        match args.output:
            case "json":
                return [as_json(obj) for obj in objects]
            case "yaml":
                return [f"---\n{as_yaml(obj)}" for obj in objects]
            case "name":
                return [long_name(kind.name, obj["metadata"]["name"]) + "\n" for obj in objects]
        return [f"{line}\n" for line in table.lines(objects, now_ms())]

    def show(objects: list[Object]) -> None:
        print("".join(texts(objects)), end="", flush=True)

    return show


def _table(args: argparse.Namespace, kind: Kind, *, prefixed: bool = False) -> Table:
    return Table(
        kind,
        wide=args.output == _WIDE,
        namespaces=args.all_namespaces,
        headers=not args.no_headers,
        prefixed=prefixed,
    )


def _not_found(args: argparse.Namespace, kind: Kind) -> str:
    where = f" in namespace {args.namespace}" if kind.namespaced else ""
    return f"not found{where}; see `cloudhub-stub get {kind.plural}{' -A' if kind.namespaced else ''}`"


def _none(args: argparse.Namespace, asked: list[Asked]) -> str:
    in_one_namespace = not args.all_namespaces and all(each.kind.namespaced for each in asked)
    return f"No resources found in {args.namespace} namespace." if in_one_namespace else "No resources found"
