"""``python -m soak``: the whole soak, virtual and real, with progress and a summary (``make soak``)."""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from soak.outcome import Outcome
from soak.real import RealSoak
from soak.virtual import Settings, VirtualSoak

FOUND, BROKEN_OFF = 1, 130


def main() -> int:
    """Run what was asked for. Exit code 0: nothing was found; 1: there are findings; 130: broken off."""
    options = _options()
    kept = options.directory or Path(tempfile.mkdtemp(prefix="edgecore-soak-"))
    print(f"seed {options.seed}; files in {kept}")
    found: list[str] = []
    try:
        if options.virtual_minutes:
            found += _run("virtual", options.virtual_minutes, lambda tell: _virtual(kept, options, tell))
        if options.real_minutes:
            found += _run("real", options.real_minutes, lambda tell: _real(kept, options, tell))
    except KeyboardInterrupt:
        print("\nsoak: broken off; everything that was started has ended", file=sys.stderr)
        return BROKEN_OFF
    if found:
        again = f"make soak SOAK='--seed {options.seed}'"
        print(f"soak: not well, see FINDING above ({len(found)}); the logs are in {kept}; the same again: {again}")
        return FOUND
    print("soak: all is flat, every answer was right, the ledgers are empty, and no warning is unexplained")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="soak",
        description="A whole node under mixed load, cuts and restarts of its cloud: half an hour of virtual time in "
        "one process (less than a minute), then five real minutes as programs.",
        epilog="exit codes: 0 nothing was found, 1 there are findings, 130 broken off by Ctrl-C",
    )
    parser.add_argument("--virtual-minutes", type=float, default=30.0, help="virtual time; 0: none (default 30)")
    parser.add_argument("--real-minutes", type=float, default=5.0, help="real time; 0: none (default 5)")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="of all that happens by chance")
    parser.add_argument("--directory", type=Path, help="where files and logs are kept (default: a new one in /tmp)")
    return parser.parse_args()


def _virtual(kept: Path, options: argparse.Namespace, tell: Callable[[str, float], None]) -> Outcome:
    directory = kept / "virtual"
    directory.mkdir(parents=True, exist_ok=True)

    async def soak() -> Outcome:
        return await VirtualSoak(directory, Settings(round(options.virtual_minutes * 60), options.seed), tell).run()

    return asyncio.run(soak())


def _real(kept: Path, options: argparse.Namespace, tell: Callable[[str, float], None]) -> Outcome:
    directory = kept / "real"
    directory.mkdir(parents=True, exist_ok=True)

    async def soak() -> Outcome:
        return await RealSoak(directory, options.real_minutes * 60, options.seed, tell).run()

    return asyncio.run(soak())


def _run(name: str, minutes: float, soak: Callable[[Callable[[str, float], None]], Outcome]) -> list[str]:
    began = time.monotonic()
    outcome = soak(_progress())
    took_s = time.monotonic() - began
    print(f"\n{name} soak: {minutes:g} minutes, which took {took_s:,.0f} s")
    for line in outcome.summary():
        print(f"  {line}")
    return outcome.findings


def _progress() -> Callable[[str, float], None]:
    """Return what shows how far it is: a line on a terminal that is written anew, and nothing elsewhere."""
    if not sys.stderr.isatty():
        return lambda _what, _share: None
    began = time.monotonic()

    def show(what: str, share: float) -> None:
        bar = "#" * round(share * 30)
        end = "\n" if share >= 1.0 else ""
        print(
            f"\r{what} [{bar:<30}] {share:4.0%} {time.monotonic() - began:5.0f} s ",
            end=end,
            file=sys.stderr,
            flush=True,
        )

    return show


if __name__ == "__main__":
    sys.exit(main())
