"""Replays at full speed: messages of the cloud a second, through hub, bus and store, with their acknowledgements.

* objects: a recording of ``--count`` updates of a thousand objects, made here. Goal 5,000 a second.
* burst: the recorded burst of 1,000 services with their endpoints and pods, replayed and judged. Goal 10 s.

There is no peer: what other tools call a replay goes over a network, to a program that somebody else has started.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

import structlog
from rows.figures import alone
from rows.results import at_least, at_most

from edgecore.recording.entries import CloudFrame, ConnectionEvent, Direction
from edgecore.recording.writer import open_writer
from edgecore.replay.judged import replay_and_judge
from edgecore.replay.options import ReplayOptions
from edgecore.replay.run import replay
from edgecore.verdict.rulesfile import read_rules

BURST = Path(__file__).parents[1] / "tests" / "data" / "f_burst_1000_services_3000_pods.jsonl.gz"
T_NS = 1_600_000_000_000_000_000
OBJECTS = 1000


def text_of(number: int, message_id: str, parent: str = "") -> str:
    """Return a message of the cloud, or the acknowledgement of ``parent``."""
    name = f"c{number % OBJECTS}"
    header = {"msg_id": message_id, "parent_msg_id": parent, "timestamp": T_NS // 1_000_000}
    route = {"source": "edgecontroller", "group": "resource", "resource": f"default/configmap/{name}"}
    content = {"metadata": {"name": name, "namespace": "default"}, "data": {"number": str(number)}}
    operation = {"operation": "response" if parent else "update"}
    return json.dumps({"header": header, "route": {**route, **operation}, "content": "OK" if parent else content})


def write_objects(path: Path, count: int) -> None:
    """Write the recording."""
    with open_writer(path) as writer:
        writer.write(ConnectionEvent(1, T_NS, Direction.TO_CLOUD, 1, "open", ""))
        for number in range(count):
            t_ns = T_NS + number * 20_000
            writer.write(CloudFrame(0, t_ns, Direction.TO_EDGE, 1, text_of(number, f"m{number}")))
            writer.write(CloudFrame(0, t_ns + 1000, Direction.TO_CLOUD, 1, text_of(number, f"a{number}", f"m{number}")))


def objects(path: Path, count: int) -> float:
    """Return how many messages a second are replayed."""
    (done,) = asyncio.run(replay(ReplayOptions(files=(path,))))
    if done.missing:
        raise SystemExit(f"{len(done.missing)} messages were not acknowledged")
    return count / done.took_s


def burst() -> float:
    """Return how many seconds the burst takes."""
    began = time.perf_counter()
    (verdict,) = asyncio.run(replay_and_judge(ReplayOptions(files=(BURST,)), read_rules()))
    took_s = time.perf_counter() - began
    if not verdict.is_equal:
        raise SystemExit(f"the burst is not what it was: {verdict.compared.total()} compared")
    return took_s


def main(count: int, rounds: int) -> None:
    """Measure both."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "objects.jsonl"
        write_objects(path, count)
        alone("objects", [objects(path, count) for _ in range(rounds)], "messages/s", goal=at_least(5000))
    alone("burst, judged", [burst() for _ in range(rounds)], "s", goal=at_most(10), less=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000, help="updates (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of each (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="once, 2,000 updates")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    main(*((2000, 1) if given.quick else (given.count, given.rounds)))
