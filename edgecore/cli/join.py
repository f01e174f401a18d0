"""``edgecore join``: a configuration and a certificate for a node that is new to a cloud."""

import argparse
import asyncio
import os
import shlex
import sys
from pathlib import Path

from edgecore.cli.joining import Joining, Wanted, configuration
from edgecore.config import rules
from edgecore.config.addresses import HostPort, parse_host_port
from edgecore.config.host import state_directory, this_machine
from edgecore.config.load import DEFAULT_PATH
from edgecore.errors import ConfigError, EnrolmentError, reason_of

CLOUDHUB_PORT, HTTPS_PORT = 10000, 10002
MAX_TOKEN_BYTES = 65_536

_DESCRIPTION = """\
Join a cloud: fetch its CA, see that it is the one that the token names, get a
certificate for this node, and write a configuration with which `edgecore run`
connects. Nothing is written before all of it has worked.

The token says which CA to believe (the hash before its first dot) and that this
node may have a certificate (the rest). It is used now and not written down: it is
good for a day or less, the certificate of a CloudCore 1.3.1 for a hundred years.
Whoever lets the node itself apply, later or again, puts the token into
modules.edgeHub.token of the configuration."""

_EPILOG = """\
examples:
  kubectl get secret -n kubeedge tokensecret -o jsonpath='{.data.tokendata}' | base64 -d > token
  edgecore join --user --server 192.0.2.10 --token-file token
      join a CloudCore as an ordinary user; the first line is for who administers the cluster
  cloudhub-stub token | edgecore join --user --server 127.0.0.1:10000 --token-file -
      join the cloud stub of this machine
  edgecore join --root ~/north --name north --server 192.0.2.10 --token-file token
      one of several nodes on one machine, each with a directory of its own
  edgecore join --user --server cloud.example:30000 --https https://cloud.example:30002 --token-file token
      a cloud behind other ports; its certificate must have the name or address that is used here
  edgecore join --user --server 192.0.2.10 --token-file token --force
      join again, or another cloud: configuration and certificate are replaced

exit code: 0 joined, 1 could not (no file was written), 2 wrong usage"""

_ADVICE = {
    "token": "the examples of `edgecore join --help` show where a token comes from",
    "ca": "try --https with the cloud's HTTPS port, and a token of that cloud",
    "key": "try again",
    "certificate": "try again with a new token, and with the name or address that the cloud's certificate has",
    "files": "try --user, or --root with a directory that you can write",
}
"""What to try next, by the step that failed."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "join",
        help="join a cloud: get a certificate with a token, and write the configuration",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--server",
        required=True,
        type=_server,
        metavar="HOST[:PORT]",
        help=f"CloudHub's address; port {CLOUDHUB_PORT} if none is named",
    )
    token = parser.add_mutually_exclusive_group(required=True)
    token.add_argument("--token", help="the token (other users of the machine see it in the list of processes)")
    token.add_argument("--token-file", metavar="FILE", help="read the token from FILE; - is standard input")
    parser.add_argument(
        "--https",
        type=_https,
        metavar="URL",
        help=f"where certificates are asked for (default: https, the host of --server, port {HTTPS_PORT})",
    )
    parser.add_argument(
        "--config",
        type=_path,
        metavar="FILE",
        help="where to write the configuration (default: edgecore.yaml in the directory of --user or --root, or"
        f" {DEFAULT_PATH})",
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--user",
        action="store_true",
        help="put everything where an ordinary user can write: $XDG_STATE_HOME/edgecore, or ~/.local/state/edgecore",
    )
    place.add_argument("--root", type=_path, metavar="DIR", help="put everything below DIR")
    parser.add_argument("--name", type=_name, metavar="NODE", help="the name of the node (default: of this machine)")
    parser.add_argument(
        "--cloud-version",
        type=_version,
        default="1.3.1",
        metavar="VERSION",
        help="the KubeEdge version of the cloud (default: %(default)s)",
    )
    parser.add_argument("--force", action="store_true", help="replace a configuration and certificate that are there")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Join; return the exit code. Raises ``EdgecoreError`` with nothing written."""
    env = this_machine()
    root = args.root or (state_directory(os.environ) if args.user else None)
    https = args.https or f"https://{HostPort(args.server.host, HTTPS_PORT)}"
    config = configuration(Wanted(args.server, https, args.name or "", args.cloud_version, root), env)
    file = args.config or (DEFAULT_PATH if root is None else root / "edgecore.yaml")
    joining = Joining(config, env, file, _token(args))
    try:
        joining.check(force=args.force)
        _tell(f"joining the cloud at {https} as node {config.node_name}")
        asyncio.run(joining.join(lambda line: _tell(f"  {line}")))
    except EnrolmentError as error:
        sys.stderr.write(f"edgecore: {error}\n  no file was written; {_ADVICE[error.step]}\n")
        return 1
    _tell(f"joined. Run the node:\n  edgecore run --config {shlex.quote(str(file))}")
    return 0


def _tell(line: str) -> None:
    print(line, flush=True)


def _token(args: argparse.Namespace) -> str:
    if args.token_file is None:
        return str(args.token)
    try:
        if args.token_file == "-":  # noqa: S105 - the name of standard input
            data = sys.stdin.buffer.read(MAX_TOKEN_BYTES)
        else:
            with Path(args.token_file).open("rb") as file:
                data = file.read(MAX_TOKEN_BYTES)
    except OSError as error:
        raise ConfigError(f"cannot read the token from {args.token_file}: {reason_of(error)}") from error
    return data.decode(errors="replace")


def _server(text: str) -> HostPort:
    scheme, mark, rest = text.rpartition("://")
    if mark and scheme.lower() != "wss":
        raise argparse.ArgumentTypeError(
            f"{text!r}: only a cloud with TLS is joined; one without needs no certificate, just ws://... in"
            " modules.edgeHub.websocket.server of a configuration"
        )
    try:
        server = parse_host_port(rest, CLOUDHUB_PORT)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}; allowed: HOST or HOST:PORT") from None
    if server.port == 0:
        raise argparse.ArgumentTypeError(f"{text!r}: the port is 0")
    return server


def _https(text: str) -> str:
    if not text.lower().startswith("https://") or not rules.WEB_ADDRESS.accepts(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an https:// address such as https://192.0.2.10:10002")
    return text


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("is empty; name a place")
    return Path(text).absolute()


def _name(text: str) -> str:
    return _kept(text, rules.NODE_NAME)


def _version(text: str) -> str:
    return _kept(text, rules.VERSION)


def _kept(text: str, rule: rules.Rule) -> str:
    if not rule.accepts(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not {rule}")
    return text
