"""``cloudhub-stub run``: the stub as a long-running program."""

import argparse
import asyncio
import sys
from pathlib import Path

import uvloop

from cloudhub_stub.ack_lane import DEFAULT_TIMING
from cloudhub_stub.app import Stub, run_until_signal
from cloudhub_stub.cli.target import state_dir_of
from cloudhub_stub.cli.values import count, fraction_of_a_second, some_seconds
from cloudhub_stub.queue import DEFAULT_RULES
from cloudhub_stub.settings import (
    DEFAULT_ANSWER_DELAY_S,
    DEFAULT_KEEPALIVE_TIMEOUT_S,
    DEFAULT_LISTEN,
    DEFAULT_NODE_LIMIT,
    DEFAULT_WRITE_TIMEOUT_S,
    MAX_IN_FLIGHT,
    MAX_MESSAGE_BYTES,
    OBSERVE_OFF,
    Settings,
)
from edgecore import __version__
from edgecore.addresses import split_address
from edgecore.observe.logs import FORMATS, LEVELS, configure_logging
from edgecore.observe.server import AUTO

_DESCRIPTION = """\
Run the cloud side until Ctrl-C or SIGTERM (a second one ends it at once): edge nodes
connect by websocket, register, post their status and ask for objects; other commands
of cloudhub-stub tell it what to do through its control socket. What it was told to send
waits on disk until the node has it; what nodes told about themselves it forgets when it
ends."""

_EPILOG = """\
examples:
  cloudhub-stub run
      listen on ws://127.0.0.1:10000
  cloudhub-stub run --listen 127.0.0.1:0 --state-dir /tmp/stub
      a second one beside it, on a free port that it prints
  cloudhub-stub run --faithful --node-limit 2
      see what a CloudHub 1.3.1 does to the second node
  cloudhub-stub run --log-level debug --log-format json 2> stub.log
      keep everything it says

exit code: 0 stopped as it was told, 1 could not start, 2 wrong usage"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "run",
        help="run the cloud side until it is told to stop",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--listen",
        type=_address,
        default=DEFAULT_LISTEN,
        metavar="HOST:PORT",
        help="where edges connect; port 0 takes a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--state-dir",
        type=Path,
        metavar="DIR",
        help="where its files are (default: $XDG_STATE_HOME/cloudhub-stub or ~/.local/state/cloudhub-stub)",
    )
    parser.add_argument(
        "--control", type=Path, metavar="SOCKET", help="the control socket (default: control.sock in that directory)"
    )
    parser.add_argument(
        "--observe",
        type=_observe,
        default=AUTO,
        metavar="HOST:PORT|auto|off",
        help="where /metrics, /healthz and /debug/ are; auto is a free port of 127.0.0.1 (default: %(default)s)",
    )
    parser.add_argument(
        "--keepalive-timeout",
        type=some_seconds,
        default=DEFAULT_KEEPALIVE_TIMEOUT_S,
        metavar="S",
        help="drop a node that sends no keepalive for so many seconds (default: %(default)g)",
    )
    parser.add_argument(
        "--max-message-bytes",
        type=count,
        default=MAX_MESSAGE_BYTES,
        metavar="N",
        help="drop a node that sends a longer message (default: %(default)d)",
    )
    _add_delivery(parser)
    parser.add_argument("--log-level", choices=tuple(LEVELS), default="info", help="default: %(default)s")
    parser.add_argument(
        "--log-format",
        choices=FORMATS,
        default=AUTO,
        help="auto is console on a terminal, else json (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def _add_delivery(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("delivery to the nodes")
    group.add_argument(
        "--resend-every",
        type=some_seconds,
        default=DEFAULT_TIMING.resend_every_s,
        metavar="S",
        help="send an object again every so many seconds until it is acknowledged (default: %(default)g)",
    )
    group.add_argument(
        "--give-up-after",
        type=some_seconds,
        default=DEFAULT_TIMING.give_up_after_s,
        metavar="S",
        help="put it aside after so many, until the node connects again (default: %(default)g)",
    )
    group.add_argument(
        "--in-flight",
        type=_in_flight,
        default=DEFAULT_TIMING.in_flight,
        metavar="N",
        help="send so many objects to a node before the first is acknowledged (default: %(default)d)",
    )
    group.add_argument(
        "--queue-messages",
        type=count,
        default=DEFAULT_RULES.max_messages,
        metavar="N",
        help="refuse messages beyond so many that wait for a node (default: %(default)d)",
    )
    group.add_argument(
        "--queue-bytes",
        type=count,
        default=DEFAULT_RULES.max_bytes,
        metavar="N",
        help="the same for their length together (default: %(default)d)",
    )
    group.add_argument(
        "--answer-delay",
        type=fraction_of_a_second,
        default=DEFAULT_ANSWER_DELAY_S,
        metavar="S",
        help="hold an answer to a Go edge back so long: it is not ready for it before (default: %(default)g)",
    )
    group.add_argument(
        "--node-limit",
        type=count,
        default=DEFAULT_NODE_LIMIT,
        metavar="N",
        help="let so many nodes connect (default: %(default)d)",
    )
    group.add_argument(
        "--faithful",
        action="store_true",
        help="have the bugs of CloudHub 1.3.1 that an edge can see (docs/fidelity.md: H1, H5, H8, H9, H11, H14, T2)",
    )
    group.add_argument(
        "--write-timeout",
        type=some_seconds,
        default=DEFAULT_WRITE_TIMEOUT_S,
        metavar="S",
        help="with --faithful: drop a node so many seconds after the last message to it (default: %(default)g)",
    )


def run(args: argparse.Namespace) -> int:
    """Run until a signal. Raises ``ListenError`` or ``ConfigError`` where it cannot start."""
    configure_logging(args.log_level, args.log_format)
    stub = Stub(
        Settings(
            state_dir=state_dir_of(args),
            listen=args.listen,
            control=args.control,
            observe=args.observe,
            keepalive_timeout_s=args.keepalive_timeout,
            max_message_bytes=args.max_message_bytes,
            resend_every_s=args.resend_every,
            give_up_after_s=args.give_up_after,
            in_flight=args.in_flight,
            queue_messages=args.queue_messages,
            queue_bytes=args.queue_bytes,
            answer_delay_s=args.answer_delay,
            node_limit=args.node_limit,
            faithful=args.faithful,
            write_timeout_s=args.write_timeout,
        )
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_until_signal(stub, lambda: _announce(stub)))
    return 0


def _announce(stub: Stub) -> None:
    print(f"cloudhub-stub {__version__} is running; Ctrl-C stops it")
    print(f"  edges connect to  {stub.server.url}")
    print(f"  commands use      {stub.control.path}")
    if stub.observe is not None:
        print(f"  figures           http://{stub.observe.address}/metrics")
    sys.stdout.flush()


def _address(text: str) -> str:
    try:
        split_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form HOST:PORT") from error
    return text


def _in_flight(text: str) -> int:
    number = count(text)
    if number > MAX_IN_FLIGHT:
        raise argparse.ArgumentTypeError(f"must be {MAX_IN_FLIGHT} or less")
    return number


def _observe(text: str) -> str:
    return text if text in {AUTO, OBSERVE_OFF} else _address(text)
