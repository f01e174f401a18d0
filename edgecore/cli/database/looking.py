"""``edgecore db info`` and ``edgecore db check``: what a database is, and what is wrong with it."""

import argparse
import json
from collections.abc import Iterator
from typing import Any

from edgecore.app import SCHEMA
from edgecore.cli.target import database_of
from edgecore.control.columns import one_line
from edgecore.store.inspection import Description, Finding, describe, findings
from edgecore.store.refusals import size

FOUND = 3
"""The exit code where something is wrong with the database."""


def info(args: argparse.Namespace) -> int:
    """Print what the database is, and return the exit code."""
    found = describe(database_of(args), SCHEMA)
    print(json.dumps(_document(found), indent=2) if args.json else "\n".join(map(one_line, _lines(found))))
    return FOUND if found.problem else 0


def check(args: argparse.Namespace) -> int:
    """Print what is wrong with the database, and return the exit code."""
    path = database_of(args)
    found = findings(path, SCHEMA)
    if args.json:
        print(json.dumps([one._asdict() for one in found], indent=2))
    elif not found:
        print(f"{path} is whole: every page, every index, and the tables of edgecore")
    else:
        print("\n".join(map(one_line, _findings(found))))
    return FOUND if found else 0


def _findings(found: list[Finding]) -> Iterator[str]:
    """Yield each finding; what to do, once for all of those that it helps."""
    ways: dict[str, None] = {}
    for one in found:
        yield one.what
        ways[one.way_out] = None
    yield ""
    for way in filter(None, ways):
        yield f"what to do: {way}"


def _lines(found: Description) -> Iterator[str]:
    yield f"file         {found.path}"
    log = f", and {size(found.log_bytes)} in its log (-wal)" if found.log_bytes else ""
    yield f"size         {size(found.bytes)}{log}"
    yield f"written by   {found.written_by} (schema {found.schema}, known up to {found.known_schema})"
    yield f"used by      {_user(found.user)}"
    if not found.backups:
        yield "last backup  none beside it"
    for number, backup in enumerate(reversed(found.backups)):
        schema = f"schema {backup.schema}" if backup.schema >= 0 else "not a database"
        label = "" if number else "last backup"
        yield f"{label:<11}  {backup.path.name} ({schema}, {size(backup.bytes)})"
    if found.problem:
        yield f"problem      {found.problem}"
    if found.tables:
        width = max(len(table.name) for table in found.tables)
        yield ""
        yield f"{'TABLE':<{width}}  {'ROWS':>8}  OF"
        for table in found.tables:
            yield f"{table.name:<{width}}  {table.rows:>8}  {table.of}"


def _user(user: str | None) -> str:
    if user is None:
        return "nobody"
    return f"a running node (process {user})" if user else "a running node"


def _document(found: Description) -> dict[str, Any]:
    return {
        "path": str(found.path),
        "bytes": found.bytes,
        "log_bytes": found.log_bytes,
        "schema": found.schema,
        "known_schema": found.known_schema,
        "written_by": found.written_by,
        "in_use": found.user is not None,
        "process": int(found.user) if found.user and found.user.isdigit() else None,
        "backups": [{"path": str(one.path), "bytes": one.bytes, "schema": one.schema} for one in found.backups],
        "tables": [table._asdict() for table in found.tables],
        "problem": found.problem,
    }
