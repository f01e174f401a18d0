"""``edgecore db backup``, ``restore`` and ``repair``: copies of a database, and what can be saved of a damaged one."""

import argparse
from collections.abc import Iterator

from edgecore.app import SCHEMA
from edgecore.cli.meter import Meter
from edgecore.cli.target import database_of
from edgecore.clock import SystemClock
from edgecore.control.columns import one_line
from edgecore.store.backup import back_up, backup_name
from edgecore.store.refusals import size
from edgecore.store.repair import RepairReport, TableReport, repair
from edgecore.store.restore import restore

LOST = 3
"""The exit code of a repair after which rows are lost."""
_TOLD = 20
"""How many lost rows of a table are named; ``--verbose`` names all."""


def run_backup(args: argparse.Namespace) -> int:
    """Copy the database, and return the exit code."""
    path = database_of(args)
    target = args.file.absolute() if args.file else backup_name(path, SystemClock().now_ms())
    meter = Meter("copying")
    try:
        length = back_up(path, target, meter.tell)
    finally:
        meter.end()
    print(f"{target}: {size(length)}, verified")
    return 0


def run_restore(args: argparse.Namespace) -> int:
    """Put a backup in the place of the database, and return the exit code."""
    path = database_of(args)
    meter = Meter("copying")
    try:
        aside = restore(path, args.file.absolute(), SCHEMA, SystemClock().now_ms(), meter.tell)
    finally:
        meter.end()
    print(f"{path} is now what {args.file} was")
    if aside is not None:
        print(f"what was there before is kept as {aside}")
    return 0


def run_repair(args: argparse.Namespace) -> int:
    """Save what can be read into a new file, and return the exit code."""
    path = database_of(args)
    report = repair(path, SCHEMA, SystemClock().now_ms())
    print("\n".join(map(one_line, _lines(report, args.verbose))))
    print(f"the new database is {path}")
    print(f"the damaged one is kept as it was: {report.aside}")
    return 0 if report.is_complete else LOST


def _lines(report: RepairReport, verbose: bool) -> Iterator[str]:
    if report.note:
        yield report.note
    for table in report.tables:
        if not table.saved and not table.lost and table.is_whole:
            continue
        yield f"{table.name}: {table.saved} rows saved{_loss(table)}"
        told = table.lost if verbose else table.lost[:_TOLD]
        yield from (f"  lost: {name}" for name in told)
        if len(told) < len(table.lost):
            yield f"  ... and {len(table.lost) - len(told)} more (--verbose names them)"


def _loss(table: TableReport) -> str:
    if table.lost:
        return f", {len(table.lost)} known to be lost"
    return "" if table.is_whole else ", some of its pages could not be read: rows may be lost that nobody knows of"
