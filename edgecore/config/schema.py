"""The root of ``edgecore.yaml``, and its sections that are not modules.

Names and defaults: ``kubeedge pkg/apis/componentconfig/edgecore/v1alpha1/{types,default}.go@v1.3.1``.
"""

from pathlib import Path
from typing import Annotated, Literal

from edgecore.config import rules
from edgecore.config.addresses import AUTO, HostPort, ListenAddress, listen_address
from edgecore.config.devicetwin import DeviceTwin
from edgecore.config.edged import Edged
from edgecore.config.eventbus import EventBus
from edgecore.config.keys import Key, Section
from edgecore.config.modules import DbTest, EdgeHub, EdgeMesh, EdgeStream, MetaManager
from edgecore.config.servicebus import ServiceBus


class Database(Section, frozen=True, kw_only=True):
    """``database``."""

    alias_name: Annotated[str, Key(help="A name that KubeEdge's database layer needs.", used=False)] = "default"
    data_source: Annotated[
        str,
        Key(
            help="The node's one SQLite file. Its directory is created if absent.",
            rule=rules.FILE,
            minimal=True,
            state="edgecore.db",
        ),
    ] = "/var/lib/kubeedge/edgecore.db"
    driver_name: Annotated[Literal["sqlite3"], Key(help="The kind of database.")] = "sqlite3"

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return Path(self.data_source)


class Bus(Section, frozen=True, kw_only=True):
    """``bus``: the road between the modules."""

    mailbox_size: Annotated[
        int, Key(help="Messages that wait for one module before its senders wait.", rule=rules.between(1, 1_000_000))
    ] = 1024
    send_timeout: Annotated[float, Key(help="How long a sender waits for room in a mailbox.", rule=rules.SECONDS)] = 30


class Control(Section, frozen=True, kw_only=True):
    """``control``: how commands speak to the running node."""

    socket: Annotated[
        str,
        Key(
            help="Unix socket of the commands (mode 0600). auto: edgecore.sock beside database.dataSource.",
            rule=rules.SOCKET_FILE,
        ),
    ] = AUTO


class Observe(Section, frozen=True, kw_only=True):
    """``observe``: logs, metrics, health."""

    listen: Annotated[
        str,
        Key(
            help="Where /metrics, /healthz and /debug are served. auto: 127.0.0.1, the first free port from 10550.",
            rule=rules.LISTEN,
        ),
    ] = AUTO
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Key(help="The least severe log events that are written.", reload=True),
    ] = "info"
    log_format: Annotated[
        Literal["auto", "console", "json"],
        Key(help="How log events are written. auto: console on a terminal, json otherwise.", reload=True),
    ] = "auto"

    @property
    def bind(self) -> ListenAddress:
        """Where to listen."""
        return listen_address(self.listen, HostPort("127.0.0.1", 10550))


class Modules(Section, frozen=True, kw_only=True):
    """``modules``."""

    db_test: Annotated[DbTest, Key(help="A test module of KubeEdge.", used=False)] = DbTest()
    device_twin: Annotated[DeviceTwin, Key(help="Digital twins of devices.")] = DeviceTwin()
    edge_hub: Annotated[EdgeHub, Key(help="The connection to the cloud.")] = EdgeHub()
    edge_mesh: Annotated[EdgeMesh, Key(help="Service names, fake IPs and the proxy.")] = EdgeMesh()
    edge_stream: Annotated[EdgeStream, Key(help="The tunnel for kubectl logs and exec.", used=False)] = EdgeStream()
    edged: Annotated[Edged, Key(help="The node itself and its pods.")] = Edged()
    event_bus: Annotated[EventBus, Key(help="The bridge to MQTT.")] = EventBus()
    meta_manager: Annotated[MetaManager, Key(help="The store of what the cloud sent.")] = MetaManager()
    service_bus: Annotated[ServiceBus, Key(help="HTTP calls from the cloud to the edge.")] = ServiceBus()


class EdgeCoreConfig(Section, frozen=True, kw_only=True):
    """All settings of one node."""

    api_version: Annotated[
        Literal["edgecore.config.kubeedge.io/v1alpha1"], Key(help="The version of this file's form.", minimal=True)
    ] = "edgecore.config.kubeedge.io/v1alpha1"
    bus: Annotated[Bus, Key(help="The road between the modules.", ours=True)] = Bus()
    control: Annotated[Control, Key(help="How commands speak to the running node.", ours=True)] = Control()
    database: Annotated[Database, Key(help="What the node keeps.")] = Database()
    kind: Annotated[Literal["EdgeCore"], Key(help="What this file configures.", minimal=True)] = "EdgeCore"
    modules: Annotated[Modules, Key(help="The parts of the node.")] = Modules()
    observe: Annotated[Observe, Key(help="Logs, metrics, health.", ours=True)] = Observe()

    @property
    def node_name(self) -> str:
        """The node id in the cloud (``modules.edged.hostnameOverride``)."""
        return self.modules.edged.hostname_override

    @property
    def control_socket(self) -> Path:
        """The Unix socket of the commands, ``auto`` resolved."""
        if self.control.socket == AUTO:
            return self.database.path.parent / "edgecore.sock"
        return Path(self.control.socket)
