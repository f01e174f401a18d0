"""``edgecore config``: prints configurations to start from, and the reference of all settings."""

import argparse
import os
from pathlib import Path

from edgecore.config.host import default_config, state_directory, this_machine
from edgecore.config.reference import reference
from edgecore.config.render import below, full_text, minimal_text

_DESCRIPTION = """\
Print a configuration (edgecore.yaml, KubeEdge's v1alpha1) to standard output. Nothing else is touched.
What is printed has the defaults of this machine: its host name and its IP address."""

_EXAMPLES = """\
examples:
  a first configuration for yourself, then a node that runs with it:
    edgecore config --min --user > edgecore.yaml
    edgecore run --config edgecore.yaml
  two nodes on one machine, each with a directory of its own (then give each its own edged.hostnameOverride):
    edgecore config --min --root ~/north > north.yaml
    edgecore config --min --root ~/south > south.yaml
  every setting, with the paths of KubeEdge (/etc/kubeedge, /var/lib/kubeedge):
    edgecore config --default
  what a setting means, what it may be, and what it is if you say nothing:
    edgecore config --reference | grep -i heartbeat

exit code: 0 printed, 1 there is no state directory for --user, 2 wrong usage
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb ``config``."""
    parser = subparsers.add_parser(
        "config",
        help="print a configuration to start from, or the reference of all settings",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--default", action="store_true", help="every setting with its default")
    what.add_argument("--min", action="store_true", help="only what a new node usually changes")
    what.add_argument("--reference", action="store_true", help="a description of every setting, as Markdown")
    parser.add_argument(
        "--user",
        action="store_true",
        help="put the node's own files where an ordinary user can write: $XDG_STATE_HOME/edgecore, "
        "or ~/.local/state/edgecore",
    )
    parser.add_argument(
        "--root", type=_directory, metavar="DIR", help="put the node's own files below DIR instead (implies --user)"
    )
    parser.set_defaults(run=run)


def _directory(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("is empty; name a directory")
    return Path(text).absolute()


def run(args: argparse.Namespace) -> int:
    """Print what was asked for; return the exit code. Raises ``ConfigError``."""
    print(_chosen(args), end="")
    return 0


def _chosen(args: argparse.Namespace) -> str:
    if args.reference:
        return reference()
    defaults = default_config(this_machine())
    config = defaults
    if args.user or args.root is not None:
        config = below(defaults, args.root or state_directory(os.environ), minimal=args.min)
    return minimal_text(config, defaults) if args.min else full_text(config)
