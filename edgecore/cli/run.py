"""``edgecore run``: the node as a long-running program."""

import argparse
import asyncio
import faulthandler
import gc
import os
import stat
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog
import uvloop

from edgecore.app import Node
from edgecore.cli.recordflags import add_record_flags, wish_of
from edgecore.config.host import Environment, this_machine
from edgecore.config.load import DEFAULT_PATH, LoadedConfig, load
from edgecore.config.paths import check_paths
from edgecore.control.openfiles import raise_file_limit
from edgecore.control.program import let_go_of_stdout
from edgecore.control.signals import stop_on_signal
from edgecore.errors import ConfigError
from edgecore.observe.logs import configure_logging
from edgecore.observe.remarks import Remarks
from edgecore.observe.servicemanager import VARIABLE, ServiceManager
from edgecore.recording.recorder.desk import Wish

log = structlog.get_logger("node")

END_S = 8.0
"""How long a process may take to end after it was told to, and where it records that much more (``end_s``).

The stages of ``Node.stop`` take 5 at most."""
THREADS_END_S = 0.3
"""How long threads of the loop may take to end after the node has stopped; one may still ask for a name."""
MOST_THREADS = 32
"""A call by a name that no name server knows keeps one for as long as those are asked; others need threads, too."""
_THREAD = "edgecore-loop"
_MOST_RELOADS = 2

_DESCRIPTION = """\
Run an edge node until Ctrl-C or SIGTERM (a second one ends it at once). The
configuration is KubeEdge's edgecore.yaml; `edgecore config --min --user` prints one
whose paths an ordinary user can write. SIGHUP, or `edgecore reload`, has the node
read it again. Logs go to standard error."""

_EPILOG = """\
examples:
  edgecore config --min --user > edgecore.yaml && edgecore run --config edgecore.yaml
      run a node without root
  edgecore run --config edgecore.yaml 2> node.log
      keep its log: JSON lines, as standard error is no terminal
  edgecore run --config edgecore.yaml --record session.jsonl.zst
      record what passes the node, from its start: see edgecore record
  edgecore status --config edgecore.yaml
      ask it how it is, from another terminal

exit code: 0 stopped as it was told, 1 could not start, 2 wrong usage"""

COLLECTED_AFTER = (10_000, 20, 20)
"""So many new objects before they are looked through, and so often before older ones are. Python's own 700 and 10 cost
a quarter of the start of a node with 10,000 services (docs/decisions/0014-where-the-time-goes.md)."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "run",
        help="run an edge node until it is told to stop",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=DEFAULT_PATH,
        metavar="FILE",
        help="the configuration (default: %(default)s)",
    )
    add_record_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the node until it is told to stop, and return the exit code."""
    env = this_machine()
    loaded = load(args.config, env=env)
    remarks = Remarks()
    configure_logging(loaded.config.observe.log_level, loaded.config.observe.log_format, also=remarks.note)
    check_paths(loaded.config)
    record = wish_of(args)
    raise_file_limit()
    gc.freeze()  # what is loaded by now stays: the collector need not look through it over and over
    gc.set_threshold(*COLLECTED_AFTER)
    try:
        uvloop.run(run_until_signal(loaded, partial(load_again, args.config.absolute(), env=env), record, remarks))
    finally:
        faulthandler.cancel_dump_traceback_later()
    return 0


def load_again(path: Path, *, env: Environment) -> LoadedConfig:
    """Read a file that the node was started from. Raises ``ConfigError``, also where reading it might never end."""
    with suppress(OSError):
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise ConfigError(f"cannot read config file {path} again: it is no regular file; restart the node instead")
    return load(path, env=env)


async def run_until_signal(
    loaded: LoadedConfig,
    reread: Callable[[], LoadedConfig] | None = None,
    record: Wish | None = None,
    remarks: Remarks | None = None,
) -> None:
    """Run a node until a signal tells it to stop; on SIGHUP, have it go by what ``reread`` returns."""
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        if len(reloads) < _MOST_RELOADS:  # one that waits for its turn reads all that is written until then
            task = asyncio.create_task(_reload(node, manager, starting), name="reload by signal")
            reloads.add(task)
            task.add_done_callback(reloads.discard)

    stopped = stop_on_signal(reload)
    threads = ThreadPoolExecutor(MOST_THREADS, _THREAD)
    asyncio.get_running_loop().set_default_executor(threads)
    node = Node(loaded, reread=reread, record=record, remarks=remarks)
    # Nobody else is to speak to it in our name: children do not inherit it.
    manager = ServiceManager(os.environ.pop(VARIABLE, ""), node.clock.monotonic)
    starting = asyncio.create_task(node.start(), name="start")
    waiting = asyncio.create_task(stopped.wait(), name="wait for a signal")
    await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if not stopped.is_set():
        try:
            await starting
        finally:
            waiting.cancel()
        manager.ready(f"node {node.config.node_name} runs")
        _say(f"node {node.config.node_name} runs; edgecore status --control {node.config.control_socket}")
    try:
        await stopped.wait()
    finally:
        _end_at_the_latest(END_S + node.recordings.end_s)
        manager.stopping()
        for task in reloads:
            task.cancel()
        starting.cancel()  # where it was not through: it stops what it has begun
        await asyncio.gather(starting, return_exceptions=True)
        await node.stop()
        threads.shutdown(wait=False, cancel_futures=True)
        await _wait_for_threads(node)


async def _wait_for_threads(node: Node) -> None:
    """Return when no thread of the loop is left; end the process where one hangs, as in a question for a name."""
    over_at = node.clock.monotonic() + THREADS_END_S
    while left := [thread.name for thread in threading.enumerate() if thread.name.startswith(_THREAD)]:
        if node.clock.monotonic() > over_at:
            log.warning("threads_not_waited_for", threads=len(left))
            let_go_of_stdout()
            os._exit(0)
        await node.clock.sleep(0.01)


def _say(text: str) -> None:
    """Print a line for whoever looks; that nobody does, or that a disk is full, is no trouble of the node."""
    if sys.stdout is None:
        return
    try:
        print(text, flush=True)
    except (OSError, ValueError):
        let_go_of_stdout()


def _end_at_the_latest(within_s: float) -> None:
    """Have the process end however the node hangs; where each of its threads was then is on standard error."""
    with suppress(RuntimeError, ValueError, OSError):  # there is no standard error
        faulthandler.dump_traceback_later(within_s, exit=True)


async def _reload(node: Node, manager: ServiceManager, starting: "asyncio.Task[None]") -> None:
    await asyncio.wait({starting})  # it is not ready before
    if starting.cancelled() or starting.exception() is not None:
        return
    manager.reloading()
    told = await node.reloader.reload()
    manager.ready(f"node {node.config.node_name} runs; configuration read again: {told['state']}")
