"""The schema against the facts: names and defaults of KubeEdge v1.3.1, and our additions."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from msgspec.structs import replace

from edgecore.config.addresses import HostPort, ListenAddress, ServerAddress, parse_zone_servers
from edgecore.config.keys import leaves
from edgecore.config.modules import EdgeMesh, MeshDns, WebSocketLink
from edgecore.config.schema import Control, Database, EdgeCoreConfig, Observe
from edgecore.config.servicebus import ServiceBus

# `edgecore --defaultconfig` of KubeEdge v1.3.1 on a machine "vm" with the address 192.0.2.2.
KUBEEDGE_DEFAULTS = yaml.safe_load("""
apiVersion: edgecore.config.kubeedge.io/v1alpha1
database: {aliasName: default, dataSource: /var/lib/kubeedge/edgecore.db, driverName: sqlite3}
kind: EdgeCore
modules:
  dbTest: {enable: false}
  deviceTwin: {enable: true}
  edgeHub:
    enable: true
    heartbeat: 15
    httpServer: https://192.0.2.2:10002
    projectID: e632aba927ea4ac2b575ec1603d56f10
    quic: {handshakeTimeout: 30, readDeadline: 15, server: "192.0.2.2:10001", writeDeadline: 15}
    tlsCaFile: /etc/kubeedge/ca/rootCA.crt
    tlsCertFile: /etc/kubeedge/certs/server.crt
    tlsPrivateKeyFile: /etc/kubeedge/certs/server.key
    token: ""
    websocket: {enable: true, handshakeTimeout: 30, readDeadline: 15, server: "192.0.2.2:10000", writeDeadline: 15}
  edgeMesh:
    enable: true
    lbStrategy: RoundRobin
    listenInterface: docker0
    listenPort: 40001
    subNet: 9.251.0.0/16
  edgeStream:
    enable: false
    handshakeTimeout: 30
    readDeadline: 15
    server: 127.0.0.1:10004
    tlsTunnelCAFile: /etc/kubeedge/ca/rootCA.crt
    tlsTunnelCertFile: /etc/kubeedge/certs/server.crt
    tlsTunnelPrivateKeyFile: /etc/kubeedge/certs/server.key
    writeDeadline: 15
  edged:
    cgroupDriver: cgroupfs
    cgroupRoot: ""
    cgroupsPerQOS: true
    clusterDNS: ""
    clusterDomain: ""
    cniBinDir: /opt/cni/bin
    cniCacheDirs: /var/lib/cni/cache
    cniConfDir: /etc/cni/net.d
    concurrentConsumers: 5
    devicePluginEnabled: false
    dockerAddress: unix:///var/run/docker.sock
    edgedMemoryCapacity: 7852396000
    enable: true
    enableMetrics: true
    gpuPluginEnabled: false
    hostnameOverride: vm
    imageGCHighThreshold: 80
    imageGCLowThreshold: 40
    imagePullProgressDeadline: 60
    interfaceName: eth0
    maximumDeadContainersPerPod: 1
    networkPluginMTU: 1500
    nodeIP: 192.0.2.2
    nodeStatusUpdateFrequency: 10
    podSandboxImage: kubeedge/pause:3.1
    registerNode: true
    registerNodeNamespace: default
    remoteImageEndpoint: unix:///var/run/dockershim.sock
    remoteRuntimeEndpoint: unix:///var/run/dockershim.sock
    runtimeRequestTimeout: 2
    runtimeType: docker
    volumeStatsAggPeriod: 60000000000
  eventBus:
    enable: true
    mqttMode: 2
    mqttQOS: 0
    mqttRetain: false
    mqttServerExternal: tcp://127.0.0.1:1883
    mqttServerInternal: tcp://127.0.0.1:1884
    mqttSessionQueueSize: 100
  metaManager: {contextSendGroup: hub, contextSendModule: websocket, enable: true, podStatusSyncInterval: 60}
  serviceBus: {enable: false}
""")
# Keys that the Go structures have and that are empty by default, so that they are not printed.
KUBEEDGE_EMPTY = {
    "modules.edgeHub.quic.enable": False,
    "modules.edged.networkPluginName": "",
    "modules.edged.edgeCoreCgroups": "",
    "modules.edged.systemCgroups": "",
}
OURS = {
    "modules.serviceBus.maxBodyBytes": 5_000_000,
    "modules.serviceBus.maxCalls": 16,
    "modules.serviceBus.onlyTargets": False,
    "modules.serviceBus.targets": (),
    "modules.serviceBus.timeout": 10,
    "bus.mailboxSize": 1024,
    "bus.sendTimeout": 30,
    "control.socket": "auto",
    "modules.deviceTwin.resends": 3,
    "modules.edgeHub.cloudVersion": "1.3.1",
    "modules.edged.maxPods": 110,
    "modules.edged.podStartDelay": 0,
    "modules.edged.processImages": (),
    "modules.edged.processLogSize": 10485760,
    "modules.edged.processRoot": "auto",
    "modules.edged.runtime": "simulated",
    "modules.edgeHub.maxMessageBytes": 67108864,
    "modules.edgeHub.outboxSize": 1024,
    "modules.edgeHub.websocket.ping": True,
    "modules.eventBus.eventBusTLS.enable": False,
    "modules.eventBus.eventBusTLS.serverName": "",
    "modules.eventBus.eventBusTLS.tlsMqttCAFile": "",
    "modules.eventBus.eventBusTLS.tlsMqttCertFile": "",
    "modules.eventBus.eventBusTLS.tlsMqttPrivateKeyFile": "",
    "modules.eventBus.external.connectTimeout": 10,
    "modules.eventBus.external.keepAlive": 30,
    "modules.eventBus.external.maxInflight": 100,
    "modules.eventBus.external.protocolVersion": "3.1.1",
    "modules.eventBus.external.publishQOS": 1,
    "modules.eventBus.external.willPayload": "",
    "modules.eventBus.external.willQOS": 1,
    "modules.eventBus.external.willRetain": False,
    "modules.eventBus.external.willTopic": "",
    "modules.eventBus.inject.enable": False,
    "modules.eventBus.inject.maxBytes": 1_048_576,
    "modules.eventBus.inject.rate": 20,
    "modules.eventBus.internal.python": "",
    "modules.eventBus.maxPacketBytes": 8388608,
    "modules.eventBus.mirror.burst": 500,
    "modules.eventBus.mirror.enable": False,
    "modules.eventBus.mirror.maxBytes": 65_536,
    "modules.eventBus.mirror.protocolVersion": "auto",
    "modules.eventBus.mirror.rate": 100,
    "modules.eventBus.mirror.redact": True,
    "modules.eventBus.mirror.share": 1,
    "modules.eventBus.mirror.stateInterval": 1,
    "modules.eventBus.mirror.watchedBurst": 10_000,
    "modules.eventBus.mirror.watchedRate": 5000,
    "modules.eventBus.mirror.watchedShare": 10,
    "modules.eventBus.mqttPassword": "",
    "modules.eventBus.mqttPasswordFile": "",
    "modules.eventBus.mqttPubClientID": "",
    "modules.eventBus.mqttSubClientID": "",
    "modules.eventBus.mqttUsername": "",
    "modules.eventBus.queueBytes": 16777216,
    "modules.eventBus.queueSize": 10000,
    "modules.eventBus.uploadForm": "1.3",
    "modules.edgeMesh.dns.autopath": False,
    "modules.edgeMesh.dns.cacheMaxTtl": 3600,
    "modules.edgeMesh.dns.cacheSize": 10000,
    "modules.edgeMesh.dns.domains": (),
    "modules.edgeMesh.dns.ipv6Prefix": "",
    "modules.edgeMesh.dns.listen": ("auto",),
    "modules.edgeMesh.dns.manageResolvConf": False,
    "modules.edgeMesh.dns.namespace": "",
    "modules.edgeMesh.dns.prefetch": True,
    "modules.edgeMesh.dns.resolvConf": "/etc/resolv.conf",
    "modules.edgeMesh.dns.serveStale": 86400,
    "modules.edgeMesh.dns.ttl": 64,
    "modules.edgeMesh.dns.unready": "resolve",
    "modules.edgeMesh.dns.upstreamZones": (),
    "modules.edgeMesh.dns.upstreams": (),
    "modules.edgeMesh.dns.workers": 1,
    "modules.edgeMesh.dns.intercept": True,
    "modules.edgeMesh.intercept.checkInterval": 5,
    "modules.edgeMesh.intercept.createInterface": True,
    "modules.edgeMesh.intercept.interfaceAddress": "169.254.96.16",
    "modules.edgeMesh.intercept.kernelPlane": True,
    "modules.edgeMesh.intercept.linger": 30,
    "modules.edgeMesh.intercept.repair": True,
    "modules.edgeMesh.intercept.tool": "auto",
    "modules.edgeMesh.limits.connectTimeout": 5,
    "modules.edgeMesh.limits.idleTimeout": 60,
    "modules.edgeMesh.limits.maxConnections": 10000,
    "modules.edgeMesh.limits.maxHeaderBytes": 65536,
    "modules.edgeMesh.limits.rebindInterval": 5,
    "modules.edgeMesh.limits.requestTimeout": 300,
    "modules.edgeMesh.mode": "auto",
    "modules.edgeMesh.plainListenAddress": "127.0.0.1",
    "modules.edgeMesh.rootlessSubNet": "127.251.0.0/16",
    "modules.edgeMesh.traffic.accessLog": "",
    "modules.edgeMesh.traffic.accessLogFiles": 3,
    "modules.edgeMesh.traffic.accessLogMaxSize": 67108864,
    "modules.edgeMesh.traffic.affinityTimeout": 10800,
    "modules.edgeMesh.traffic.checks": "off",
    "modules.edgeMesh.traffic.drainTimeout": 30,
    "modules.edgeMesh.traffic.ejectAfter": 5,
    "modules.edgeMesh.traffic.ejectBase": 30,
    "modules.edgeMesh.traffic.ejectMax": 300,
    "modules.edgeMesh.traffic.ejectMaxShare": 50,
    "modules.edgeMesh.traffic.forwardedHeaders": "off",
    "modules.edgeMesh.traffic.hashKey": "source",
    "modules.edgeMesh.traffic.maxFlows": 4096,
    "modules.edgeMesh.traffic.panicShare": 30,
    "modules.edgeMesh.traffic.podAddresses": False,
    "modules.edgeMesh.traffic.retries": 2,
    "modules.edgeMesh.traffic.retryBudget": 20,
    "modules.edgeMesh.traffic.retryBudgetMin": 10,
    "modules.edgeMesh.traffic.sniffTimeout": 0.1,
    "modules.edgeMesh.traffic.tcpIdleTimeout": 3600,
    "modules.edgeMesh.traffic.udpIdleTimeout": 60,
    "modules.edgeMesh.traffic.workers": 1,
    "observe.listen": "auto",
    "observe.logFormat": "auto",
    "observe.logLevel": "info",
}


def flat(tree: dict[str, Any], path: str = "") -> dict[str, Any]:
    found = {}
    for name, value in tree.items():
        below = f"{path}.{name}" if path else name
        found.update(flat(value, below) if isinstance(value, dict) else {below: value})
    return found


def test_the_defaults_are_those_of_kubeedge_and_ours_and_nothing_else(defaults: EdgeCoreConfig) -> None:
    assert flat(msgspec.to_builtins(defaults)) == flat(KUBEEDGE_DEFAULTS) | KUBEEDGE_EMPTY | OURS


def test_what_kubeedge_has_not_is_marked_as_ours() -> None:
    assert {path for path, setting in leaves(EdgeCoreConfig) if setting.key.ours} == set(OURS)


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        setattr(EdgeCoreConfig().bus, "mailbox_size", 7)  # noqa: B010 - a plain assignment is refused by mypy already


def test_the_websocket_server_is_wss_without_a_scheme() -> None:
    assert WebSocketLink(server="192.0.2.2:10000").address == ServerAddress("wss", "192.0.2.2", 10000)


def test_the_control_socket_is_beside_the_database_by_default() -> None:
    config = replace(EdgeCoreConfig(), database=Database(data_source="/srv/a/node.db"))
    assert config.control_socket == Path("/srv/a/edgecore.sock")


def test_a_named_control_socket_is_taken() -> None:
    config = replace(EdgeCoreConfig(), control=Control(socket="/run/x.sock"))
    assert config.control_socket == Path("/run/x.sock")


def test_the_node_name_is_the_hostname_override(defaults: EdgeCoreConfig) -> None:
    assert defaults.node_name == "vm"


def test_the_database_path_is_the_data_source() -> None:
    assert Database(data_source="/srv/node.db").path == Path("/srv/node.db")


def test_the_listeners_are_on_loopback_with_the_next_free_port_by_default() -> None:
    assert MeshDns().binds == (ListenAddress("127.0.0.1", 10053, next_free=True),)
    assert Observe().bind == ListenAddress("127.0.0.1", 10550, next_free=True)
    assert EdgeMesh().plain_bind == ListenAddress("127.0.0.1", 40001, next_free=True)


def test_upstreams_are_taken_apart() -> None:
    dns = MeshDns(upstreams=("192.0.2.53", "127.0.0.1:5353"))
    assert dns.upstream_addresses == (HostPort("192.0.2.53", 53), HostPort("127.0.0.1", 5353))


def test_the_name_servers_of_zones_are_taken_apart() -> None:
    dns = MeshDns(upstream_zones=("Corp.Example.=192.0.2.53", "lab.example=127.0.0.1:5353,[::1]:53"))
    assert dns.zone_addresses == {
        "corp.example": (HostPort("192.0.2.53", 53),),
        "lab.example": (HostPort("127.0.0.1", 5353), HostPort("::1", 53)),
    }


@pytest.mark.parametrize(
    "text", ["", "x", "x=", "=192.0.2.53", "x=name", "x=192.0.2.53:0", "x=192.0.2.53,", "a b=1.1.1.1"]
)
def test_a_zone_without_name_servers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"it is|host|IP address|port|:"):
        parse_zone_servers(text)


def test_the_targets_of_servicebus_are_taken_apart() -> None:
    bus = ServiceBus(targets=("8080=192.0.2.20:80", "9000=[::1]:9001"))
    assert bus.places == {8080: HostPort("192.0.2.20", 80), 9000: HostPort("::1", 9001)}


def test_the_subnets_are_networks() -> None:
    mesh = EdgeMesh()
    assert (str(mesh.network), str(mesh.rootless_network)) == ("9.251.0.0/16", "127.251.0.0/16")
