"""``edgecore meta check``: looks a database over, and says what is wrong and what to do."""

import argparse
import json
from collections.abc import Iterator, Sequence

from edgecore.cli.metaverbs.source import File, Head, RunningNode, source_of, where
from edgecore.cli.target import add_rows_target
from edgecore.control.columns import one_line
from edgecore.control.mixed_parser import add_mixed_parser
from edgecore.errors import ControlError
from edgecore.metadata.finding import INFO, SEVERITIES, Finding
from edgecore.metadata.lint import check_database
from edgecore.store.databasefile import DatabaseFile

_DESCRIPTION = """\
Look over what a node knows, and say for each thing that is wrong which row it is and what
to do: values that are no JSON or no object of their type, "OK" stored as a node, keys that
do not fit their object; services whose fake IP is missing or doubled, listener rows and
pod lists without a service, states without a pod; for information also pods that no
service selects. Of a running node that is told which is still so a second later.

This is about what the rows say; `edgecore db check` looks at the file itself."""

_EPILOG = """\
exit code: 0 nothing is wrong (there may be information), 3 there are errors or warnings,
1 the node or file cannot be read

examples:
  edgecore meta check --config edgecore.yaml
  edgecore meta check --db /var/lib/kubeedge/edgecore.db --all
  edgecore meta check -o json | jq -r '.findings[] | select(.severity == "error") | .key'"""

FOUND = 3
"""The exit code where there are errors or warnings."""
_SHOWN_EACH = 10
"""Of one kind of finding so many are shown, unless all are asked for."""


def add_verb(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = add_mixed_parser(
        subparsers, "check", help="look for what is wrong, and say what to do", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser.add_argument("--all", action="store_true", help=f"show all of a kind, not the first {_SHOWN_EACH}")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="lines, or a JSON document")
    add_rows_target(parser)
    parser.set_defaults(run_below=run)


def run(args: argparse.Namespace) -> int:
    """Show the findings, and return the exit code. Raises ``EdgecoreError``."""
    head, findings = _checked(source_of(args))
    if args.output == "json":
        document = {**head, "findings": [finding.document() for finding in findings]}
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        for line in _lines(head, findings, None if args.all else _SHOWN_EACH):
            print(one_line(line))
    return FOUND if any(finding.severity != INFO for finding in findings) else 0


def _checked(source: RunningNode | File) -> tuple[Head, list[Finding]]:
    if isinstance(source, File):
        with DatabaseFile(source.path) as file, file.snapshot():
            report = check_database(file.rows)
        return {**source.head, "rows": report.rows}, report.findings
    try:
        findings = [Finding(**document) for document in source.stream("/v1/meta/check", {})]
    except TypeError as error:
        raise ControlError(f"cannot understand the node: {error}; use the commands of its version") from error
    return source.head, findings


def _lines(head: Head, findings: Sequence[Finding], limit: int | None) -> Iterator[str]:
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding.code] = counts.get(finding.code, 0) + 1
        if limit is None or counts[finding.code] <= limit:
            place = f"{finding.key}: " if finding.key else ""
            yield f"{finding.severity:8} {place}{finding.text}"
            yield f"         -> {finding.advice}"
        elif counts[finding.code] == limit + 1:
            more = sum(one.code == finding.code for one in findings) - limit
            yield f"{finding.severity:8} ... and {more} more of {finding.code} (--all shows them)"
    numbers = [sum(one.severity == severity for one in findings) for severity in SEVERITIES]
    found = ", ".join(f"{number} {severity}{'s' * (number != 1)}" for severity, number in zip(SEVERITIES, numbers))  # noqa: B905
    rows = sum((head.get("rows") or {}).values())
    yield f"{rows} rows of {where(head)}: {found if findings else 'nothing is wrong'}"
