"""``cloudhub-stub scale``: sets how many pods a deployment shall have."""

import argparse

from cloudhub_stub.cli.printing.documents import long_name
from cloudhub_stub.cli.resources import add_namespace, add_resources, complain, resources_of
from cloudhub_stub.cli.target import add_target, client_of
from cloudhub_stub.cluster.kinds import DEPLOYMENT_KIND
from cloudhub_stub.paths import SCALE
from edgecore.control.mixed_parser import add_mixed_parser
from edgecore.errors import ControlError

_DESCRIPTION = """\
Set how many pods deployments shall have; with --current-replicas only where that is how
many they are set to have now. The command does not wait for the pods: see
cloudhub-stub get pods -w."""

_EPILOG = """\
exit code: 0 scaled, 1 could not, 2 wrong usage

examples:
  cloudhub-stub scale deployment nginx-deployment --replicas 3
  cloudhub-stub scale deployment/nginx-deployment --replicas 0 --current-replicas 3"""

_MOST = 2**31 - 1


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = add_mixed_parser(
        subparsers, "scale", help="set how many pods a deployment shall have", description=_DESCRIPTION, epilog=_EPILOG
    )
    add_resources(parser)
    parser.add_argument("--replicas", type=_replicas, required=True, metavar="N", help="how many")
    parser.add_argument("--current-replicas", type=_replicas, metavar="N", help="only if it is so many now")
    add_namespace(parser)
    add_target(parser)
    parser.set_defaults(run=run, usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Scale, show, and return the exit code."""
    asked = resources_of(args)
    if [each.kind for each in asked] != [DEPLOYMENT_KIND]:
        args.usage_error("only deployments can be scaled")
    (kind, names) = asked[0]
    if not names:
        args.usage_error("which deployment? give its name")
    client = client_of(args)
    failed = False
    for name in names:
        body = {
            "kind": kind.name,
            "namespace": args.namespace,
            "name": name,
            "replicas": args.replicas,
            "current_replicas": args.current_replicas,
        }
        try:
            client.post(SCALE, body)
        except ControlError as error:
            failed = True
            complain(str(error))
        else:
            print(f"{long_name(kind.name, name)} scaled")
    return int(failed)


def _replicas(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _MOST):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {_MOST}")
    return int(text)
