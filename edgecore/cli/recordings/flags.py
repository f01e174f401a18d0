"""The flags that say which entries of a recording are meant: ``--from``, ``--until``, ``--filter``."""

import argparse
from collections.abc import Callable, Sequence
from typing import TypeVar

from edgecore.errors import ContentError
from edgecore.recording.selection import FILTERS, Selection, parse_bound, parse_filter

T = TypeVar("T")

PLACES_HELP = """\
A PLACE is a time (2026-01-02T03:04:05Z), +SECONDS after the first entry, #N for the
entry with that number, N for a line, or note:WORDS for the next note with these words.
Where --from is a time, an entry, a line or a note, --until +SECONDS counts from there."""

FILTERS_HELP = f"""\
A FILTER is NAME=PATTERN[,PATTERN...] or NAME!=PATTERN[,...], NAME one of
{", ".join(FILTERS)}.
* and ? stand for what they do in file names. It asks only the entries that have what
it asks for: resource=default/service/* leaves connections and notes in; kind=frame
does not. Kinds: frame, connection, note, http, bus, mqtt, commit, dns, request,
fault, snapshot, loss. Directions: to-edge, to-cloud, to-node, to-broker."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that ``selection_of`` reads."""
    add_place_flags(parser)
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        type=_typed(parse_filter),
        metavar="FILTER",
        help="only what it matches, such as operation=insert; may be given again",
    )


def add_place_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags for a part of the time line."""
    place = _typed(parse_bound)
    parser.add_argument("--from", dest="first", type=place, metavar="PLACE", help="the first entry")
    parser.add_argument("--until", dest="last", type=place, metavar="PLACE", help="the last entry")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Add filters as arguments without a flag."""
    parser.add_argument(
        "filter", nargs="*", default=[], type=_typed(parse_filter), metavar="FILTER", help="such as operation=insert"
    )


def selection_of(args: argparse.Namespace) -> Selection:
    """Return what the flags say."""
    filters: Sequence[object] = getattr(args, "filter", ())
    return Selection(args.first, args.last, tuple(filters))  # type: ignore[arg-type]


def _typed(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return ``parse`` for argparse, which shows its complaint."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except ContentError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read
