"""All that one proxy has counted, as a value: for the sums over the processes that forward (pure)."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from edgecore.modules.edgemesh.proxy.figures.datagramtally import DatagramTally
from edgecore.modules.edgemesh.proxy.figures.figures import PortFigures, merge
from edgecore.modules.edgemesh.upstream.spec import PortKey

Numbers = Mapping[str, int]


class ProxyFigures(msgspec.Struct, frozen=True):
    """See ``Counters`` for the numbers."""

    ports: Mapping[PortKey, PortFigures] = {}
    """Those with traffic."""
    errors: Numbers = {}
    accepted: int = 0
    connections: int = 0
    idle_backends: int = 0
    datagrams: DatagramTally = msgspec.field(default_factory=DatagramTally)

    def ended(self, present: Mapping[PortKey, Container[str]]) -> "ProxyFigures":
        """Return what is left of them when their process has ended: what was counted, and nothing that was so.

        Backends of ports that are ``present``, and are none of theirs any more, are entered together; ports that are
        not are left out. So what is kept does not grow with all that has ever been.
        """
        left = {key: _folded(port.ended(), present[key]) for key, port in self.ports.items() if key in present}
        ports = {key: port for key, port in left.items() if port.has_traffic}
        return ProxyFigures(ports, self.errors, self.accepted, datagrams=self.datagrams)

    def on_top_of(self, known: "ProxyFigures") -> "ProxyFigures":
        """Return all figures, where these are new and ``known`` were so before; ports without traffic are left out."""
        if not self.ports:
            return replace(self, ports=known.ports)
        ports = {**known.ports, **self.ports}
        for key, port in self.ports.items():
            if not port.has_traffic:
                del ports[key]
        return replace(self, ports=ports)


Elsewhere = Callable[[], Sequence[ProxyFigures]]
"""What other processes have counted until now, each for itself, those that have ended included."""


def added(all_figures: Iterable[ProxyFigures]) -> ProxyFigures:
    """Return the sums."""
    ports: dict[PortKey, PortFigures] = {}
    errors: dict[str, int] = {}
    accepted = connections = idle = 0
    datagrams = DatagramTally()
    for figures in all_figures:
        for key, port in figures.ports.items():
            known = ports.get(key)
            ports[key] = port if known is None else merge(known, port)
        for reason, number in figures.errors.items():
            errors[reason] = errors.get(reason, 0) + number
        accepted += figures.accepted
        connections += figures.connections
        idle += figures.idle_backends
        datagrams.add(figures.datagrams)
    return ProxyFigures(ports, errors, accepted, connections, idle, datagrams)


def _folded(port: PortFigures, present: Container[str]) -> PortFigures:
    stays = {name: host for name, host in port.hosts.items() if name in present}
    goes = {name: host for name, host in port.hosts.items() if name not in present}
    return replace(port, hosts=stays, past=replace(port, hosts=goes).every_host)
