"""What work costs as there is more and more of it: services on a node, connections through its proxy, edges on a cloud.

* services: 10, 100, 1,000, 10,000. Taken up from the cloud (from the first `apply` to the last name), found again in
  the node's file after a stop (without a cloud, from exec to the last name), one update (from `apply` until its new
  port listens), a DNS answer, memory, and the processor while nothing happens.
* connections: 1, 10, 100, 1,000, each with a request under way, beside haproxy.
* edges: 1, 10, 100, 500 on one stub, beside a server that is nothing but the `websockets` library.

Each curve has its slope, the power of the number by which the figure grows: 0 is flat, 1 is straight, 2 is a square.
That between the last two points is told too: what never changes, as the start of the interpreter, hides less there. The
goals are for the steeper one: what is done for all may grow as they do, what is done for one may not notice the others.
"""

import argparse
from contextlib import suppress

from growing.connections import connections
from growing.edges import edges
from growing.services import services
from rows.parts import Parts

PARTS = ("services", "connections", "edges")


def main(arguments: argparse.Namespace) -> None:
    """Measure the parts that were asked for."""
    quick: bool = arguments.quick
    parts = Parts.of(arguments.only, PARTS, quick=quick)
    rounds = 1 if quick else arguments.rounds
    parts.run(
        {
            "services": lambda: services((10, 100) if quick else (10, 100, 1_000, 10_000), rounds),
            "connections": lambda: connections((1, 10, 100) if quick else (1, 10, 100, 1_000), rounds, 1.0),
            "edges": lambda: edges((1, 10) if quick else (1, 10, 100, 500), rounds),
        }
    )
    parts.end()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="of each (default %(default)s)")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these parts")
    parser.add_argument("--quick", action="store_true", help="once, and the small numbers alone")
    with suppress(KeyboardInterrupt):
        main(parser.parse_args())
