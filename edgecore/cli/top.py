"""``edgecore top``: how the running node is, on a screen that goes on."""

import argparse
import os
import select
import shutil
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edgecore.cli.target import add_target, client_of
from edgecore.cli.top_figures import Troubles, figures
from edgecore.clock import Clock, SystemClock
from edgecore.control.ages import time_of_day
from edgecore.control.client import ControlClient
from edgecore.errors import ControlError

Json = dict[str, Any]

INTERVAL_S = 1.0
_LEAST_ONCE_S = 0.05
_MOST_S = 3600.0
_SHARE = 0.05
"""So much of its time a node may have to spend on telling how it is: with many services it is asked less often."""
_NO_CURSOR = ("dumb", "unknown")
"""Terminals on which nothing can be printed over."""
_LOOK_S = 0.25
"""How soon another size of the terminal is seen."""

_DESCRIPTION = """\
Show the running node on a screen that goes on: the link to the cloud, every module
with its queue and its messages a second, the services with fake IP and backends (what
is not well first, then the busiest), names asked for, requests served, and what went
wrong lately. The status of the node is asked for once an interval, no more (less
often where it takes the node long, as with thousands of services).

q ends it. Without a terminal, or on a dumb one, the screens are printed one after the other."""

_EPILOG = """\
columns:
  WAITING   messages in the mailbox of the module, of so many that have room
  LAY       how long a message lay there, on average of the last interval
  BACKENDS  those that get requests, of all

exit code:
  0    ended by q, or printed once
  1    the node cannot be reached (once it was, that is shown, and tried again)
  130  ended by Ctrl-C

examples:
  edgecore top --config edgecore.yaml
  edgecore top --interval 5
      a calmer one
  edgecore top --once | head -4
      one screen as text, with the rates of one second"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "top",
        help="a live screen of the running node",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_target(parser)
    parser.add_argument(
        "--interval", type=_seconds, default=INTERVAL_S, metavar="S", help="seconds between two looks (1 or more)"
    )
    parser.add_argument("--once", action="store_true", help="print one screen as text; --interval may be less than 1")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show screens until somebody ends it; return the exit code. Raises ``ControlError``."""
    clock = SystemClock()
    readings = _Readings(client_of(args), clock)
    if args.once:
        _wait([], args.interval)
        readings.read()
        _print(readings)
        return 0
    interval_s = max(INTERVAL_S, args.interval)
    if not sys.stdout.isatty() or os.environ.get("TERM") in _NO_CURSOR:
        while True:
            _wait([], interval_s)
            readings.read()
            _print(readings)
            print(flush=True)
    return _live(readings, clock, interval_s)


class _Readings:
    """The last two statuses of the node, and what went wrong meanwhile."""

    def __init__(self, client: ControlClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self.troubles = Troubles()
        self.took_s = 0.0
        """How long the node took to answer."""
        self._since = ""
        self.note = ""
        self.before: Json | None = None
        self.now: Json = self._ask()

    def read(self) -> None:
        """Ask once more; a node that is away is told in ``note``."""
        try:
            status = self._ask()
        except ControlError as error:
            if not self.note:
                self._since = time_of_day(self._clock.now_ms())[:8]
            self.note = f"away since {self._since}: {str(error).partition(';')[0]}"
            return
        self.note = ""
        self.before, self.now = self.now, status

    def _ask(self) -> Json:
        begun = self._clock.monotonic()
        status: Json = self._client.get("/v1/status")
        self.took_s = self._clock.monotonic() - begun
        self.troubles.look(status, self._clock.now_ms())
        return status


def _print(readings: _Readings) -> None:
    from edgecore.cli.top_screen import WIDTH, text  # noqa: PLC0415 - rich takes longer to load than --help may

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH
    told = figures(readings.now, readings.before)
    print(text(told, readings.troubles.lately(), width=width, note=readings.note), end="", flush=True)


def _live(readings: _Readings, clock: Clock, interval_s: float) -> int:
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.live import Live  # noqa: PLC0415

    from edgecore.cli.top_screen import screen  # noqa: PLC0415

    console = Console(no_color=True if os.environ.get("NO_COLOR") else None)

    def shown() -> Any:
        told = figures(readings.now, readings.before)
        width, height = console.size
        return screen(told, readings.troubles.lately(), width=width, height=height, note=readings.note)

    with _keys() as keys, Live(shown(), console=console, screen=True, auto_refresh=False) as live:
        while True:
            due, size = clock.monotonic() + max(interval_s, readings.took_s / _SHARE), console.size
            while (left_s := due - clock.monotonic()) > 0:
                if _wait(keys, min(left_s, _LOOK_S)) and os.read(keys[0], 1) in (b"q", b"Q", b""):
                    return 0
                if console.size != size:
                    size = console.size
                    live.update(shown(), refresh=True)
            readings.read()
            live.update(shown(), refresh=True)


def _wait(keys: list[int], seconds: float) -> bool:
    """Wait so long, or for a key; return whether there is one."""
    return bool(select.select(keys, [], [], seconds)[0])


@contextmanager
def _keys() -> Iterator[list[int]]:
    """Have keys come one by one, unseen; none where the input is no terminal."""
    if not sys.stdin.isatty():
        yield []
        return
    stdin = sys.stdin.fileno()
    before = termios.tcgetattr(stdin)
    tty.setcbreak(stdin)
    try:
        yield [stdin]
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not _LEAST_ONCE_S <= seconds <= _MOST_S:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from {_LEAST_ONCE_S:g} to {_MOST_S:g}")
    return seconds
