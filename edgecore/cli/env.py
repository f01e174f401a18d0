"""``edgecore env``: shell lines that send a shell's HTTP through the running node, and how to try names by hand."""

import argparse
import re
import shlex
from collections.abc import Mapping
from typing import Any

from edgecore.cli.target import add_target, client_of
from edgecore.errors import ControlError

_DESCRIPTION = """\
Print the line that makes HTTP clients use the plain listener of the running node, a
forward proxy that reaches every service by name; and, as comments, how to try it."""

_EPILOG = """\
examples:
  eval "$(edgecore env)"
      from now on, curl in this shell reaches the services of the node by name
  edgecore env --config edgecore.yaml
      see the lines, and how to ask the node's DNS

exit code: 0 printed, 1 the node cannot be reached, or has no plain listener"""

_NAME = re.compile(r"[A-Za-z0-9.-]+")
_EXAMPLE = {"namespace": "default", "name": "my-service", "ports": [{"port": 80}]}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "env",
        help="print the shell lines that send HTTP through the running node",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_target(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the lines."""
    print(shell_lines(client_of(args).get("/v1/status")))
    return 0


def shell_lines(status: Mapping[str, Any]) -> str:
    """Return lines for ``eval``: one ``export``, the rest comments. Raises ``ControlError`` without a plain listener.

    Names that are not plain host names are never printed: they come from the cloud, and a shell reads the lines.
    """
    mesh = status.get("mesh") or {}
    proxy = mesh.get("plain_listener")
    if not proxy:
        raise ControlError(
            "cannot print the proxy of the node: its plain listener is not bound; is edgeMesh enabled?"
            " edgecore status says more"
        )
    services = [*filter(_is_plain, mesh.get("services") or ()), _EXAMPLE]
    ports = [(service, port) for service in services for port in service["ports"]]
    # One that can be tried, if there is any.
    service, port = next((one for one in ports if one[1].get("state") == "listening"), ports[0])
    host = f"{service['name']}.{service['namespace']}.svc"  # the short form: good in any cluster domain
    lines = [
        f"export http_proxy={shlex.quote(f'http://{proxy}')}",
        "# HTTP reaches the node's services alone while this is set; to end it: unset http_proxy",
        "# every service of the node, by name and port:",
        f"#   curl http://{host}:{int(port['port'])}/",
    ]
    for address in (mesh.get("dns") or {}).get("listening", ())[:1]:
        server, _, dns_port = address.rpartition(":")
        server = shlex.quote(server.strip("[]"))
        lines += ["# its address, from the node's DNS:", f"#   dig @{server} -p {int(dns_port)} {host} +short"]
    return "\n".join(lines)


def _is_plain(service: Mapping[str, Any]) -> bool:
    names = (service.get("namespace"), service.get("name"))
    if service.get("type") == "ExternalName":  # it is somewhere else
        return False
    return bool(service.get("ports")) and all(isinstance(name, str) and _NAME.fullmatch(name) for name in names)
