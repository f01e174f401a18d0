"""What one choice of a host costs, for each strategy and for services of some sizes, beside RoundRobin in the same run.

Microseconds of `choose`, with what it asks of an HTTP request (a header, a cookie) ready in a dictionary. Also what the
first choice after a change of hosts costs, where a ring has to be made, in milliseconds.
"""

import argparse
import random
import time
from itertools import cycle, islice

from rows.figures import alone, curve

from edgecore.clock import SystemClock
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.balancing.choice import strategy_of
from edgecore.modules.edgemesh.upstream.balancing.room import Room
from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend

SIZES = (1, 3, 10, 100)
ASKERS = 256
PLAINEST = "RoundRobin"
POLICIES = {
    "RoundRobin": Policy(),
    "Random": Policy(strategy="Random"),
    "LeastRequest": Policy(strategy="LeastRequest"),
    "SessionStickiness, source": Policy(strategy="SessionStickiness"),
    "SessionStickiness, cookie": Policy(strategy="SessionStickiness", hash_by="cookie"),
    "ConsistentHash, source": Policy(strategy="ConsistentHash"),
    "ConsistentHash, header": Policy(strategy="ConsistentHash", hash_by="header", hash_name="x-user"),
}


class Client:
    """Somebody who asks."""

    def __init__(self, number: int) -> None:
        self.ip = f"10.1.{number // 250}.{number % 250}"
        self.headers = {b"host": b"web.default", b"x-user": b"user-%d" % number}
        self.cookies: dict[bytes, bytes] = {}

    def header(self, name: bytes) -> bytes:
        """See ``Asking``."""
        return self.headers.get(name, b"")

    def cookie(self, name: bytes) -> bytes:
        """See ``Asking``."""
        return self.cookies.get(name, b"")


def hosts_of(size: int, active: int) -> tuple[Host, ...]:
    """Return that many hosts, each with ``active`` requests under way and an average."""
    hosts = tuple(Host(Backend("", at), at) for at in (Endpoint("10.0.0.1", port) for port in range(1, size + 1)))
    for host in hosts:
        host.active, host.ewma_s = active, 0.01
    return hosts


def choice_us(policy: Policy, size: int, calls: int) -> tuple[float, float]:
    """Return the microseconds of a choice, and the milliseconds of the first one."""
    strategy = strategy_of(policy, random.Random(1), SystemClock(), Room())
    strategy.replace(hosts_of(size, active=2))
    clients = [Client(number) for number in range(ASKERS)]
    start = time.perf_counter()
    strategy.choose(clients[0])
    first_ms = (time.perf_counter() - start) * 1e3
    for client in clients:  # they come back with the cookies that they got
        chosen = strategy.choose(client)
        line = strategy.set_cookie(client, chosen) if chosen is not None else b""
        name, _, value = line.removeprefix(b"Set-Cookie: ").partition(b";")[0].partition(b"=")
        client.cookies[name] = value
    asking = list(islice(cycle(clients), calls))
    choose = strategy.choose
    start = time.perf_counter()
    for client in asking:
        choose(client)
    return (time.perf_counter() - start) / calls * 1e6, first_ms


def main(rounds: int, calls: int) -> None:
    """Measure each strategy with each number of hosts, all in turn."""
    choices: dict[str, list[list[float]]] = {name: [] for name in POLICIES}
    firsts: dict[str, list[list[float]]] = {name: [] for name in POLICIES}
    for size in SIZES:
        found = [{name: choice_us(policy, size, calls) for name, policy in POLICIES.items()} for _ in range(rounds)]
        for name in POLICIES:
            choices[name].append([each[name][0] for each in found])
            firsts[name].append([each[name][1] for each in found])
    for name, ours in choices.items():
        peers, peer = (choices[PLAINEST], PLAINEST) if name != PLAINEST else ([], "")
        curve(name, "hosts", SIZES, ours, "us a choice", peers=peers, peer=peer)
    for name in POLICIES:
        alone(f"{name}, {SIZES[-1]} hosts, the first", firsts[name][-1], "ms", less=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of each (default %(default)s)")
    parser.add_argument("--calls", type=int, default=10_000, help="choices of a round (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="once, 1,000 choices")
    given = parser.parse_args()
    main(*((1, 1000) if given.quick else (given.rounds, given.calls)))
