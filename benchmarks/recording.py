"""``edgecore recording info`` and ``filter`` beside what one would write first, and beside ``jq`` where there is one.

A file of 200,000 entries (recorded messages over and over, 700 bytes each) is read from the disk's cache, as lines and
packed with Zstandard. Naive: ``json.loads`` of each line, and again of the text of each frame. Goal: 100,000 entries
a second and more, for both.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

from edgecore.cli.recordings.files import Inputs
from edgecore.recording.editing.streams import outlines, selected
from edgecore.recording.editing.summary import Summary
from edgecore.recording.selection import Selection, parse_filter
from edgecore.recording.writer import open_writer

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


def rate(name: str, entries: int, work: Callable[[], int]) -> float:
    """Print and return how many entries a second ``work`` reads."""
    began = time.perf_counter()
    result = work()
    per_second = entries / (time.perf_counter() - began)
    print(f"{name:24} {per_second:12,.0f} entries/s  ({result:,} found)")
    return per_second


def tell(peer: str, ours: float, theirs: float) -> None:
    """Print how much faster ours is."""
    print(f"{'':24} {ours / theirs:12.1f} times {peer}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=200_000, metavar="N", help="(default: %(default)s)")
    entries = parser.parse_args().entries
    lines = RECORDING.read_bytes().splitlines(keepends=True)
    with tempfile.TemporaryDirectory() as folder:
        plain, packed = Path(folder) / "r.jsonl", Path(folder) / "r.jsonl.zst"
        for path in (plain, packed):
            with open_writer(path) as writer:
                for number in range(entries):
                    writer.write_line(lines[number % len(lines)])
        ours = rate("info", entries, lambda: info(plain))
        rate("info, .zst", entries, lambda: info(packed))
        tell("the naive one", ours, rate("info, naive", entries, lambda: naive_info(plain)))
        ours = rate("filter", entries, lambda: filtered(plain))
        rate("filter, .zst", entries, lambda: filtered(packed))
        tell("the naive one", ours, rate("filter, naive", entries, lambda: naive_filtered(plain)))
        if shutil.which("jq"):
            tell("jq", ours, rate("filter, jq", entries, lambda: jq_filtered(plain)))
        else:
            sys.stderr.write("no jq here\n")


if __name__ == "__main__":
    main()
