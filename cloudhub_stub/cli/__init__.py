"""The command ``cloudhub-stub``: its verbs."""

import sys
from collections.abc import Sequence

from edgecore.control.program import Program, Verb

VERBS = (
    Verb("run", "cloudhub_stub.cli.run", "run the cloud side until it is told to stop"),
    Verb("token", "cloudhub_stub.cli.token", "print the token with which an edge joins"),
    Verb("replay", "cloudhub_stub.cli.replay", "play a recording to a connected node"),
    Verb("send", "cloudhub_stub.cli.send", "send messages to a node, connected or not"),
    Verb("fault", "cloudhub_stub.cli.fault", "let something go wrong in the running stub, on purpose"),
    Verb("nodes", "cloudhub_stub.cli.nodes", "list the nodes that have connected, and what went to and fro"),
    Verb("ledger", "cloudhub_stub.cli.ledger", "show what became of every message"),
    Verb("status", "cloudhub_stub.cli.status", "show where the running stub listens and how it is"),
)

_DESCRIPTION = """\
The cloud side of KubeEdge for one machine and no cluster: edge nodes connect to it as
to a CloudHub; it answers what they ask, and plays recorded traffic to them."""

_EPILOG = """\
examples:
  cloudhub-stub run
      listen on wss://127.0.0.1:10000 until Ctrl-C, and say how an edge joins
  cloudhub-stub token
      print the token that it joins with
  cloudhub-stub nodes
      see, from another terminal, who has connected
  cloudhub-stub replay examples/recordings/b_services_endpoints_pods.jsonl --map 10.66.0.2=127.0.0.2
      bring services, endpoints and pods to the connected node

Each command explains itself: cloudhub-stub COMMAND --help"""

PROGRAM = Program("cloudhub-stub", _DESCRIPTION, _EPILOG, VERBS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with ``argv`` (by default those of the process), and return its exit code."""
    return PROGRAM.main(list(sys.argv[1:] if argv is None else argv))
