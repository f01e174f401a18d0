"""What recording costs a whole node: object messages from the cloud to their acknowledgements, recorded and not.

The node is a process of its own, as it ships; one round after the other it records, and does not. Each message is new,
so that its row is written. A ratio is that of two rounds that follow each other: of the messages a second (recorded
over not; goal 0.95), and of the processor time for each (not over recorded). ``--kinds`` says what is recorded.
"""

import argparse
import asyncio
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from rows.pushing import Cloud, Runs, recorded, show_ratios
from rows.results import ratio
from rows.starting import node
from websockets.asyncio.server import serve

from edgecore.control.client import ControlClient

SUBNET = "127.214.0.0/16"


def cpu_s(pid: int) -> float:
    """Return the processor time of a process: also that of threads that have ended, as the recorder's does."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(rounds: int, count: int, flight: int, kinds: str) -> None:
    """Measure both, in turn."""
    documents = recorded()
    cloud = Cloud(flight)
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        async with serve(cloud.serve, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            config = directory / "edgecore.yaml"
            config.write_text(json.dumps(_settings(directory, port)))
            with node(config) as pid:
                await cloud.push(documents, len(documents))
                control = ControlClient(directory / "edgecore.sock")
                runs: Runs = {True: [], False: []}
                for number in range(2 * rounds):
                    on = bool(number % 2)
                    if on:
                        wish = {"path": str(directory / f"{number}.jsonl"), "kinds": kinds}
                        await asyncio.to_thread(control.post, "/v1/recording/start", wish)
                    used_s = cpu_s(pid)
                    took_s = await cloud.push(documents, count)
                    if on:
                        told = await asyncio.to_thread(control.post, "/v1/recording/stop", {})
                        assert not told["lost"], told
                    runs[on].append((count / took_s, (cpu_s(pid) - used_s) / count * 1e6))
    show_ratios(runs, f"recorded ({kinds})", ratio(0.95))


def _settings(directory: Path, port: int) -> dict[str, Any]:
    return {
        "database": {"dataSource": str(directory / "edgecore.db")},
        "modules": {
            "edgeHub": {"websocket": {"server": f"ws://127.0.0.1:{port}"}},
            "edgeMesh": {"rootlessSubNet": SUBNET, "dns": {"listen": "127.0.0.1:0", "upstreams": ["127.0.0.1:9"]}},
            "eventBus": {"enable": False},
        },
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="pairs of rounds (default 7)")
    parser.add_argument("--count", type=int, default=4000, help="messages a round (default 4000)")
    parser.add_argument("--flight", type=int, default=50, help="messages on their way at a time (default 50)")
    parser.add_argument("--kinds", default="frames,connections", help="what is recorded (default frames,connections)")
    parser.add_argument("--quick", action="store_true", help="one pair, 500 messages")
    arguments = parser.parse_args()
    rounds, count = (1, 500) if arguments.quick else (arguments.rounds, arguments.count)
    asyncio.run(measure(rounds, count, arguments.flight, arguments.kinds))
