"""What processes grow by that hold many objects: one that stores them, and a whole node that is started over them."""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import yaml
from fleet.child import HERE, cpu_s, rss_bytes

from edgecore.errors import StoreError
from edgecore.store.databasefile import peek
from rows.figures import alone, beside, note
from rows.growth import PODS
from rows.results import Goal, at_most
from rows.starting import PATIENCE_S, SUBNET, node

MIB = 1024 * 1024
MANY = 10_000
"""Services of which the goal speaks: what does not grow with them would count, where there are few."""
REST_S = 1.0
NOBODY = "ws://127.0.0.1:9"
"""Where no cloud is."""


def memory(place: Path, services: int) -> None:
    """Measure what they grow by, each in a process of its own."""
    with tempfile.TemporaryDirectory(dir=place) as name:
        directory = Path(name)
        file = directory / "edgecore.db"
        stored = _stored(file, services)
        ((size,),) = peek(file, "SELECT sum(length(CAST(value AS blob))) FROM meta")
        what = f"{services:,} services, {PODS * services:,} pods and the lists of them"
        note(f"memory: {what}, {size / MIB:.0f} MiB of JSON; the peer: that size")
        goal = at_most(3) if services >= MANY else None
        _tell("MetaManager that stored them", stored["grown"], size, goal)
        _tell("the same, at most", stored["at_most"], size, goal)
        empty = _at_rest(directory, directory / "empty.db")
        _tell("a node that is started over them", _at_rest(directory, file) - empty, size, goal)


def _tell(case: str, grown: float, size: float, goal: Goal | None) -> None:
    alone(case, [grown / size], "times the JSON", goal=goal, less=True)
    beside(case, [grown / MIB], [size / MIB], "MiB more", peer="its JSON", measure="memory", less=True)


def _stored(file: Path, services: int) -> dict[str, float]:
    environment = os.environ | {"PYTHONPATH": f"{HERE.parent}:{HERE}"}
    command = [sys.executable, "-m", "rows.growth", str(file), str(services)]
    said = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(said)
    return found


def _at_rest(directory: Path, file: Path) -> int:
    """Return the memory of a node over that file once it has nothing to do: names, addresses and listeners are made."""
    plain = [sys.executable, "-m", "edgecore", "config", "--min", "--root", str(directory)]
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    text = subprocess.run(plain, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    settings = yaml.safe_load(text)
    settings["database"]["dataSource"] = str(file)
    settings["modules"]["edgeHub"]["websocket"]["server"] = NOBODY
    settings["modules"]["edgeMesh"] = {"rootlessSubNet": f"{SUBNET}/16"}
    settings["observe"] = {"listen": "127.0.0.1:0"}
    config = directory / "edgecore.yaml"
    config.write_text(yaml.safe_dump(settings))
    with node(config) as pid:
        used, began = -1.0, time.perf_counter()
        while cpu_s(pid) - used > 0.05 or not _every_service_has_an_address(file):
            used = cpu_s(pid)
            time.sleep(REST_S)
            if time.perf_counter() - began > PATIENCE_S:
                raise SystemExit(f"the node over {file} did not come to rest within {PATIENCE_S:g} s")
        return rss_bytes(pid)


def _every_service_has_an_address(file: Path) -> bool:
    counts = "SELECT (SELECT count(*) FROM meta WHERE type = 'service'), (SELECT count(*) FROM edgemesh_address)"
    with suppress(StoreError):  # it may not be there yet
        ((services, addresses),) = peek(file, counts)
        return bool(services <= addresses)
    return False
