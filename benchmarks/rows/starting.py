"""A node that is started without a cloud, over what it knew: from the start of its process to its DNS answers."""

import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from fleet.child import HERE, cpu_s

from cloudhub_stub.testing.cloud import Cloud
from edgecore.store.databasefile import peek
from rows.figures import alone, note
from rows.keeper import keeper
from rows.objects import NAMESPACE, pods_of, recorded_burst
from rows.results import at_most

PATIENCE_S = 120.0
SUBNET = "127.213.0.0"
ANSWER_EVERY_S = 0.001
GOAL_S = at_most(1)


async def starts(place: Path, rounds: int) -> None:
    """Measure the seconds until the first name is answered as before, and until all are."""
    port = _free_port()
    with Cloud.start(place, edges=["edge-1"], settings=_settings(port)) as cloud:  # it joins, with TLS
        (edge,) = cloud.edges
        edge.stop()
        config, database = edge.config, edge.directory / "edgecore.db"
    burst = list(recorded_burst())
    async with keeper(database) as ours:
        await ours.through([*burst, *pods_of(burst)], 1000)
    rows = dict(peek(database, "SELECT type, count(*) FROM meta GROUP BY type"))
    names = [key.split("/")[2] for (key,) in peek(database, "SELECT key FROM meta WHERE type = 'service' ORDER BY key")]
    has = f"{rows['service']:,} services and {rows['pod']:,} pods in the file"
    note(f"start without a cloud: {has}; Go takes about 10 s")
    before = start(config, port, names, None).addresses  # the first start gives the services their addresses
    found = [start(config, port, names, before) for _ in range(rounds)]
    alone("start, to the first DNS answer as before", [each.first_s for each in found], "s", goal=GOAL_S, less=True)
    case = f"start, to all {len(names):,} as before"
    alone(case, [each.all_s for each in found], "s", goal=GOAL_S, less=True)
    alone(case, [each.cpu_s for each in found], "s", measure="processor time", less=True)
    alone(case, [_imports_s() for _ in range(rounds)], "s", measure="imports, by themselves", less=True)


def _settings(port: int) -> dict[str, object]:
    mesh = {"dns": {"listen": f"127.0.0.1:{port}"}, "rootlessSubNet": f"{SUBNET}/16"}
    return {"modules": {"edgeMesh": mesh}}


class Start(NamedTuple):
    """The seconds from exec until the first and the last name were known, and what the process had used by then."""

    first_s: float
    all_s: float
    cpu_s: float
    addresses: dict[str, str]


def start(config: Path, port: int, names: list[str], before: dict[str, str] | None) -> Start:
    """Start the node, and ask until each name has its address: that of ``before``, where that is known."""
    began = time.perf_counter()
    with node(config) as pid, closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
        client.connect(("127.0.0.1", port))
        client.setblocking(False)
        first_s = 0.0
        found: dict[str, str] = {}
        for name in names:
            found[name] = _resolved(client, name, began)
            first_s = first_s or time.perf_counter() - began
            if before is not None and found[name] != before[name]:
                raise SystemExit(f"{name} was at {before[name]} before, and is at {found[name]}")
        return Start(first_s, time.perf_counter() - began, cpu_s(pid), found)


@contextmanager
def node(config: Path) -> Iterator[int]:
    """Run `edgecore run` with that configuration; yield its process."""
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    command = [sys.executable, "-m", "edgecore", "run", "--config", str(config)]
    with (config.parent / "node.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _resolved(client: socket.socket, name: str, began: float) -> str:
    """Ask again and again until there is an address."""
    question = b"".join(bytes((len(label),)) + label.encode() for label in (name, NAMESPACE, "svc", "cluster", "local"))
    packet = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + question + b"\0\0\1\0\1"
    while time.perf_counter() - began < PATIENCE_S:
        try:
            client.send(packet)
            if select.select([client], [], [], 1.0)[0]:
                reply = client.recv(512)
                if reply[6:8] == b"\0\1" and reply[12 : len(packet)] == packet[12:]:
                    return socket.inet_ntoa(reply[-4:])
        except ConnectionRefusedError:
            pass
        time.sleep(ANSWER_EVERY_S)
    raise SystemExit(f"{name}: no answer within {PATIENCE_S:g} s")


def _imports_s() -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "import edgecore.cli.run"], check=True, env=os.environ | {"PYTHONPATH": str(HERE.parent)}
    )
    return time.perf_counter() - began


def _free_port() -> int:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
