"""Run the benchmarks, each beside its peer, and tell the whole story: tables, JSON, and a page with plots.

Each area is a script of this folder, which runs by itself as well (python benchmarks/dns.py --help). What fails, or
needs what is not here, is named, and the rest goes on. Ctrl-C ends the run and keeps what was measured.
"""

import argparse
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from story.areas import AREAS, areas_named
from story.document import Document, Report
from story.machine import machine, versions
from story.page import summary, write_page
from story.runner import Runner

HERE = Path(__file__).parent
BUDGET_MIN, QUICK_MIN = 15.0, 3.0
EPILOG = """examples:
  python benchmarks --quick                     every area once, with small counts
  python benchmarks --areas dns proxy           these areas
  python benchmarks --page docs/benchmarks.md   measure all; the JSON and the plots lie beside the page
  python benchmarks --from docs/benchmarks.json --page docs/benchmarks.md   the page again, without measuring

exit codes: 0 all was measured, or left out by name; 1 an area failed or took too long; 2 wrong arguments; 130 Ctrl-C.
A goal that is missed is no failure: what else the machine does decides too much."""


def measured(arguments: argparse.Namespace, json_file: Path | None) -> Document:
    """Run the areas; keep what there is after each, if there is a file for it."""
    areas = areas_named(arguments.areas)
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    document = Document(made_at=made_at, quick=arguments.quick, machine=machine(), versions=versions())
    unlimited = arguments.rounds is not None and arguments.budget is None
    minutes = arguments.budget or (QUICK_MIN if arguments.quick else BUDGET_MIN)
    runner = Runner(
        HERE,
        rounds=arguments.rounds,
        quick=arguments.quick,
        budget_s=float("inf") if unlimited else minutes * 60,
        out=sys.stdout,
        err=sys.stderr,
    )

    def keep(reports: list[Report]) -> None:
        document.areas = reports
        if json_file is not None:
            document.write(json_file)

    keep(runner.run_all(areas, keep))
    return document


def exit_code(document: Document) -> int:
    """Return it."""
    states = {report.state for report in document.areas}
    return 130 if "interrupted" in states else 1 if states & {"failed", "too long"} else 0


def main(arguments: argparse.Namespace) -> int:
    """Do what was asked for; return the exit code."""
    page: Path | None = arguments.page
    json_file: Path | None = arguments.json or (page.with_suffix(".json") if page is not None else None)
    if arguments.list:
        for area in AREAS:
            print(f"{area.name:12} {area.usual_s:4.0f} s, quick {area.quick_s:3.0f} s   {area.title}")
        return 0
    if arguments.source is not None:
        document = Document.read(arguments.source)
        json_file = None
    else:
        document = measured(arguments, json_file)
        print(summary(document))
    if page is not None:
        write_page(document, page)
    for written in (json_file, page):
        if written is not None:
            print(f"written: {written}")
    return exit_code(document)


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(
        prog="python benchmarks",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = ", ".join(area.name for area in AREAS)
    made.add_argument("--areas", nargs="+", metavar="AREA", help=f"these: {names}")
    made.add_argument("--quick", action="store_true", help="once each, with small counts: three minutes")
    made.add_argument("--rounds", type=int, metavar="N", help="of each figure; without it, what fits into the time")
    made.add_argument("--budget", type=float, metavar="MIN", help="minutes for all (15; quick: 3; with --rounds: any)")
    made.add_argument("--list", action="store_true", help="list the areas with the time that they take, and end")
    made.add_argument("--json", type=Path, metavar="FILE", help="write all that was found there")
    made.add_argument("--page", type=Path, metavar="FILE", help="write a page there, with JSON and plots beside it")
    made.add_argument("--from", type=Path, dest="source", metavar="FILE", help="measure nothing; take this JSON")
    return made


if __name__ == "__main__":
    given = parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what an area has started must end with us
    try:
        sys.exit(main(given))
    except KeyError as unknown:
        parser().error(f"cannot run the area {unknown.args[0]}: there is none; python benchmarks --list shows them")
    except (OSError, msgspec.MsgspecError) as failure:
        sys.exit(f"cannot read or write the figures: {failure}; look at --from, --json and --page")
