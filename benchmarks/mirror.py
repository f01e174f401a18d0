"""What the mirror costs a whole node where nobody watches: object messages from the cloud to their acknowledgements.

The node is a process of its own, as it ships, with mosquitto as its broker; one round after the other it mirrors, and
does not (``edgecore reload``). A ratio is that of two rounds that follow each other: of the messages a second
(mirrored over not; goal 0.97), and of the processor time for each (not over mirrored). On a machine with other work
both of them are noise by some percent either way; what the node itself says that it spent on mirroring is not, but for
the writes to the socket. Many short rounds say more than few long ones.
"""

import argparse
import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from fleet.child import cpu_s
from messages.places import MOSQUITTO, Broker, mosquitto
from rows.figures import alone, note
from rows.pushing import Cloud, Runs, recorded, show_ratios
from rows.results import ratio
from rows.starting import node
from rows.tools import lacking
from websockets.asyncio.server import serve

from edgecore.control.client import ControlClient

SUBNET = "127.215.0.0/16"
SETTLED_S = 0.3
BURST = 500
"""So many messages the mirror shows at once: they pass before a round begins."""


async def measure(rounds: int, count: int, flight: int, broker: Broker) -> None:
    """Measure both, in turn."""
    documents = recorded()
    cloud = Cloud(flight)
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        async with serve(cloud.serve, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            config = directory / "edgecore.yaml"
            config.write_text(json.dumps(_settings(directory, port, broker, mirrors=False)))
            with node(config) as pid:
                await cloud.push(documents, len(documents))
                control = ControlClient(directory / "edgecore.sock")
                runs: Runs = {True: [], False: []}
                shares: list[float] = []
                for number in range(2 * rounds):
                    mirrors = number % 4 in (1, 2)  # none is always the later one
                    config.write_text(json.dumps(_settings(directory, port, broker, mirrors=mirrors)))
                    await asyncio.to_thread(control.post, "/v1/reload", {})
                    await asyncio.sleep(SETTLED_S)
                    await cloud.push(documents, BURST)  # each goes over the bus three times
                    await asyncio.sleep(SETTLED_S)
                    before = await _mirror(control)
                    used_s = cpu_s(pid)
                    took_s = await cloud.push(documents, count)
                    used_s = cpu_s(pid) - used_s
                    runs[mirrors].append((count / took_s, used_s / count * 1e6))
                    if mirrors:
                        told = await _mirror(control)
                        shares.append((told["spent_s"] - before["spent_s"]) / used_s * 100)
                        assert told["brokers"]["external"]["connected"], told
                        assert not told["watched"], told
    show_ratios(runs, "mirrored", ratio(0.97))
    alone("mirrored", shares, "% of the processor time", measure="on mirroring, by the node's clock", less=True)
    note(
        f"the last round took {took_s:.2f} s; the node mirrored {told['mirrored']:,} messages in {told['spent_s']} s,"
        f" looked at {told['states']:,} states in {told['looked_s']} s, left out {told['left_out']}"
    )


async def _mirror(control: ControlClient) -> dict[str, Any]:
    told: dict[str, Any] = (await asyncio.to_thread(control.get, "/v1/status"))["parts"]["eventbus"]["mirror"]
    return told


def _settings(directory: Path, port: int, broker: Broker, *, mirrors: bool) -> dict[str, Any]:
    return {
        "database": {"dataSource": str(directory / "edgecore.db")},
        "modules": {
            "edgeHub": {"websocket": {"server": f"ws://127.0.0.1:{port}"}},
            "edgeMesh": {"rootlessSubNet": SUBNET, "dns": {"listen": "127.0.0.1:0", "upstreams": ["127.0.0.1:9"]}},
            "eventBus": {"mqttServerExternal": f"tcp://127.0.0.1:{broker.port}", "mirror": {"enable": mirrors}},
        },
        "observe": {"logLevel": "warning"},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="pairs of rounds (default 15)")
    parser.add_argument("--count", type=int, default=2500, help="messages a round (default 2500)")
    parser.add_argument("--flight", type=int, default=50, help="messages on their way at a time (default 50)")
    parser.add_argument("--quick", action="store_true", help="one pair, 500 messages")
    arguments = parser.parse_args()
    rounds, count = (1, 500) if arguments.quick else (arguments.rounds, arguments.count)
    if not lacking(MOSQUITTO):
        with mosquitto() as running:
            asyncio.run(measure(rounds, count, arguments.flight, running))
