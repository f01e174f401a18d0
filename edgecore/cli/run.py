"""``edgecore run``: the node as a long-running program."""

import argparse
import gc
import resource
import sys
from pathlib import Path

import uvloop

from edgecore.app import Node
from edgecore.config.host import this_machine
from edgecore.config.load import DEFAULT_PATH, LoadedConfig, load
from edgecore.config.paths import check_paths
from edgecore.control.signals import stop_on_signal
from edgecore.observe.logs import configure_logging

_DESCRIPTION = """\
Run an edge node until Ctrl-C or SIGTERM (a second one ends it at once). The
configuration is KubeEdge's edgecore.yaml; `edgecore config --min --user` prints one
whose paths an ordinary user can write. Logs go to standard error."""

_EPILOG = """\
examples:
  edgecore config --min --user > edgecore.yaml && edgecore run --config edgecore.yaml
      run a node without root
  edgecore run --config edgecore.yaml 2> node.log
      keep its log: JSON lines, as standard error is no terminal
  edgecore status --config edgecore.yaml
      ask it how it is, from another terminal

exit code: 0 stopped as it was told, 1 could not start, 2 wrong usage"""


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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the node until it is told to stop, and return the exit code."""
    loaded = load(args.config, env=this_machine())
    configure_logging(loaded.config.observe.log_level, loaded.config.observe.log_format)
    check_paths(loaded.config)
    raise_file_limit()
    gc.freeze()  # what is loaded by now stays: the collector need not look through it over and over
    uvloop.run(run_until_signal(loaded))
    return 0


def raise_file_limit() -> None:
    """Let this process open as many files as it may: each service port and each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def run_until_signal(loaded: LoadedConfig) -> None:
    """Run a node until a signal tells it to stop."""
    stopped = stop_on_signal()
    node = Node(loaded)
    await node.start()
    try:
        print(f"node {node.config.node_name} runs; edgecore status --control {node.config.control_socket}")
        sys.stdout.flush()
        await stopped.wait()
    finally:
        await node.stop()
