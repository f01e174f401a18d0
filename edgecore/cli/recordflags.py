"""The flags of whatever can record from its start: into which file, which kinds of entries, with secrets or without."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edgecore.recording.kinds import kinds_of

if TYPE_CHECKING:
    from edgecore.recording.recorder.desk import Wish

KINDS_HELP = """\
which kinds of entries, with commas between: frames, connections, notes, faults,
snapshot (these are "default"), bus, mqtt, commits, dns, requests, or "all"\
"""


def add_record_flags(parser: argparse.ArgumentParser, kinds: str = "default") -> None:
    """Add the flags that ``wish_of`` reads; ``kinds`` are recorded where nobody says otherwise."""
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="record a session into FILE (.jsonl, .jsonl.zst, .jsonl.gz); of a folder: into a new file in it",
    )
    told = KINDS_HELP if kinds == "default" else f"{KINDS_HELP} (default: {kinds})"
    parser.add_argument("--record-kinds", default=kinds, metavar="KINDS", help=told)
    parser.add_argument("--record-secrets", action="store_true", help="write secrets as they are (default: pseudonyms)")


def wish_of(args: argparse.Namespace) -> "Wish | None":
    """Return what is to be recorded, if anything is. Raises ``ConfigError``."""
    from edgecore.recording.recorder.desk import Wish  # noqa: PLC0415 - it brings the bus

    if args.record is None:
        return None
    return Wish(args.record.absolute(), kinds_of(args.record_kinds), not args.record_secrets)
