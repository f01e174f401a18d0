"""The command ``edgecore``: its verbs, and the flags of the Go program without one."""

import sys
from collections.abc import Sequence

from edgecore.control.program import Program, Verb

VERBS = (
    Verb("join", "edgecore.cli.join", "join a cloud: get a certificate with a token, and write the configuration"),
    Verb("run", "edgecore.cli.run", "run an edge node until it is told to stop"),
    Verb("reload", "edgecore.cli.reload", "have the running node read its configuration again"),
    Verb("status", "edgecore.cli.status", "show how the running node is: modules, link, services, ports"),
    Verb("pods", "edgecore.cli.pods", "show the pods of the node: ready, status, restarts"),
    Verb("logs", "edgecore.cli.logs", "print what a container of a pod wrote (runtime process)"),
    Verb("services", "edgecore.cli.services", "show services: ports, strategy, backends and why each is in or out"),
    Verb("devices", "edgecore.cli.devices", "show devices: their state, what the cloud wants of them, what they say"),
    Verb("tap", "edgecore.cli.tap", "show the messages between modules as they go; hold, drop or change one"),
    Verb("top", "edgecore.cli.top", "a live screen: link, queues, messages a second, services, names, requests"),
    Verb("explain", "edgecore.cli.explain", "show each step from a name to a backend, who says so, and what is amiss"),
    Verb("meta", "edgecore.cli.meta", "show what the node knows, since when, and by which message; check it"),
    Verb("record", "edgecore.cli.record", "record what passes the running node into a file, for replay and for people"),
    Verb("ledger", "edgecore.cli.ledger", "show what became of every message of the link to the cloud"),
    Verb("dns", "edgecore.cli.dns", "ask the running node for a name, and see why it answers as it does"),
    Verb("intercept", "edgecore.cli.intercept", "what interception does to this machine: plan, apply, remove, status"),
    Verb("replay", "edgecore.cli.replay", "play recorded sessions to a node of their own, and judge what it does"),
    Verb("doctor", "edgecore.cli.doctor", "look whether this machine is fit for a node, and say what to do"),
    Verb("db", "edgecore.cli.db", "the node's database file: what it is, backup, restore, check, repair"),
    Verb("recording", "edgecore.cli.recording", "what is in a recording; cut, filter, merge, convert, redact it"),
    Verb("env", "edgecore.cli.env", "print the shell lines that send HTTP through the running node"),
    Verb("config", "edgecore.cli.config", "print a configuration to start from"),
    Verb("completion", "edgecore.cli.completion", "print the script by which a shell completes the commands"),
    Verb("demo", "edgecore.cli.demo", "show a service travel from the cloud to a curl, on this machine alone"),
    Verb("lab", "edgecore.cli.lab", "build a network of edge nodes on this machine, and walk through EdgeMesh's guide"),
)

_DESCRIPTION = """\
A KubeEdge edge node that runs anywhere: no cluster, no Docker, no root. It takes
services, endpoints and pods from the cloud over a websocket, keeps them in one
SQLite file, and makes every service reachable by name: DNS answers with an address
of this machine, and a proxy there spreads the requests over the service's pods.
Devices speak to it over MQTT; their twins go to the cloud and back."""

_EPILOG = """\
examples:
  edgecore demo
      see all of it work, in a minute, with a cloud of its own
  edgecore config --min --user > edgecore.yaml && edgecore run --config edgecore.yaml
      run a node from a configuration that an ordinary user can write
  edgecore join --user --server 192.0.2.10 --token-file token
      join a KubeEdge cloud over TLS: its CA, a certificate, a configuration
  edgecore status --config edgecore.yaml
      ask that node, from another terminal, how it is

The flags of the Go edgecore work without a command: --config FILE (as run),
--defaultconfig and --minconfig (as config --default and --min), --version.

exit code, of every command: 0 done, 1 could not, and says why; 2 wrong usage; 130 Ctrl-C.
Where there are others, its own help says so.

Each command explains itself: edgecore COMMAND --help"""

PROGRAM = Program("edgecore", _DESCRIPTION, _EPILOG, VERBS)

_GO_FLAGS = (("--defaultconfig", ("config", "--default")), ("--minconfig", ("config", "--min")))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with ``argv`` (by default those of the process), and return its exit code."""
    return PROGRAM.main(with_verb(sys.argv[1:] if argv is None else argv))


def with_verb(arguments: Sequence[str]) -> list[str]:
    """Return ``arguments`` as verb and flags, where they are the Go program's flags alone.

    Of several the first of these counts: ``--version``, ``--defaultconfig``, ``--minconfig``, ``--config``
    (``kubeedge edge/cmd/edgecore/app/server.go@v1.3.1``).
    """
    if not arguments or not arguments[0].startswith("-"):
        return list(arguments)
    version = [argument for argument in arguments if argument.partition("=")[0] == "--version"]
    if version:
        return version
    for flag, command in _GO_FLAGS:
        rest = [argument for argument in arguments if argument not in (flag, f"{flag}=true")]
        if len(rest) < len(arguments):
            return [*command, *rest]
    if any(argument.partition("=")[0] == "--config" for argument in arguments):
        return ["run", *arguments]
    return list(arguments)
