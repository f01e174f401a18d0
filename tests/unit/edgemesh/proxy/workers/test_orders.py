"""What the node and its workers say arrives as it was said."""

from typing import Any

import pytest
from msgspec import msgpack

from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.doors.destination import Meant
from edgecore.modules.edgemesh.proxy.figures.figures import HostFigures, PortFigures
from edgecore.modules.edgemesh.proxy.figures.proxyfigures import ProxyFigures
from edgecore.modules.edgemesh.proxy.limits import ProxyLimits
from edgecore.modules.edgemesh.proxy.options import ProxyOptions
from edgecore.modules.edgemesh.proxy.workers.orders import (
    AccessLines,
    AddressOf,
    BadInput,
    Begin,
    Checked,
    Listen,
    News,
    Order,
    PortRemoved,
    PortSet,
    Unlisten,
)
from edgecore.modules.edgemesh.proxy.workers.recipe import ProxyRecipe
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend, PortSpec, Probe
from edgecore.modules.edgemesh.workers.link import Counted, Line

WEB = ServiceKey("default", "web")
KEY = (WEB, 80, "tcp")
HOST = Endpoint("10.0.0.1", 8080)
PROBE = Probe(kind="http", path="/up", headers=(("a", "b"),), period_s=1.5)
SPEC = PortSpec(
    WEB,
    80,
    handling="bytes",
    backends=(Backend("a", HOST, version="7", probe=PROBE), Backend("b", None, "not_running")),
    policy=Policy(strategy="ConsistentHash", hash_by="header", hash_name="x", checks="probe"),
)
ORDERS = [
    Begin(
        ProxyRecipe(limits=ProxyLimits(max_connections=7), options=ProxyOptions(forwarded_headers="both"), processes=3)
    ),
    PortSet(SPEC),
    PortSet(PortSpec(ServiceKey("default", "db-0.db"), 53, "udp", "datagrams")),
    PortRemoved(KEY),
    *(Checked(KEY, HOST, well) for well in (True, False, None)),
    Listen(HOST, Meant(WEB, Endpoint("9.251.0.1", 53)), "udp"),
    Listen(HOST, Meant(None, HOST), "tcp"),
    AddressOf("9.251.0.1", WEB),
    AddressOf("9.251.0.1", None),
    Unlisten(Endpoint("::1", 1), "tcp"),
]
HOSTS = {str(HOST): HostFigures("a", 3, 1, 2, {"connect_failed": 1}, latency_sum_s=0.5, ill="ejected")}
FIGURES = ProxyFigures({KEY: PortFigures(KEY, {200: 2, 503: 1}, {"no_pods": 1}, 1, 0, HOSTS)}, {"no_pods": 1}, 5, 2, 1)
NEWS = [
    Counted(FIGURES),
    Counted(ProxyFigures()),
    BadInput("edgemesh.proxy", "bad_request", "10.0.0.9:1", None, {"details": "x"}),
    AccessLines(b"{}\n{}\n", 3),
    Line("info", "edgemesh", "backend_ejected", {"worker": 1}),
]


@pytest.mark.parametrize(("told", "kinds"), [*((each, Order) for each in ORDERS), *((each, News) for each in NEWS)])
def test_what_is_said_arrives_as_it_was(told: Any, kinds: Any) -> None:
    heard = msgpack.decode(msgpack.encode(told), type=kinds)
    assert heard == told
    assert hash(getattr(heard, "key", None)) == hash(getattr(told, "key", None))
