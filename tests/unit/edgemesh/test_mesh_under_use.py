"""Any sequence of changes, against a model that knows nothing of how the mesh follows them."""

from ipaddress import IPv4Network
from unittest import mock

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edgecore import kube
from edgecore.modules.edgemesh import fakeip
from edgecore.modules.edgemesh.fakeip import FakeIpPool
from edgecore.modules.edgemesh.mesh import (
    AddressGiven,
    AddressReturned,
    Event,
    Mesh,
    NamesChanged,
    PoolEmpty,
    PortsChanged,
)
from edgecore.modules.edgemesh.msgprocess import (
    Change,
    EndpointsChanged,
    EndpointsDeleted,
    PodChanged,
    PodDeleted,
    PodsChanged,
    PodsDeleted,
    ServiceChanged,
    ServiceDeleted,
)
from edgecore.modules.edgemesh.names import PodKey, ServiceKey
from edgecore.modules.edgemesh.published import Published
from edgecore.modules.edgemesh.upstream.spec import Transport
from tests.support.upstreams import fresh_table

ADDRESSES = 6
"""So few that they run out."""

KEYS = st.sampled_from([ServiceKey("default", "a"), ServiceKey("default", "b"), ServiceKey("prod", "a")])
PORTS = st.lists(
    st.sampled_from(
        [("http", "TCP", 80), ("http-1", "TCP", 81), ("tcp", "TCP", 82), ("", "TCP", 83), ("u", "UDP", 84)]
    ),
    unique=True,
    max_size=3,
)
VERSIONS = st.integers(0, 9)
PODS = st.lists(
    st.tuples(
        st.sampled_from(["", "x", "y", "z", "No"]),
        st.sampled_from(["a", "b", ""]),
        st.sampled_from(["Running", "Pending"]),
        st.booleans(),
        VERSIONS,
    ),
    max_size=4,
)
NODE_PODS = st.tuples(st.sampled_from(["default", "prod"]), st.sampled_from(["pod-0", "pod-1"]))


class MeshUnderUse(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        patched = mock.patch.object(fakeip, "_LAST", ADDRESSES)
        patched.start()
        self.unpatch = patched.stop
        self.mesh = Mesh(fresh_table(), FakeIpPool(IPv4Network("127.251.0.0/16"), 128.0))
        self.now = 0.0
        # The model: what the cloud has said last.
        self.services: dict[ServiceKey, kube.Service] = {}
        self.pods: dict[ServiceKey, tuple[kube.Pod, ...]] = {}
        self.node_pods: dict[PodKey, tuple[int, kube.Pod | None]] = {}
        self.endpoints: dict[ServiceKey, kube.Endpoints] = {}
        # What is outside: DNS, listeners, storage.
        self.dns: dict[ServiceKey, Published] = {}
        self.listeners: dict[ServiceKey, tuple[str, tuple[tuple[int, Transport], ...]]] = {}
        self.stored: dict[ServiceKey, str] = {}
        self.storing: list[AddressGiven] = []

    def teardown(self) -> None:
        self.unpatch()

    @rule(
        key=KEYS,
        ports=PORTS,
        selector=st.sampled_from([{"app": "x"}, {"app": "x"}, {}]),
        cluster_ip=st.sampled_from(["10.96.0.1", "None"]),
    )
    def put_service(
        self, key: ServiceKey, ports: list[tuple[str, str, int]], selector: dict[str, str], cluster_ip: str
    ) -> None:
        spec = kube.ServiceSpec(tuple(kube.ServicePort(*port, 80) for port in ports), selector, cluster_ip)
        self.services[key] = kube.Service(kube.ServiceMetadata(key.name, key.namespace), spec)
        self.apply(ServiceChanged(key, self.services[key]))

    @rule(key=KEYS, name=st.sampled_from(["example.com", "example.org.", ""]))
    def put_external_name(self, key: ServiceKey, name: str) -> None:
        spec = kube.ServiceSpec(type="ExternalName", external_name=name)
        self.services[key] = kube.Service(kube.ServiceMetadata(key.name, key.namespace), spec)
        self.apply(ServiceChanged(key, self.services[key]))

    @rule(key=KEYS)
    def delete_service(self, key: ServiceKey) -> None:
        self.services.pop(key, None)
        self.pods.pop(key, None)
        self.endpoints.pop(key, None)
        self.apply(ServiceDeleted(key))

    @rule(key=KEYS, pods=PODS)
    def put_pods(self, key: ServiceKey, pods: list[tuple[str, str, str, bool, int]]) -> None:
        self.pods[key] = tuple(
            a_pod(f"pod-{number}", number, *fields, version) for number, (*fields, version) in enumerate(pods)
        )
        self.apply(PodsChanged(key, self.pods[key]))

    @rule(where=NODE_PODS, pod=PODS.filter(bool))
    def put_node_pod(self, where: tuple[str, str], pod: list[tuple[str, str, str, bool, int]]) -> None:
        key, (*fields, version) = PodKey(*where), pod[0]
        said = a_pod(key.name, 9, *fields, version)
        before, known = self.node_pods.get(key, (-1, None))
        if version > before or (version == before and known is not None):
            self.node_pods[key] = version, said
        self.apply(PodChanged(key, said))

    @rule(where=NODE_PODS, version=VERSIONS)
    def delete_node_pod(self, where: tuple[str, str], version: int) -> None:
        key = PodKey(*where)
        if version >= self.node_pods.get(key, (-1, None))[0]:
            self.node_pods[key] = version, None
        self.apply(PodDeleted(key, "", version))

    @rule(key=KEYS)
    def delete_pods(self, key: ServiceKey) -> None:
        self.pods.pop(key, None)
        self.apply(PodsDeleted(key))

    @rule(key=KEYS, ready=st.sets(st.sampled_from(["pod-0", "pod-1"])), port=st.sampled_from(["http", "tcp"]))
    def put_endpoints(self, key: ServiceKey, ready: set[str], port: str) -> None:
        found: list[tuple[kube.EndpointAddress, ...]] = [
            tuple(
                kube.EndpointAddress(f"10.1.0.{name[-1]}", "", kube.TargetReference("Pod", name))
                for name in sorted(some)
            )
            for some in (ready, {"pod-0", "pod-1"} - ready)
        ]
        subset = kube.EndpointSubset(found[0], found[1], (kube.EndpointPort(port, "TCP", 80),))
        self.endpoints[key] = kube.Endpoints(subsets=(subset,))
        self.apply(EndpointsChanged(key, self.endpoints[key]))

    @rule(key=KEYS)
    def delete_endpoints(self, key: ServiceKey) -> None:
        self.endpoints.pop(key, None)
        self.apply(EndpointsDeleted(key))

    @rule(seconds=st.sampled_from([1.0, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(which=st.integers(0, 10))
    def storage_is_done(self, which: int) -> None:
        """Writes of one key are done in their order."""
        if not self.storing:
            return
        key = self.storing[which % len(self.storing)].entry.key
        given = next(one for one in self.storing if one.entry.key == key)
        self.storing.remove(given)
        self.act(self.mesh.stored(*given))

    def apply(self, change: Change) -> None:
        self.act(self.mesh.apply(change, self.now))

    def act(self, events: tuple[Event, ...]) -> None:
        for event in events:
            match event:
                case AddressGiven(entry, lease):
                    assert lease.address not in self.stored.values()
                    self.stored[entry.key] = lease.address
                    self.storing.append(event)
                case AddressReturned(key, address):
                    assert self.stored.pop(key) == address
                    assert all(said.address != address for said in self.dns.values())
                    assert all(pod.address != address for said in self.dns.values() for pod in said.pods)
                case NamesChanged(key, before, now):
                    assert before == self.dns.pop(key, None) != now
                    if now is not None:
                        self.dns[key] = now
                case PortsChanged(key, address, ports):
                    now_there = {key: (address, ports)} if ports else {}
                    assert ({key: self.listeners.pop(key)} if key in self.listeners else {}) != now_there
                    self.listeners.update(now_there)
                case PoolEmpty():
                    assert len(self.stored) == ADDRESSES

    @invariant()
    def all_that_was_said_becomes_what_the_cloud_said_once_all_is_stored(self) -> None:
        if not self.storing:
            assert self.dns == self.expected_names()
            assert self.listeners == self.expected_listeners()

    @invariant()
    def every_address_has_an_owner_that_is_to_have_one_and_none_is_held_back(self) -> None:
        wanted = self.wanted()
        assert self.stored.keys() <= wanted.keys()
        assert len(self.stored) == min(len(wanted), ADDRESSES) == len(self.mesh.pool)
        assert {key: self.mesh.pool.address_of(key) for key in self.stored} == self.stored

    @invariant()
    def nobody_is_told_of_an_address_that_is_not_stored(self) -> None:
        unstored = {given.lease.address for given in self.storing if given.entry.lease is given.lease}
        assert not unstored & {said.address for said in self.dns.values()}
        assert not unstored & {pod.address for said in self.dns.values() for pod in said.pods}

    def wanted(self) -> dict[ServiceKey, tuple[ServiceKey, tuple[kube.Pod, ...]]]:
        """Return what is to have an address: its service, and its pods."""
        wanted = {}
        for key, service in self.services.items():
            if service.spec.type == "ExternalName":
                continue
            pods = self.newest_pods(key)
            wanted[key] = key, pods
            for hostname in ("x", "y", "z"):
                named = tuple(pod for pod in pods if (pod.spec.hostname, pod.spec.subdomain) == (hostname, key.name))
                if named:
                    wanted[ServiceKey(key.namespace, f"{hostname}.{key.name}")] = key, named
        return wanted

    def served(self, key: ServiceKey) -> tuple[tuple[int, Transport], ...]:
        ports = self.services[key].spec.ports
        return tuple((port.port, "udp" if port.protocol == "UDP" else "tcp") for port in ports)

    def newest_pods(self, key: ServiceKey) -> tuple[kube.Pod, ...]:
        if not self.services[key].spec.selector:
            return ()
        return tuple(self.newest_pod(PodKey(key.namespace, pod.metadata.name), pod) for pod in self.pods.get(key, ()))

    def newest_pod(self, key: PodKey, listed: kube.Pod) -> kube.Pod:
        version, pod = self.node_pods.get(key, (-1, None))
        if pod is None and version >= int(listed.metadata.resource_version):
            gone = msgspec.structs.replace(listed.metadata, deletion_timestamp="gone")
            return msgspec.structs.replace(listed, metadata=gone)
        return pod if pod is not None and version > int(listed.metadata.resource_version) else listed

    def is_ready(self, key: ServiceKey, pods: tuple[kube.Pod, ...]) -> bool:
        """Say whether one of ``pods`` of the service, or an address of its endpoints, can be used."""
        endpoints, ports = self.endpoints.get(key), self.services[key].spec.ports
        subset = endpoints.subsets[0] if endpoints is not None else kube.EndpointSubset()
        if not self.services[key].spec.selector:
            named = {(port.name, port.protocol) for port in ports}
            return bool(subset.addresses) and (not ports or (subset.ports[0].name, "TCP") in named)
        waiting = {address.pod for address in subset.not_ready_addresses}
        up = any(
            pod.status.phase == "Running" and not pod.metadata.deletion_timestamp and pod.metadata.name not in waiting
            for pod in pods
        )
        return up and (not ports or any(port.protocol == "TCP" for port in ports))  # the pods declare no UDP port

    def expected_names(self) -> dict[ServiceKey, Published]:
        expected = {}
        for key, service in self.services.items():
            if service.spec.type == "ExternalName":
                name = service.spec.external_name.rstrip(".")
                expected[key] = Published(key, None, external_name=name)
            elif key in self.stored:
                expected[key] = Published(
                    key,
                    self.stored[key],
                    tuple((port.name, port.protocol, port.port) for port in service.spec.ports if port.name),  # type: ignore[misc]
                    tuple(
                        (one.name.split(".")[0], self.stored[one], self.is_ready(key, pods))  # type: ignore[misc]
                        for one, (service_key, pods) in sorted(self.wanted().items())
                        if service_key == key != one and one in self.stored
                    ),
                    is_ready=self.is_ready(key, self.newest_pods(key)),
                )
        return expected

    def expected_listeners(self) -> dict[ServiceKey, tuple[str, tuple[tuple[int, Transport], ...]]]:
        return {
            key: (self.stored[key], self.served(service_key))
            for key, (service_key, _) in self.wanted().items()
            if key in self.stored and self.served(service_key)
        }


def a_pod(
    name: str, number: int, hostname: str, subdomain: str, phase: str, terminating: bool, version: int
) -> kube.Pod:
    return kube.Pod(
        kube.Metadata(name, "", "", str(version), "2020-05-09T00:00:00Z" if terminating else None),
        kube.PodSpec(
            (kube.Container(ports=(kube.ContainerPort("", "TCP", 80, 8000 + number),)),),
            hostname=hostname,
            subdomain=subdomain,
        ),
        kube.PodStatus(phase, "10.0.0.1"),
    )


TestMeshUnderUse = MeshUnderUse.TestCase
TestMeshUnderUse.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
