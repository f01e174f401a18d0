"""Makes processes that play a session: forked from one that has everything imported, so that each costs little.

Orders come as JSON lines on standard input. For each, once its process has ended, its exit code, or minus the number of
the signal that ended it, goes to standard output.
"""

import asyncio
import faulthandler
import gc
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

from crash.death import Moment, Point, Reaper
from crash.process import Orders, live
from crash.session import Item, recorded_session
from edgecore.observe.logs import configure_logging

_ROOT = Path(__file__).parents[3]


class Processes:
    """Used as a context. ``run`` starts a process and waits for its end."""

    def __enter__(self) -> "Processes":
        path = os.pathsep.join((str(_ROOT), str(_ROOT / "tests" / "support")))
        self._server = subprocess.Popen(
            [sys.executable, "-m", "crash.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
            cwd=_ROOT,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(20)
        self._server.stdout.close()

    def run(self, orders: Orders) -> int:
        """Return 0 where the process came to its end, minus the signal where it was killed."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(orders) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())


def main() -> None:
    items = recorded_session()
    gc.freeze()
    for line in sys.stdin:
        directory, window, point, killed_after_s = json.loads(line)
        where = Point(Moment(point[0]), point[1]) if point is not None else None
        child = os.fork()
        if not child:
            _child(Orders(directory, window, where), items)
        if killed_after_s is not None:
            time.sleep(killed_after_s)
            os.kill(child, signal.SIGKILL)  # if it has ended by then, nobody has waited for it: the id is its own
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _child(orders: Orders, items: tuple[Item, ...]) -> NoReturn:
    code = 1
    try:
        log = (Path(orders.directory) / "log.txt").open("a", buffering=1)
        os.dup2(log.fileno(), 2)
        faulthandler.dump_traceback_later(30, exit=True, file=log)
        configure_logging("warning", "json", log)
        reaper = Reaper(orders.point)
        reaper.watch_connections()
        asyncio.run(live(orders, items, reaper))
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
