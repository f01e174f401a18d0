"""What connections of the kernel plane live through, and what new ones meet, when a node ends and another comes."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import msgspec
import pytest

from edgecore.modules.edgemesh.intercept.leftovers import table_name
from edgecore.modules.edgemesh.intercept.rules.interception import Spot
from edgecore.modules.edgemesh.intercept.settings import InterceptSettings
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend, PortSpec
from endings import has_ended, wait_for_end
from interceptrig import InterceptRig, Talker
from netns import Nets
from tests.support import kernelnode
from tests.support.kernelnode import End, Message, Put

pytestmark = pytest.mark.namespaces

SPOT = Spot("9.251.0.1", 80, "tcp")
NEW = ("tcp", SPOT.address, SPOT.port)


class Node:
    """A node on the host that balances ``SPOT``, and its keeper."""

    def __init__(self, rig: InterceptRig, **settings: Any) -> None:
        wanted = msgspec.json.encode(InterceptSettings(**settings)).decode()
        self._process: subprocess.Popen[bytes] = rig.host.spawn(
            [sys.executable, kernelnode.__file__, wanted],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert self._hear() == "started"
        backend = Backend("far", Endpoint("10.0.0.2", 8080))
        spec = PortSpec(ServiceKey("default", "web"), 80, "tcp", "bytes", (backend,), Policy())
        assert self.tell(Put(spec, SPOT)) == ["kernel", ""]
        tables = rig.host.run(["nft", "list", "tables"]).stdout.split()
        self.keeper = int(tables[-1].split("_")[1])

    def tell(self, message: Message) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(message) + b"\n")
        self._process.stdin.flush()
        return self._hear()

    def end(self, how: str) -> None:
        """End it, and return when the first part of the will is done."""
        if how == "killed":
            self._process.kill()
        else:
            self.tell(End())
        self._process.wait()

    def _hear(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


class Stream:
    """A connection that is never at rest."""

    def __init__(self, talker: Talker) -> None:
        self._talker = talker
        self._at_rest = threading.Event()
        self._moved = threading.Condition()
        self.words = 0
        self.broken = False
        self._thread = threading.Thread(target=self._talk)
        self._thread.start()

    def _talk(self) -> None:
        while not self._at_rest.is_set() and not self.broken:
            said = self._talker.say(f"word {self.words}")
            with self._moved:
                self.broken = said != f"word {self.words}"
                self.words += 1
                self._moved.notify_all()

    def goes_on(self) -> bool:
        """Say whether some words more come through."""
        with self._moved:
            wanted = self.words + 20
            self._moved.wait_for(lambda: self.broken or self.words >= wanted, 10)
            return not self.broken and self.words >= wanted

    def rest(self) -> None:
        self._at_rest.set()
        self._thread.join()


def wait_for_silence(rig: InterceptRig, keeper: int) -> None:
    """Return when the keeper's table leads nothing any more."""
    deadline = time.monotonic() + 20
    while (
        "EDGE-MESH" in rig.host.run(["nft", "list", "chain", "ip", table_name(keeper, "9.251.0.0/16"), "output"]).stdout
    ):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def picture(rig: InterceptRig) -> str:
    """Return all rules, routes and addresses, without counts and lifetimes."""
    commands = "nft --stateless list ruleset", "ip -4 route show table all", "ip -o -4 address", "ip -o link"
    return re.sub(r"\d+sec|qlen \d+", "", "".join(rig.host.run(command.split()).stdout for command in commands))


@pytest.fixture
def rig(nets: Nets) -> InterceptRig:
    rig = InterceptRig(nets)
    rig.serve(rig.machine, "10.0.0.2", 8080, "far")
    return rig


@pytest.mark.parametrize("interface", ["docker0", "edgemesh0"])
@pytest.mark.parametrize("how", ["killed", "ended"])
def test_streams_of_the_host_and_of_a_container_move_on_when_the_node_ends_and_when_another_comes(
    rig: InterceptRig, how: str, interface: str
) -> None:
    settings = {"linger_s": 100.0} if interface == "docker0" else {"linger_s": 100.0, "interface": "none0"}
    nets = (rig.host, rig.other) if interface == "docker0" else (rig.host,)
    node = Node(rig, **settings)
    streams = [Stream(Talker(net, SPOT.address, SPOT.port)) for net in nets]
    try:
        assert [stream.goes_on() for stream in streams] == [True] * len(streams)
        node.end(how)
        wait_for_silence(rig, node.keeper)
        assert [rig.ask(net, NEW, NEW) for net in nets] == [["ECONNREFUSED"] * 2] * len(nets)
        assert [stream.goes_on() for stream in streams] == [True] * len(streams), "while the keeper lingers"
        again = Node(rig, **settings)
        wait_for_end(node.keeper)
        assert [stream.goes_on() for stream in streams] == [True] * len(streams), "after the restart"
        assert [rig.ask(net, NEW) for net in nets] == [["far 10.0.0.1"]] * len(nets)
        again.end("ended")
        assert [stream.goes_on() for stream in streams] == [True] * len(streams), "and once more"
    finally:
        for stream in streams:
            stream.rest()
    os.kill(again.keeper, signal.SIGTERM)  # the end of its linger


def test_after_the_linger_there_is_nothing_but_the_fallback(rig: InterceptRig) -> None:
    node = Node(rig, linger_s=0.5)
    node.end("killed")
    wait_for_end(node.keeper)
    assert rig.host.run(["nft", "list", "tables"]).stdout == ""
    assert rig.host.run(["ip", "route", "show", "9.251.0.0/16"]).stdout.startswith("unreachable")
    assert "169.254.96.16" not in rig.host.run(["ip", "address"]).stdout
    assert rig.ask(rig.host, NEW) == rig.ask(rig.other, NEW) == ["EHOSTUNREACH"]


def test_a_node_that_comes_while_another_lives_leaves_everything_as_it_is(rig: InterceptRig) -> None:
    node = Node(rig)
    before = picture(rig)
    other = rig.host.spawn(
        [sys.executable, kernelnode.__file__, msgspec.json.encode(InterceptSettings()).decode()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert b"a node that runs" in other.communicate()[1]
    assert picture(rig) == before
    assert rig.ask(rig.other, NEW) == ["far 10.0.0.1"]
    node.end("ended")
    os.kill(node.keeper, signal.SIGTERM)
    wait_for_end(node.keeper)
    assert has_ended(node.keeper)
