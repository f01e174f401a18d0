"""The settings of EdgeMesh's traffic: ``modules.edgeMesh.limits`` and ``modules.edgeMesh.traffic``."""

from typing import Annotated, Literal

from edgecore.config import rules
from edgecore.config.keys import Key, Section


class MeshLimits(Section, frozen=True, kw_only=True):
    """``modules.edgeMesh.limits``: what one node's proxy takes on."""

    connect_timeout: Annotated[
        float, Key(help="The longest that connecting to a backend may take.", rule=rules.SECONDS, reload=True)
    ] = 5
    idle_timeout: Annotated[
        float,
        Key(
            help="The longest wait for the next request of a client, and from the first byte of a head to its end. "
            "Upgraded connections have the limit of connections that are no HTTP (traffic.tcpIdleTimeout).",
            rule=rules.SECONDS,
        ),
    ] = 60
    max_connections: Annotated[
        int, Key(help="Client connections at the same time.", rule=rules.between(1, 1_000_000))
    ] = 10_000
    max_header_bytes: Annotated[
        int, Key(help="The largest head of a request or response.", rule=rules.between(1024, 2**24, "bytes"))
    ] = 65_536
    rebind_interval: Annotated[
        float, Key(help="Time between two tries to bind an address that was taken.", rule=rules.SECONDS)
    ] = 5
    request_timeout: Annotated[
        float,
        Key(
            help="The longest silence, of client and backend, within a request and its response.",
            rule=rules.SECONDS,
            reload=True,
        ),
    ] = 300


class MeshTraffic(Section, frozen=True, kw_only=True):
    """``modules.edgeMesh.traffic``: the defaults of all services, which their annotations change."""

    access_log: Annotated[
        str,
        Key(
            help="Where a line of JSON is written for each request: a file, or - for standard output; empty: nowhere.",
            rule=rules.FILE_OR_LOG,
        ),
    ] = ""
    access_log_max_size: Annotated[
        int,
        Key(help="Size at which that file is put aside and begun anew.", rule=rules.between(65_536, 2**40, "bytes")),
    ] = 64 * 1024 * 1024
    access_log_files: Annotated[
        int, Key(help="How many that were put aside are kept.", rule=rules.between(0, 1000))
    ] = 3
    affinity_timeout: Annotated[
        float,
        Key(help="How long SessionStickiness remembers a client by its address.", rule=rules.SECONDS, reload=True),
    ] = 10_800
    checks: Annotated[
        Literal["off", "probe", "tcp"],
        Key(
            help="Active checks of backends: none, as the pod's readinessProbe says (else tcp), or by connecting.",
            reload=True,
        ),
    ] = "off"
    drain_timeout: Annotated[
        float, Key(help="How long connections to a pod that has gone may last.", rule=rules.SECONDS, reload=True)
    ] = 30
    eject_after: Annotated[
        int,
        Key(
            help="Failures in a row after which a backend is left out; 0: never.",
            rule=rules.between(0, 1000),
            reload=True,
        ),
    ] = 5
    eject_base: Annotated[
        float,
        Key(help="For how long the first time; twice as long each further time.", rule=rules.SECONDS, reload=True),
    ] = 30
    eject_max: Annotated[
        float, Key(help="The longest that a backend is left out.", rule=rules.SECONDS, reload=True)
    ] = 300
    eject_max_share: Annotated[
        int,
        Key(
            help="So many percent of a port's backends are left out at most.",
            rule=rules.PERCENT,
            reload=True,
        ),
    ] = 50
    forwarded_headers: Annotated[
        Literal["off", "x-forwarded-for", "forwarded", "both"],
        Key(help="Headers that tell HTTP backends who the client is."),
    ] = "off"
    hash_key: Annotated[
        str,
        Key(
            help="What ConsistentHash and SessionStickiness go by: source, header:NAME or cookie:NAME.",
            rule=rules.HASH_KEY,
            reload=True,
        ),
    ] = "source"
    max_flows: Annotated[
        int, Key(help="Clients of UDP services that are remembered at the same time.", rule=rules.between(1, 1_000_000))
    ] = 4096
    panic_share: Annotated[
        int, Key(help="With fewer percent of the backends well, all of them are used.", rule=rules.PERCENT, reload=True)
    ] = 30
    pod_addresses: Annotated[
        bool,
        Key(help="Connect to the pod's own address and container port, where it says one, rather than to a hostPort."),
    ] = False
    retries: Annotated[
        int,
        Key(
            help="How often a request that failed is tried at another backend.", rule=rules.between(0, 10), reload=True
        ),
    ] = 2
    retry_budget: Annotated[
        int,
        Key(help="Retries at most, in percent of the requests of the last seconds.", rule=rules.PERCENT, reload=True),
    ] = 20
    retry_budget_min: Annotated[
        int, Key(help="Retries a second that are allowed in any case.", rule=rules.between(0, 10_000), reload=True)
    ] = 10
    sniff_timeout: Annotated[
        float,
        Key(help="How long a port whose protocol nobody names waits for the client's first bytes.", rule=rules.SECONDS),
    ] = 0.1
    tcp_idle_timeout: Annotated[
        float,
        Key(
            help="The longest silence of a connection that is no HTTP; 0: for ever.",
            rule=rules.SECONDS_OR_NEVER,
            reload=True,
        ),
    ] = 3600
    udp_idle_timeout: Annotated[
        float,
        Key(help="After so much silence a client of a UDP service is forgotten.", rule=rules.SECONDS, reload=True),
    ] = 60
    workers: Annotated[int, Key(help="Processes that forward; 1: the node itself.", rule=rules.between(1, 64))] = 1
