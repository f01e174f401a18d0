"""What all doors for datagrams of one proxy share: the limits of their flows, what is counted, room to read into."""

from typing import Any

from edgecore.modules.edgemesh.proxy.datagrams.table import FlowTables
from edgecore.modules.edgemesh.proxy.figures.datagramtally import DatagramTally
from edgecore.modules.edgemesh.proxy.limits import ProxyLimits

_LARGEST_BYTES = 65_536
"""No datagram is larger: its length is a number of 16 bits, headers included (RFC 768)."""


class Datagrams:
    """See the module. Made once for each proxy."""

    def __init__(self, limits: ProxyLimits) -> None:
        self.tables: FlowTables[Any] = FlowTables(limits.max_flows, limits.max_flow_share)
        self.tally = DatagramTally()
        self.room = memoryview(bytearray(_LARGEST_BYTES))
        """Each datagram is read into it and sent from it before the next one is read."""
