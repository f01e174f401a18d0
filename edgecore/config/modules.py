"""The settings of the modules (``modules.*`` of ``edgecore.yaml``); those with many have files of their own."""

from ipaddress import IPv4Network
from typing import Annotated, Literal

from msgspec import field

from edgecore.config import rules
from edgecore.config.addresses import (
    ListenAddress,
    ServerAddress,
    parse_server,
    parse_subnet,
)
from edgecore.config.keys import Enable, Key, Section
from edgecore.config.meshdns import MeshDns
from edgecore.config.meshintercept import MeshIntercept
from edgecore.config.meshtraffic import MeshLimits, MeshTraffic

CA_FILE = "/etc/kubeedge/ca/rootCA.crt"
CERT_FILE = "/etc/kubeedge/certs/server.crt"
KEY_FILE = "/etc/kubeedge/certs/server.key"


class DbTest(Section, frozen=True, kw_only=True):
    """``modules.dbTest``."""

    enable: Enable = False


class QuicLink(Section, frozen=True, kw_only=True):
    """``modules.edgeHub.quic``."""

    enable: Annotated[bool, Key(help="Whether the cloud is reached by QUIC.", sparse=True)] = False
    handshake_timeout: Annotated[
        int, Key(help="The longest that making the connection may take.", rule=rules.WHOLE_SECONDS)
    ] = 30
    read_deadline: Annotated[int, Key(help="The longest wait for a read.", rule=rules.WHOLE_SECONDS)] = 15
    server: Annotated[
        str, Key(help="CloudHub's QUIC address.", rule=rules.HOST_PORT, shown="the local IP address, port 10001")
    ] = "127.0.0.1:10001"
    write_deadline: Annotated[int, Key(help="The longest wait for a write.", rule=rules.WHOLE_SECONDS)] = 15


class WebSocketLink(Section, frozen=True, kw_only=True):
    """``modules.edgeHub.websocket``."""

    enable: Annotated[
        bool, Key(help="Whether the cloud is reached by websocket; exactly one of this and quic.enable.", minimal=True)
    ] = True
    handshake_timeout: Annotated[
        int,
        Key(help="The longest that making the connection may take.", rule=rules.WHOLE_SECONDS, minimal=True),
    ] = 30
    read_deadline: Annotated[
        int,
        Key(help="Not used by the Go edgecore either.", rule=rules.WHOLE_SECONDS, minimal=True, used=False),
    ] = 15
    server: Annotated[
        str,
        Key(
            help="CloudHub's address; wss:// if it names no scheme. ws:// (no TLS) is for trying things out.",
            rule=rules.WEBSOCKET_SERVER,
            minimal=True,
            shown="the local IP address, port 10000",
        ),
    ] = "127.0.0.1:10000"
    write_deadline: Annotated[
        int,
        Key(help="Not used by the Go edgecore either.", rule=rules.WHOLE_SECONDS, minimal=True, used=False),
    ] = 15
    ping: Annotated[
        bool,
        Key(
            help="Whether a websocket ping looks, at every heartbeat, whether the cloud is still there.",
            ours=True,
        ),
    ] = True

    @property
    def address(self) -> ServerAddress:
        """``server`` taken apart."""
        return parse_server(self.server, "wss")


class EdgeHub(Section, frozen=True, kw_only=True):
    """``modules.edgeHub``."""

    enable: Enable = True
    cloud_version: Annotated[
        str,
        Key(
            help="The KubeEdge version of the cloud. One before 1.4 is left alone for 30 s after a lost session.",
            rule=rules.VERSION,
            ours=True,
        ),
    ] = "1.3.1"
    heartbeat: Annotated[
        int, Key(help="Time between two keepalive messages.", rule=rules.WHOLE_SECONDS, minimal=True)
    ] = 15
    http_server: Annotated[
        str,
        Key(
            help="Where the node applies for its certificate, and renews it; https alone.",
            rule=rules.WEB_ADDRESS,
            minimal=True,
            shown="https, the local IP address, port 10002",
        ),
    ] = "https://127.0.0.1:10002"
    max_message_bytes: Annotated[
        int,
        Key(
            help="The largest message that is sent or received.",
            rule=rules.between(65_536, 2**30, "bytes"),
            ours=True,
        ),
    ] = 67_108_864
    outbox_size: Annotated[
        int,
        Key(
            help="The most messages that wait for the link. Ten times as many durable ones may lie in the database.",
            rule=rules.between(16, 1_000_000, "messages"),
            ours=True,
        ),
    ] = 1024
    project_id: Annotated[str, Key(help="The first part of the URL that is asked for.", rule=rules.URL_SEGMENT)] = (
        field(default="e632aba927ea4ac2b575ec1603d56f10", name="projectID")
    )
    quic: Annotated[QuicLink, Key(help="The link to the cloud by QUIC.", used=False)] = QuicLink()
    tls_ca_file: Annotated[
        str,
        Key(
            help="The CA that CloudHub is checked against; fetched if absent.",
            rule=rules.FILE,
            minimal=True,
            state="ca/rootCA.crt",
        ),
    ] = CA_FILE
    tls_cert_file: Annotated[
        str,
        Key(
            help="The node's certificate; applied for if absent.",
            rule=rules.FILE,
            minimal=True,
            state="certs/server.crt",
        ),
    ] = CERT_FILE
    tls_private_key_file: Annotated[
        str,
        Key(
            help="The key of the node's certificate; made with it.",
            rule=rules.FILE,
            minimal=True,
            state="certs/server.key",
        ),
    ] = KEY_FILE
    token: Annotated[
        str,
        Key(
            help="What the node shows when it applies for a certificate: where there is none, or it has expired. "
            "`edgecore join` needs it once and does not write it down.",
            minimal=True,
            secret=True,
        ),
    ] = ""
    websocket: Annotated[WebSocketLink, Key(help="The link to the cloud by websocket.")] = WebSocketLink()


class EdgeMesh(Section, frozen=True, kw_only=True):
    """``modules.edgeMesh``."""

    dns: Annotated[MeshDns, Key(help="The names of services.", ours=True)] = MeshDns()
    enable: Enable = True
    intercept: Annotated[MeshIntercept, Key(help="Mode intercept.", ours=True)] = MeshIntercept()
    lb_strategy: Annotated[
        Literal["RoundRobin", "Random", "SessionStickiness", "LeastRequest", "ConsistentHash"],
        Key(help="How a backend is chosen; the last two are ours.", reload=True),
    ] = "RoundRobin"
    limits: Annotated[MeshLimits, Key(help="What the proxy takes on.", ours=True)] = MeshLimits()
    listen_interface: Annotated[
        str, Key(help="The interface whose traffic is intercepted (mode intercept).", rule=rules.INTERFACE)
    ] = "docker0"
    listen_port: Annotated[
        int, Key(help="Port of the plain listener; if it is in use, the next free one.", rule=rules.PORT)
    ] = 40001
    mode: Annotated[
        Literal["auto", "rootless", "intercept"],
        Key(
            help="How connections reach the proxy: rootless listens on loopback fake IPs, intercept redirects packets. "
            "auto: intercept only with the privilege and where the file names a listenInterface that is there.",
            ours=True,
        ),
    ] = "auto"
    plain_listen_address: Annotated[
        str, Key(help="Address of the plain listener, which is also a forward proxy.", rule=rules.IP_ADDRESS, ours=True)
    ] = "127.0.0.1"
    rootless_sub_net: Annotated[
        str,
        Key(
            help="Fake IPs of mode rootless; the next free network below it if another node has this one.",
            rule=rules.LOOPBACK_SUBNET,
            ours=True,
        ),
    ] = "127.251.0.0/16"
    sub_net: Annotated[str, Key(help="Fake IPs of mode intercept.", rule=rules.SUBNET)] = "9.251.0.0/16"

    traffic: Annotated[MeshTraffic, Key(help="How requests and connections are treated.", ours=True)] = MeshTraffic()

    @property
    def network(self) -> IPv4Network:
        """``sub_net`` as a network."""
        return parse_subnet(self.sub_net)

    @property
    def rootless_network(self) -> IPv4Network:
        """``rootless_sub_net`` as a network."""
        return parse_subnet(self.rootless_sub_net)

    @property
    def plain_bind(self) -> ListenAddress:
        """Where the plain listener listens."""
        return ListenAddress(self.plain_listen_address, self.listen_port, next_free=True)


class EdgeStream(Section, frozen=True, kw_only=True):
    """``modules.edgeStream``."""

    enable: Enable = False
    handshake_timeout: Annotated[
        int, Key(help="The longest that making the tunnel may take.", rule=rules.WHOLE_SECONDS)
    ] = 30
    read_deadline: Annotated[int, Key(help="The longest wait for a read.", rule=rules.WHOLE_SECONDS)] = 15
    server: Annotated[str, Key(help="CloudStream's address.", rule=rules.HOST_PORT)] = "127.0.0.1:10004"
    tls_tunnel_ca_file: Annotated[
        str, Key(help="The CA that CloudStream is checked against.", rule=rules.FILE, state="ca/rootCA.crt")
    ] = field(default=CA_FILE, name="tlsTunnelCAFile")
    tls_tunnel_cert_file: Annotated[
        str, Key(help="The tunnel's certificate.", rule=rules.FILE, state="certs/server.crt")
    ] = CERT_FILE
    tls_tunnel_private_key_file: Annotated[
        str, Key(help="The key of the tunnel's certificate.", rule=rules.FILE, state="certs/server.key")
    ] = KEY_FILE
    write_deadline: Annotated[int, Key(help="The longest wait for a write.", rule=rules.WHOLE_SECONDS)] = 15


class MetaManager(Section, frozen=True, kw_only=True):
    """``modules.metaManager``."""

    context_send_group: Annotated[
        str, Key(help="The group that messages to the cloud are sent to.", rule=rules.NOT_EMPTY)
    ] = "hub"
    context_send_module: Annotated[
        str, Key(help="The module that messages to the cloud are sent to.", rule=rules.NOT_EMPTY)
    ] = "websocket"
    enable: Enable = True
    pod_status_sync_interval: Annotated[
        int, Key(help="Time between two reports of the pods' states.", rule=rules.WHOLE_SECONDS, reload=True)
    ] = 60
