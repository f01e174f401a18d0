"""``edgecore recording info`` and ``filter`` beside what one would write first, and beside ``jq`` where there is one.

A file of 200,000 entries (recorded messages over and over, 700 bytes each) is read from the disk's cache, as lines and
packed with Zstandard. Naive: ``json.loads`` of each line, and again of the text of each frame. Goal: 100,000 entries
a second and more, for both.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

from rows.figures import alone, beside
from rows.results import at_least
from rows.tools import lacking

from edgecore.cli.recordings.files import Inputs
from edgecore.recording.editing.streams import outlines, selected
from edgecore.recording.editing.summary import Summary
from edgecore.recording.selection import Selection, parse_filter
from edgecore.recording.writer import open_writer

GOAL = 100_000
RECORDING = Path(__file__).parents[1] / "examples" / "recordings" / "b_services_endpoints_pods.jsonl"
FILTERS = ("kind=frames", "resource=default/service/*", "operation=insert")
JQ = """select(.text) | select(.text | fromjson | .route
    | .operation == "insert" and (.resource | startswith("default/service/")))"""


def info(path: Path) -> int:
    """Count as ``info`` does."""
    summary = Summary()
    for outline, line in outlines(path, Inputs("reading").read(path)):
        summary.add(outline, len(line))
    return summary.count


def naive_info(path: Path) -> int:
    """Count as one would first."""
    kinds: Counter[str] = Counter()
    routes: Counter[tuple[str, str, str]] = Counter()
    with path.open() as file:
        for line in file:
            entry = json.loads(line)
            kinds[next(key for key in ("text", "event", "note", "http") if key in entry)] += 1
            if "text" in entry:
                route = json.loads(entry["text"])["route"]
                routes[entry["dir"], route["source"], route["operation"]] += 1
    return kinds.total()


def filtered(path: Path) -> int:
    """Write what is meant to nowhere, as ``filter`` does."""
    selection = Selection(filters=tuple(map(parse_filter, FILTERS)))
    with open_writer(Path(os.devnull), "over") as writer:
        for line in selected(path, Inputs("reading").read(path), selection):
            writer.write_line(line)
    return writer.count


def naive_filtered(path: Path) -> int:
    """Do it as one would first."""
    count = 0
    with path.open() as file, Path(os.devnull).open("w") as nowhere:
        for line in file:
            entry = json.loads(line)
            if "text" in entry:
                route = json.loads(entry["text"])["route"]
                if route["operation"] == "insert" and fnmatch(route["resource"], "default/service/*"):
                    nowhere.write(line)
                    count += 1
    return count


def jq_filtered(path: Path) -> int:
    """Let ``jq`` do it, with its start."""
    out = subprocess.run(["jq", "-c", JQ, str(path)], stdout=subprocess.PIPE, check=True).stdout
    return out.count(b"\n")


def rate(entries: int, work: Callable[[], int]) -> tuple[float, int]:
    """Return how many entries a second ``work`` reads, and what it finds."""
    began = time.perf_counter()
    found = work()
    return entries / (time.perf_counter() - began), found


def in_turn(entries: int, rounds: int, works: dict[str, Callable[[], int]]) -> dict[str, list[float]]:
    """Return the rates of all, which must find the same."""
    rates: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        all_found = set()
        for name, work in works.items():
            per_second, found = rate(entries, work)
            rates[name].append(per_second)
            all_found.add(found)
        if len(all_found) > 1:
            raise SystemExit(f"{', '.join(works)} do not find the same: {all_found}")
    return rates


def compare(what: str, rates: dict[str, list[float]]) -> None:
    """Tell ours, of lines and packed, beside the others."""
    ours, packed = rates.pop("ours"), rates.pop("packed")
    for peer, theirs in rates.items():
        beside(f"{what}, beside {peer}", ours, theirs, "entries/s", peer=peer, goal=at_least(GOAL))
    alone(f"{what}, .zst", packed, "entries/s", goal=at_least(GOAL))


def main(entries: int, rounds: int) -> None:
    """Measure."""
    lines = RECORDING.read_bytes().splitlines(keepends=True)
    with tempfile.TemporaryDirectory() as folder:
        plain, packed = Path(folder) / "r.jsonl", Path(folder) / "r.jsonl.zst"
        for path in (plain, packed):
            with open_writer(path) as writer:
                for number in range(entries):
                    writer.write_line(lines[number % len(lines)])
        infos: dict[str, Callable[[], int]] = {
            "ours": lambda: info(plain),
            "packed": lambda: info(packed),
            "json": lambda: naive_info(plain),
        }
        compare("info", in_turn(entries, rounds, infos))
        filters: dict[str, Callable[[], int]] = {
            "ours": lambda: filtered(plain),
            "packed": lambda: filtered(packed),
            "json": lambda: naive_filtered(plain),
        }
        if not lacking({"jq": "jq"}, {"jq": "filter, beside jq"}):
            filters["jq"] = lambda: jq_filtered(plain)
        compare("filter", in_turn(entries, rounds, filters))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=200_000, help="(default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of each (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="once, 20,000 entries")
    given = parser.parse_args()
    main(*((20_000, 1) if given.quick else (given.entries, given.rounds)))
