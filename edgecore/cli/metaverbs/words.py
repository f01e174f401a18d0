"""Which rows a command line means: ``[TYPE[,TYPE]] [NAME]``, ``-n``, ``-A``, ``--since``; and ``--show-secrets``."""

import argparse

from edgecore.clock import SystemClock
from edgecore.control.ages import duration_ms
from edgecore.metadata.filters import Filters, full_type

ALL = "all"

FILTERS_EXPLAINED = """\
TYPE is a type of rows: pod, service, endpoints, podlist, podstatus, nodestatus, node,
listener, configmap, secret, persistentvolume, persistentvolumeclaim, volumeattachment;
plurals and po, svc, ep, cm, no, pv, pvc are understood; all is every type. A word with
a / is a key. Everywhere * stands for any text, ? for a character (quote them)."""


def add_filter_words(parser: argparse.ArgumentParser) -> None:
    """Add the words and the flags."""
    parser.add_argument("types", nargs="?", metavar="TYPE[,TYPE]", help="types of rows, or a key (default: all)")
    parser.add_argument("name", nargs="?", metavar="NAME", help="the name, may have * and ?")
    add_filter_flags(parser)


def add_filter_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags alone."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-n", "--namespace", metavar="NS", help="the namespace, may have * and ? (default: all)")
    where.add_argument("-A", "--all-namespaces", action="store_true", help="all namespaces, as by default")


def add_since(parser: argparse.ArgumentParser) -> None:
    """Add ``--since``."""
    parser.add_argument(
        "--since",
        type=_age,
        metavar="AGE",
        help="only what came to be as it is within the last 90s, 10m, 1h30m, 2d, ...; not what another program wrote",
    )


def add_secrets(parser: argparse.ArgumentParser) -> None:
    """Add ``--show-secrets``."""
    parser.add_argument("--show-secrets", action="store_true", help="show the values of secrets, which are hidden else")


def filters_of(args: argparse.Namespace) -> Filters:
    """Return the filters."""
    since_ms = SystemClock().now_ms() - args.since if getattr(args, "since", None) is not None else None
    namespaces = (args.namespace,) if args.namespace else ()
    names = (args.name,) if args.name else ()
    words = [word for word in (args.types or ALL).split(",") if word]
    keys = tuple(word for word in words if "/" in word)
    types = () if keys or ALL in words else tuple(map(full_type, words))
    return Filters(types, namespaces, names, keys, since_ms)


def _age(text: str) -> int:
    try:
        return duration_ms(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
