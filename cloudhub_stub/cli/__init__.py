"""The command ``cloudhub-stub``: its verbs."""

import sys
from collections.abc import Sequence

from edgecore.control.program import Program, Verb

VERBS = (
    Verb("run", "cloudhub_stub.cli.run", "run the cloud side until it is told to stop"),
    Verb("token", "cloudhub_stub.cli.token", "print the token with which an edge joins"),
    Verb("apply", "cloudhub_stub.cli.apply", "create or change objects as manifests say"),
    Verb("delete", "cloudhub_stub.cli.delete", "delete objects of the cluster"),
    Verb("get", "cloudhub_stub.cli.get", "show objects of the cluster, once or as they change"),
    Verb("describe", "cloudhub_stub.cli.describe", "show objects in detail"),
    Verb("scale", "cloudhub_stub.cli.scale", "set how many pods a deployment shall have"),
    Verb("messages", "cloudhub_stub.cli.messages", "show what was sent to a node, and what became of it"),
    Verb("replay", "cloudhub_stub.cli.replay", "play a recording to a connected node"),
    Verb("send", "cloudhub_stub.cli.send", "send messages to a node, connected or not"),
    Verb("call", "cloudhub_stub.cli.call", "call an HTTP service at a node"),
    Verb("publish", "cloudhub_stub.cli.publish", "publish something on the MQTT broker of a node"),
    Verb("uploads", "cloudhub_stub.cli.uploads", "show what devices of a node sent up by MQTT"),
    Verb("fault", "cloudhub_stub.cli.fault", "let something go wrong in the running stub, on purpose"),
    Verb("nodes", "cloudhub_stub.cli.nodes", "list the nodes that have connected, and what went to and fro"),
    Verb("ledger", "cloudhub_stub.cli.ledger", "show what became of every message"),
    Verb("status", "cloudhub_stub.cli.status", "show where the running stub listens and how it is"),
    Verb("completion", "cloudhub_stub.cli.completion", "print the script by which a shell completes the commands"),
)

_DESCRIPTION = """\
The cloud side of KubeEdge for one machine and no cluster: edge nodes connect to it as
to a CloudHub. It takes the manifests that kubectl takes, puts pods on the nodes that
are connected, and sends each node what is due to it; it plays recorded traffic, too."""

_EPILOG = """\
examples:
  cloudhub-stub run
      listen on wss://127.0.0.1:10000 until Ctrl-C, and say how an edge joins
  cloudhub-stub token
      print the token that it joins with
  cloudhub-stub nodes
      see, from another terminal, who has connected
  cloudhub-stub apply -f examples/manifests/edgemesh-guide
      run a deployment and a service on it
  cloudhub-stub get pods -o wide -w
      see what becomes of its pods
  cloudhub-stub replay examples/recordings/b_services_endpoints_pods.jsonl --map 10.66.0.2=127.0.0.2
      bring services, endpoints and pods to the connected node

exit code, of every command: 0 done, 1 could not, and says why; 2 wrong usage; 130 Ctrl-C.
Where there are others, its own help says so.

Each command explains itself: cloudhub-stub COMMAND --help"""

PROGRAM = Program("cloudhub-stub", _DESCRIPTION, _EPILOG, VERBS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with ``argv`` (by default those of the process), and return its exit code."""
    return PROGRAM.main(list(sys.argv[1:] if argv is None else argv))
