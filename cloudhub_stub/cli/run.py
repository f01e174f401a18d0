"""``cloudhub-stub run``: the stub as a long-running program."""

import argparse
import asyncio
import shlex
import sys
from pathlib import Path

import uvloop

from cloudhub_stub.app import Stub, run_until_signal
from cloudhub_stub.cli.target import state_dir_of
from cloudhub_stub.cli.values import count, fraction_of_a_second, some_days, some_seconds
from cloudhub_stub.controllers.names import CONTROLLERS, NODE_GRACE_S
from cloudhub_stub.delivery.ack_lane import DEFAULT_TIMING
from cloudhub_stub.delivery.queue import DEFAULT_RULES
from cloudhub_stub.faults.scenario import load_scenario
from cloudhub_stub.settings import (
    DEFAULT_ANSWER_DELAY_S,
    DEFAULT_HTTPS,
    DEFAULT_KEEPALIVE_TIMEOUT_S,
    DEFAULT_LISTEN,
    DEFAULT_NODE_LIMIT,
    DEFAULT_TOKEN_LIFETIME_S,
    DEFAULT_WRITE_TIMEOUT_S,
    HUNDRED_YEARS_DAYS,
    MAX_IN_FLIGHT,
    MAX_MESSAGE_BYTES,
    OBSERVE_OFF,
    CertificateFiles,
    Settings,
)
from edgecore import __version__
from edgecore.addresses import join_address, split_address
from edgecore.control.openfiles import raise_file_limit
from edgecore.observe.logs import FORMATS, LEVELS, configure_logging
from edgecore.observe.server import AUTO

_DESCRIPTION = """\
Run the cloud side until Ctrl-C or SIGTERM (a second one ends it at once): edge nodes
fetch a certificate by https with a token, connect by websocket with it, register, post
their status and ask for objects; other commands of cloudhub-stub tell it what to do
through its control socket. The first start makes the CA, which later ones use again.
It is a small Kubernetes too: what is applied to it is scheduled, and brought to the
edges. Its whole state is in one file, and it goes on from there when it is started
again."""

_EPILOG = """\
examples:
  cloudhub-stub run
      listen on wss://127.0.0.1:10000, and on https://127.0.0.1:10002 for certificates
  cloudhub-stub run --listen 0.0.0.0:10000 --https 0.0.0.0:10002 --advertise 192.0.2.10
      for edges on other machines, which know this one as 192.0.2.10
  cloudhub-stub run --listen 127.0.0.1:0 --https 127.0.0.1:0 --state-dir /tmp/stub
      a second one beside it, on free ports that it prints
  cloudhub-stub run --plain
      ws://127.0.0.1:10000 without TLS, for trying things out
  cloudhub-stub run --cert-days 0.01
      certificates of a quarter of an hour, to see edges renew them
  cloudhub-stub run --faithful --node-limit 2
      see what a CloudHub 1.3.1 does to the second node
  cloudhub-stub run --controllers=-endpoints
      for somebody who applies Endpoints, too
  cloudhub-stub run --log-level debug --log-format json 2> stub.log
      keep everything it says
  cloudhub-stub run --faults examples/faults/outage.yaml
      and let go wrong what that scenario says
  cloudhub-stub run --record session.jsonl.zst
      record what goes over the link, for edgecore recording and cloudhub-stub replay

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
    _add_certificates(parser)
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
    parser.add_argument(
        "--faults",
        type=Path,
        metavar="FILE",
        help="let go wrong what this scenario says (YAML; see cloudhub_stub/faults/README.md and `fault check`)",
    )
    _add_recording(parser)
    _add_delivery(parser)
    _add_cluster(parser)
    _add_logging(parser)
    parser.set_defaults(run=run)


def _add_recording(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="record the frames of all nodes, their connections and what goes wrong on purpose into FILE "
        "(.jsonl, .jsonl.zst, .jsonl.gz), which must not be there yet",
    )
    parser.add_argument("--record-secrets", action="store_true", help="write secrets as they are (default: pseudonyms)")


def _add_logging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--log-level", choices=tuple(LEVELS), default="info", help="default: %(default)s")
    parser.add_argument(
        "--log-format",
        choices=FORMATS,
        default=AUTO,
        help="auto is console on a terminal, else json (default: %(default)s)",
    )


def _add_certificates(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--https",
        type=_address,
        default=DEFAULT_HTTPS,
        metavar="HOST:PORT",
        help="where edges fetch certificates; port 0 takes a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--plain", action="store_true", help="ws:// without TLS and certificates, and no https: for trying things out"
    )
    parser.add_argument(
        "--advertise",
        action="append",
        default=[],
        metavar="NAME|IP",
        help="by what name or address edges reach this machine, where it is another than it listens on; "
        "can be given several times",
    )
    parser.add_argument(
        "--cert-days",
        type=some_days,
        default=HUNDRED_YEARS_DAYS,
        metavar="DAYS",
        help="how long the certificates of edges last (default: %(default)g, as in KubeEdge)",
    )
    parser.add_argument(
        "--token-lifetime",
        type=some_seconds,
        default=DEFAULT_TOKEN_LIFETIME_S,
        metavar="S",
        help="how long a token is good for; a new one is made at half its time (default: %(default)g)",
    )
    for flag, meaning in (
        ("--ca-file", "your own CA certificate, instead of the one that the first start makes"),
        ("--ca-key-file", "its key: EC, as edges of KubeEdge 1.3.1 want it"),
        ("--cert-file", "your own server certificate, of that CA"),
        ("--key-file", "its key"),
    ):
        parser.add_argument(flag, type=Path, metavar="PEM", help=meaning)


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
        metavar="N",
        help="send so many objects to a node before the first is acknowledged (default: "
        f"{DEFAULT_TIMING.in_flight}, and {DEFAULT_TIMING.in_flight_ours} to an edge of this project)",
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
    _add_manners(group)


def _add_manners(group: "argparse._ArgumentGroup") -> None:
    """Add what makes one cloud behave otherwise than another."""
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
        "--confirm-reports",
        action="store_true",
        help="answer the reports of devices, as clouds from 1.4 on do; 1.3.1 does not",
    )
    group.add_argument(
        "--tell-devices",
        action="store_true",
        help="answer an edge that asks for all its devices (membership/detail); 1.3.1 does not",
    )
    group.add_argument(
        "--write-timeout",
        type=some_seconds,
        default=DEFAULT_WRITE_TIMEOUT_S,
        metavar="S",
        help="with --faithful: drop a node so many seconds after the last message to it (default: %(default)g)",
    )


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the cluster")
    group.add_argument(
        "--controllers",
        type=_controllers,
        default=CONTROLLERS,
        metavar="LIST",
        help=f"which controllers work: * for all, NAME, or -NAME for all but that one, separated by commas; "
        f"there are {', '.join(CONTROLLERS)} (default: *)",
    )
    group.add_argument(
        "--node-grace",
        type=some_seconds,
        default=NODE_GRACE_S,
        metavar="S",
        help="a node that posts no status for so many seconds is not ready any more (default: %(default)g)",
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
            scenario=() if args.faults is None else load_scenario(args.faults),
            plain=args.plain,
            https=args.https,
            advertise=tuple(args.advertise),
            certificate_files=CertificateFiles(args.ca_file, args.ca_key_file, args.cert_file, args.key_file),
            cert_days=args.cert_days,
            token_lifetime_s=args.token_lifetime,
            resend_every_s=args.resend_every,
            give_up_after_s=args.give_up_after,
            in_flight=args.in_flight,
            queue_messages=args.queue_messages,
            queue_bytes=args.queue_bytes,
            answer_delay_s=args.answer_delay,
            node_limit=args.node_limit,
            faithful=args.faithful,
            write_timeout_s=args.write_timeout,
            controllers=args.controllers,
            node_grace_s=args.node_grace,
            confirm_reports=args.confirm_reports,
            tell_devices=args.tell_devices,
            record=None if args.record is None else args.record.absolute(),
            record_secrets=args.record_secrets,
        )
    )
    raise_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_until_signal(stub, lambda: _announce(stub, args)))
    return 0


def _announce(stub: Stub, args: argparse.Namespace) -> None:
    print(f"cloudhub-stub {__version__} is running; Ctrl-C stops it")
    print(f"  edges connect to  {stub.server.url}")
    print(f"  commands use      {stub.control.path}")
    if stub.observe is not None:
        print(f"  figures           http://{stub.observe.address}/metrics")
    if stub.joining.url is not None:
        print(f"  certificates      {stub.joining.url}\nan edge joins with\n  {_how_to_join(stub, args)}")
    sys.stdout.flush()


def _how_to_join(stub: Stub, args: argparse.Namespace) -> str:
    """Return a line for the shell. The token is not in it: what is printed here may end in a log."""
    where = [] if args.state_dir is None else ["--state-dir", str(args.state_dir)]
    if args.control is not None:
        where = ["--control", str(args.control)]
    server, https = (_as_dialled(url or "", args.advertise) for url in (stub.server.url, stub.joining.url))
    return (
        f"{shlex.join(['cloudhub-stub', 'token', *where])} | "
        f"edgecore join --user --server {server} --https https://{https} --token-file -"
    )


def _as_dialled(url: str, advertised: list[str]) -> str:
    """Return ``host:port`` of ``url`` as edges reach it: nobody can dial all addresses of a machine."""
    host, port = split_address(url.rpartition("/")[2])
    if host in {"0.0.0.0", "::"}:
        host = advertised[0] if advertised else "127.0.0.1"
    return join_address(host, port)


def _address(text: str) -> str:
    try:
        split_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form HOST:PORT") from error
    return text


def _controllers(text: str) -> tuple[str, ...]:
    """Return the controllers that are meant, as kube-controller-manager reads ``--controllers``."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    chosen = set(CONTROLLERS) if any(word == "*" or word.startswith("-") for word in words) else set()
    for word in words:
        name = word.removeprefix("-")
        if word != "*" and name not in CONTROLLERS:
            raise argparse.ArgumentTypeError(f"no controller is called {name!r}: there are {', '.join(CONTROLLERS)}")
        if word.startswith("-"):
            chosen.discard(name)
        elif word != "*":
            chosen.add(name)
    return tuple(name for name in CONTROLLERS if name in chosen)


def _in_flight(text: str) -> int:
    number = count(text)
    if number > MAX_IN_FLIGHT:
        raise argparse.ArgumentTypeError(f"must be {MAX_IN_FLIGHT} or less")
    return number


def _observe(text: str) -> str:
    return text if text in {AUTO, OBSERVE_OFF} else _address(text)
