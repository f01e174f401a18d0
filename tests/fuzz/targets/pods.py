"""Edged: pods and their objects, the states that were stored, scripts of simulated pods, what supervisors say."""

from contextlib import suppress
from pathlib import Path, PurePosixPath

from edgecore.beehive.resource import CONFIGMAP, SECRET, EdgeResource
from edgecore.errors import ContentError
from edgecore.kube import Pod
from edgecore.modules.edged.hostfacts import _memory_mib, _os_image
from edgecore.modules.edged.objectvalues import read_values
from edgecore.modules.edged.podinput import MAX_CONTAINERS, read_pod, read_uid
from edgecore.modules.edged.podspec import decode_pod_to_run
from edgecore.modules.edged.process.children import _MARKED, _number
from edgecore.modules.edged.process.expansion import LIMIT, expand
from edgecore.modules.edged.process.facts import NodeFacts, quantity
from edgecore.modules.edged.process.images import Images
from edgecore.modules.edged.process.objects import Objects
from edgecore.modules.edged.process.plan import Ground, Places, PodPlan, ProcessPlan, plan_pod, safe_name
from edgecore.modules.edged.process.probes import plan_probe
from edgecore.modules.edged.process.protocol import Exited, Frames, News, Refused, Started, frame
from edgecore.modules.edged.process.volumes import below
from edgecore.modules.edged.references import MAX_REFERENCES, references
from edgecore.modules.edged.simulated.container import _unix_s
from edgecore.modules.edged.simulated.script import ANNOTATION, ScriptError, annotations_of, parse, script_of
from edgecore.modules.edged.storedstatus import remembered
from tests.fuzz.recorded import contents, texts, values
from tests.fuzz.target import target

ROOT = Path("/pods/uid")
NODE = NodeFacts("n", "10.0.0.1", "10.0.0.1", 2, 1 << 30)
POD = EdgeResource("default", "pod", "p")
_HTTP = {"httpGet": {"port": "web", "path": "/x"}, "periodSeconds": 1}
_POD = {
    "metadata": {
        "name": "p",
        "namespace": "default",
        "uid": "u",
        "labels": {"a": "b"},
        "annotations": {ANNOTATION: "runs=1s, exit=1", f"{ANNOTATION}.c": "ready=5s, oom"},
    },
    "spec": {
        "containers": [
            {
                "name": "c",
                "image": "web:1",
                "command": ["x"],
                "args": ["$(A)", "$$(A)", "{hostPort}"],
                "ports": [{"name": "web", "containerPort": 80, "hostPort": 8080}],
                "env": [
                    {"name": "A", "value": "1"},
                    {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                    {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "k"}}},
                    {"name": "D", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
                ],
                "envFrom": [{"prefix": "P_", "configMapRef": {"name": "cm"}}],
                "resources": {"limits": {"memory": "64Mi", "cpu": "100m"}},
                "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "a/b"}, {"name": "w", "mountPath": "/w"}],
                "livenessProbe": _HTTP,
                "readinessProbe": _HTTP,
            }
        ],
        "initContainers": [{"name": "i", "image": "web:1", "command": ["y"]}],
        "volumes": [
            {"name": "v", "emptyDir": {}},
            {
                "name": "w",
                "projected": {
                    "sources": [
                        {"configMap": {"name": "cm", "items": [{"key": "k", "path": "d/k", "mode": 256}]}},
                        {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                    ]
                },
            },
        ],
    },
}


def _with_pod(value: dict[str, object]) -> dict[str, object]:
    return {**_POD, "spec": {**_POD["spec"], **value}}  # type: ignore[dict-item]


_PODS = values(
    _POD,
    _with_pod(
        {
            "volumes": [
                {"name": "v", "hostPath": {"path": "/x", "type": "Directory"}},
                {"name": "w", "secret": {"secretName": "s", "optional": True}},
            ]
        }
    ),
    _with_pod({"hostNetwork": True, "restartPolicy": "Never", "terminationGracePeriodSeconds": 0}),
)


@target(
    "edgecore.modules.edged.podinput",
    "edgecore.modules.edged.podspec",
    "edgecore.modules.edged.references",
    "edgecore.modules.edged.process.facts",
    "edgecore.modules.edged.process.images",
    "edgecore.modules.edged.process.expansion",
    "edgecore.modules.edged.process.volumes",
    faces="the cloud: pods that are to run as processes",
    seeds=lambda: [*_PODS(), *contents("pod")()],
)
def pod_to_run(data: bytes) -> None:
    """Whatever is planned lies below the directory of the pod."""
    read_uid(data)
    found = read_pod(POD, data)
    if isinstance(found, Pod):
        assert len(found.spec.containers) <= MAX_CONTAINERS
    assert len(references("default", data).used) <= MAX_REFERENCES
    try:
        pod = decode_pod_to_run(data)
    except ContentError:
        return
    objects = Objects(
        "default", {(CONFIGMAP, "cm"): {"k": b"v", "../x": b"y", "a\0": b""}, (SECRET, "s"): {"k": b"\xff"}}
    )
    images = Images(["web:1=prog --port {hostPort} {containerPort.web}", "sh=sh"])
    planned = plan_pod(pod, Ground(NODE, objects, images, {"PATH": "/bin"}, Places(ROOT)))
    if isinstance(planned, PodPlan):
        _check(planned)
    for container in pod.spec.containers:
        for probe in (container.liveness_probe, container.readiness_probe):
            if probe is not None:
                plan_probe(probe, container, at_host_port=True)


def _check(planned: PodPlan) -> None:
    for volume in planned.volumes:
        for file in volume.files:
            _is_below(PurePosixPath(file.path))
    for process in (*planned.init.values(), *planned.containers.values()):
        if isinstance(process, ProcessPlan):
            assert not any("\0" in word for word in (*process.command, *process.variables, *process.variables.values()))
            for link in process.links:
                _is_below(link.path)
                _is_below(link.sub_path)


def _is_below(path: PurePosixPath) -> None:
    assert not path.is_absolute(), path
    assert ".." not in path.parts, path


@target(
    "edgecore.modules.edged.objectvalues",
    faces="the cloud: ConfigMaps and Secrets",
    seeds=lambda: [
        *contents("configmap", "secret")(),
        b'{"data":{"a":"Yg=="},"binaryData":{"c":"/w=="}}',
        b'{"data":null}',
    ],
)
def object_values(data: bytes) -> None:
    """What cannot be read is refused without a word of it."""
    for kind in ("configmap", "secret"):
        try:
            found = read_values(EdgeResource("default", kind, "x"), data)
        except ContentError as error:
            assert "Yg==" not in str(error)
            continue
        assert all(isinstance(value, bytes) for value in found.values())


@target(
    "edgecore.modules.edged.storedstatus",
    "edgecore.modules.metamanager.podstatus",
    "edgecore.modules.edged.simulated.container",
    faces="the database file: states of pods",
    seeds=contents("podstatus"),
)
def stored_status(data: bytes) -> None:
    """It is a state, or refused."""
    try:
        found = remembered(data)
    except ContentError:
        return
    for container in found.containers:
        _unix_s(container.started_at)


@target(
    "edgecore.modules.edged.simulated.script",
    faces="who annotates pods that are simulated",
    seeds=lambda: [
        *_PODS(),
        b"create=3s, runs=1m30s, exit=1, times=2, ready=5s, stop=1",
        b"pull-fails=2",
        b"runs=1h2m3.5s, oom, ready=never",
    ],
)
def simulated_script(data: bytes) -> None:
    """A script is read, or refused as one."""
    given = annotations_of(data)
    for text in (data.decode(errors="replace"), *given.values()):
        try:
            parse(text)
        except ScriptError:
            continue
    try:
        script_of(given, "c", is_init=False)
    except ScriptError:
        return


@target(
    "edgecore.modules.edged.process.facts",
    "edgecore.modules.edged.process.children",
    "edgecore.modules.edged.process.expansion",
    "edgecore.modules.edged.process.images",
    "edgecore.modules.edged.hostfacts",
    faces="pods and settings: quantities, variables, images, paths; files of the host",
    seeds=texts(
        "100m",
        "1.5Gi",
        "1e3",
        "$(A)$$(B)$(C",
        "reg:5000/a/web:1@sha256:ab=prog",
        "a/../b",
        "/x/./y",
        "MemTotal: 16 kB\nx",
        'PRETTY_NAME="Debian"\n',
    ),
)
def pod_texts(data: bytes) -> None:
    """Nothing grows without bound, and no path leads out."""
    text = data.decode(errors="replace")
    quantity(text)
    expanded = expand(text, {"A": "$(A)" * 10, "B": ""})
    assert expanded is None or len(expanded) <= LIMIT
    with suppress(ValueError):
        Images([text]).find(text)
    path = below(text)
    if path is not None:
        _is_below(path)
    assert "/" not in safe_name(text)
    assert safe_name(text) not in ("", ".", "..")
    assert _number(b"A=1\0" + _MARKED + data) >= 0
    _memory_mib(text)
    _os_image(text)


@target(
    "edgecore.modules.edged.process.protocol",
    faces="the supervisor of pods' processes",
    seeds=lambda: [frame(Started(1, 2)) + frame(Refused(1, "x")) + frame(Exited(1, -9))],
)
def supervisor_frames(data: bytes) -> None:
    """Cut up or whole it says the same, until it says what nobody understands."""
    assert _heard([data]) == _heard([data[at : at + 1] for at in range(len(data))])


def _heard(pieces: list[bytes]) -> list[object]:
    frames, found = Frames[News](News), list[object]()
    for piece in pieces:
        try:
            found += frames.feed(piece)
        except ContentError:
            return found
    return found
