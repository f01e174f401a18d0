"""Which objects a command line means: ``KIND[,KIND] [NAME...]`` or ``KIND/NAME...``, the namespace, the selector."""

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import NamedTuple

from cloudhub_stub.cluster.kinds import DEPLOYMENT_KIND, KINDS, POD_KIND, SERVICE_KIND, Kind, kind_of_argument

DEFAULT_NAMESPACE = "default"
ALL = "all"
_KINDS_OF_ALL = (POD_KIND, SERVICE_KIND, DEPLOYMENT_KIND)


class WrongUsage(ValueError):  # noqa: N818 - never seen outside: argparse says it
    """The words make no sense; the text says why."""


class Asked(NamedTuple):
    """Objects of one kind: those of the names, or all of them."""

    kind: Kind
    names: tuple[str, ...]


def parse_resources(words: Sequence[str]) -> list[Asked]:
    """Return what the words mean, in their order. Raises ``WrongUsage``."""
    if any("/" in word for word in words):
        return _merged([_single(word) for word in words])
    kinds, *names = words
    if not all(names):
        raise WrongUsage("a name is empty")
    return [Asked(kind, tuple(dict.fromkeys(names))) for kind in _kinds(kinds)]


def resources_of(args: argparse.Namespace) -> list[Asked]:
    """Return what the words mean; those that make no sense end the process as wrong usage."""
    try:
        return parse_resources([args.kind, *args.names])
    except WrongUsage as error:
        args.usage_error(str(error))
        raise  # the process has ended


def add_resources(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the words."""
    one = None if required else "?"
    parser.add_argument("kind", nargs=one, metavar="KIND", help="the kind of objects, or KIND/NAME")
    parser.add_argument("names", nargs="*", default=[], metavar="NAME", help="names; after KIND/NAME more of that form")


def add_scope(parser: argparse.ArgumentParser, *, default_namespace: str | None = DEFAULT_NAMESPACE) -> None:
    """Add the flags that say where to look: ``-n``, ``-A`` and ``-l``."""
    where = parser.add_mutually_exclusive_group()
    add_namespace(where, default_namespace)
    where.add_argument("-A", "--all-namespaces", action="store_true", help="in all namespaces")
    parser.add_argument(
        "-l", "--selector", default="", metavar="SELECTOR", help="those with these labels: a=b,c!=d,e in (f,g),h,!i"
    )


def add_namespace(parser: "argparse._ActionsContainer", default: str | None = DEFAULT_NAMESPACE) -> None:
    """Add ``-n`` alone."""
    said = "default, or that of the manifest" if default is None else default
    parser.add_argument(
        "-n", "--namespace", default=default, metavar="NS", help=f"the namespace to use (default: {said})"
    )


def query_of(args: argparse.Namespace, kind: Kind, name: str = "") -> dict[str, str]:
    """Return what to ask ``GET /v1/objects`` for."""
    query = {"kind": kind.name}
    if kind.namespaced and not args.all_namespaces:
        query["namespace"] = args.namespace
    if args.selector:
        query["selector"] = args.selector
    if name:
        query["name"] = name
    return query


def complain(text: str) -> None:
    """Say what failed, and go on: the command has more to do."""
    sys.stdout.flush()
    sys.stderr.write(f"cloudhub-stub: {text}\n")


def _single(word: str) -> Asked:
    kind, slash, name = word.partition("/")
    if not slash or not name or "/" in name:
        raise WrongUsage(f"{word!r} is not KIND/NAME; give all words in that form, or a kind and then names")
    (found, *others) = _kinds(kind)
    if others:
        raise WrongUsage(f"{word!r} names more than one kind")
    return Asked(found, (name,))


def _merged(single: list[Asked]) -> list[Asked]:
    """Return one entry a kind, where the first of that kind stood."""
    names: dict[Kind, dict[str, None]] = {}
    for asked in single:
        names.setdefault(asked.kind, {}).update(dict.fromkeys(asked.names))
    return [Asked(kind, tuple(of_kind)) for kind, of_kind in names.items()]


def _kinds(text: str) -> list[Kind]:
    found: dict[Kind, None] = {}
    for word in text.split(","):
        if word.lower() == ALL:
            found.update(dict.fromkeys(_KINDS_OF_ALL))
            continue
        kind = kind_of_argument(word)
        if kind is None:
            raise WrongUsage(_unknown(word))
        found[kind] = None
    return list(found)


def _unknown(word: str) -> str:
    arguments = [argument for kind in KINDS.values() for argument in (kind.plural, *kind.short_names)]
    close = difflib.get_close_matches(word.lower(), arguments, 1)
    if close:
        return f"there are no objects of kind {word!r} (did you mean {close[0]}?)"
    return f"there are no objects of kind {word!r}; there are {', '.join(kind.plural for kind in KINDS.values())}"
