"""EdgeMesh: what the cloud says of services, taken over by the mesh; annotations; what is published to DNS."""

from ipaddress import IPv4Network

from edgecore.beehive.frame import decode_frame
from edgecore.errors import ContentError, FrameError
from edgecore.kube import ServicePort, decode_service
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.fakeip import FakeIpPool
from edgecore.modules.edgemesh.mesh import AddressGiven, Event, Mesh, NamesChanged
from edgecore.modules.edgemesh.msgprocess import process
from edgecore.modules.edgemesh.upstream.durations import duration_s
from edgecore.modules.edgemesh.upstream.policies import MAX_PROBLEMS, policy_of, sources_of
from edgecore.modules.edgemesh.upstream.policy import Policy
from tests.fuzz.recorded import to_edge, values
from tests.fuzz.target import target
from tests.support.upstreams import fresh_table

POOL = IPv4Network("127.251.0.0/16")


def mesh_frames() -> list[bytes]:
    """Return recorded frames, three in each input."""
    frames = [frame.replace(b"\n", b"") for frame in to_edge()]
    return [b"\n".join(frames[at : at + 3]) for at in range(0, len(frames), 3)]


@target(
    "edgecore.modules.edgemesh.msgprocess",
    "edgecore.modules.edgemesh.discovery.addresses",
    "edgecore.modules.edgemesh.discovery.pods",
    faces="the cloud: frames, one after the other, a line each",
    seeds=mesh_frames,
)
def mesh_messages(data: bytes) -> None:
    """No message harms the mesh; what DNS is told to forget it had been told, and addresses are given once."""
    mesh, names = Mesh(fresh_table(), FakeIpPool(POOL, 60.0)), NameTable()
    names.serve_pool(POOL)
    for now, line in enumerate(data.splitlines()[:16]):
        try:
            message = decode_frame(line)
        except FrameError:
            continue
        for change in process(message):
            _follow(mesh, names, mesh.apply(change, float(now)))
    held = [entry.address for entry in mesh.table if entry.address is not None]
    assert len(held) == len(set(held))


def _follow(mesh: Mesh, names: NameTable, events: tuple[Event, ...]) -> None:
    for event in events:
        if isinstance(event, AddressGiven):
            _follow(mesh, names, mesh.stored(event.entry, event.lease))
        elif isinstance(event, NamesChanged):
            if event.now is None:
                names.discard(event.key)
            else:
                names.set(event.now)


@target(
    "edgecore.modules.edgemesh.upstream.annotations",
    "edgecore.modules.edgemesh.upstream.policies",
    "edgecore.modules.edgemesh.upstream.durations",
    faces="who annotates services",
    seeds=values(
        *[
            {
                "metadata": {"name": "a", "namespace": "b", "annotations": {f"edgemesh.kubeedge.io/{name}": text}},
                "spec": {"ports": [{"port": 80, "name": "http"}], "sessionAffinity": "ClientIP"},
            }
            for name, text in {
                "lb-strategy": "ROUND_ROBIN",
                "hash-key.http": "cookie:x",
                "hash-balance-factor": "1.5",
                "request-timeout.80": "1m30s",
                "eject-max-share": "50%",
                "retries": "3",
                "health-check": "off",
                "plane": "kernel",
                "none": "x",
            }.items()
        ]
    ),
)
def annotations(data: bytes) -> None:
    """What cannot be used is told in few words, and leaves a policy that holds."""
    try:
        service = decode_service(data)
    except ContentError:
        return
    for port in (*service.spec.ports[:4], ServicePort(port=80)):
        policy, problems = policy_of(Policy(), service, port)
        assert len(problems) <= MAX_PROBLEMS
        assert all(len(problem) < 1000 for problem in problems)
        assert policy.eject_max_s >= policy.eject_base_s
        assert 0 <= policy.retries <= 10
        sources_of(service, port)
    for text in service.metadata.annotations.values():
        try:
            assert duration_s(text) >= 0
        except ValueError:
            continue
