"""How the traffic of one port is treated: which host, how often again, how long, and what health means (a value).

The defaults are those of the configuration (``modules.edgeMesh.traffic``), which the node hands down; annotations of a
service change them for it or for one of its ports.
"""

from typing import Literal

import msgspec

Strategy = Literal["RoundRobin", "Random", "SessionStickiness", "LeastRequest", "ConsistentHash"]
HashBy = Literal["source", "header", "cookie"]
"""What of a request says where it goes: the address of the client, a header, or a cookie."""
PlaneWanted = Literal["auto", "kernel", "proxy"]
"""Who is to move the bytes (mode intercept); auto: the kernel where nothing is lost by it."""


class Policy(msgspec.Struct, frozen=True):
    """See the module."""

    strategy: Strategy = "RoundRobin"
    hash_by: HashBy = "source"
    """For ConsistentHash and SessionStickiness. Traffic that is no HTTP goes by the source."""
    hash_name: str = ""
    """Of the header or the cookie; empty: the cookie ``edgemesh-affinity``, and no header."""
    hash_balance: float = 1.25
    """For ConsistentHash: a host has at most so many times the average under way; 0: no bound."""
    affinity_timeout_s: float = 10_800.0
    """How long a client without a request is remembered (SessionStickiness, but by cookie; ``sessionAffinity``)."""

    connect_timeout_s: float = 5.0
    request_timeout_s: float = 300.0
    """Of silence within a request."""
    idle_timeout_s: float = 3600.0
    """Of silence on a connection that is forwarded as bytes; 0: for ever."""
    udp_idle_timeout_s: float = 60.0
    """After which a flow of datagrams is forgotten."""
    retries: int = 2
    """How often one request or connection is tried again at another host."""
    retry_budget: float = 0.2
    """Retries at most, as a share of the requests under way and lately; ``retry_budget_min`` are always allowed."""
    retry_budget_min: int = 10
    """Retries a second that are allowed whatever the share is."""

    eject_after: int = 5
    """Failures in a row after which a host is left out; 0: never."""
    eject_base_s: float = 30.0
    """For how long the first time; the second time twice as long, and so on."""
    eject_max_s: float = 300.0
    """The longest."""
    eject_max_share: float = 0.5
    """So many of the hosts, as a share of all, are left out at most (one always may be, if there are others)."""
    panic_share: float = 0.3
    """With fewer hosts well than this share of all, all of them are used: better a try than none."""

    checks: Literal["off", "probe", "tcp"] = "off"
    """Active checks: none; as the pod's readinessProbe says, else by connecting; always by connecting."""
    drain_s: float = 30.0
    """How long connections to a host that has gone may last."""
    plane: PlaneWanted = "auto"
