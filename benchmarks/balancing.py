"""What one choice of a host costs, for each strategy and for services of some sizes, beside RoundRobin in the same run.

Microseconds of `choose`, with what it asks of an HTTP request (a header, a cookie) ready in a dictionary; the best of
some rounds. Also what the first choice after a change of hosts costs, where a ring has to be made, in milliseconds.
"""

import argparse
import random
import time
from itertools import cycle, islice

from edgecore.clock import SystemClock
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.balancing.choice import strategy_of
from edgecore.modules.edgemesh.upstream.balancing.room import Room
from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend

SIZES = (1, 3, 10, 100)
ASKERS = 256
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


def choice_us(policy: Policy, size: int, rounds: int, calls: int) -> tuple[float, float]:
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
    best = 1e9
    for _ in range(rounds):
        asking = list(islice(cycle(clients), calls))
        choose = strategy.choose
        start = time.perf_counter()
        for client in asking:
            choose(client)
        best = min(best, time.perf_counter() - start)
    return best / calls * 1e6, first_ms


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=10_000)
    args = parser.parse_args()
    print(f"{'us a choice, by hosts':<28}{''.join(f'{size:>8}' for size in SIZES)}   first of {SIZES[-1]}, ms")
    for name, policy in POLICIES.items():
        found = [choice_us(policy, size, args.rounds, args.calls) for size in SIZES]
        print(f"{name:<28}{''.join(f'{us:>8.2f}' for us, _ in found)}   {found[-1][1]:.2f}")


if __name__ == "__main__":
    main()
