"""What Kubernetes 1.17 fills into the spec of a pod, also where a Deployment holds it as a template.

Source: kubernetes pkg/apis/core/v1/defaults.go@v1.17.0 and plugin/pkg/admission/defaulttolerationseconds. All functions
take what ``validation`` has passed and return changed copies.
"""

from typing import Any

from cloudhub_stub.cluster.copies import changed, filled, mapped, replaced
from cloudhub_stub.cluster.quantities import canonical

Json = dict[str, Any]

_FILE_MODE = 0o644
_TOKEN_SECONDS = 3600
_CONTAINER_LISTS = ("containers", "initContainers")


def with_pod_spec_defaults(spec: Json) -> Json:
    """Return the spec of a pod or of a template."""
    spec = filled(
        spec,
        {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
        },
    )
    for name in _CONTAINER_LISTS:
        spec = changed(spec, name, lambda items: mapped(items, _container))
        if spec.get("hostNetwork"):
            spec = changed(spec, name, lambda items: mapped(items, _on_host_network))
    return changed(spec, "volumes", lambda volumes: mapped(volumes, _volume))


def with_pod_only_defaults(spec: Json) -> Json:
    """Return the spec of a pod with what a template does not get: requests, tolerations, priority, service links."""
    for name in _CONTAINER_LISTS:
        spec = changed(spec, name, lambda items: mapped(items, _with_requests))
    spec = filled(spec, {"priority": 0, "enableServiceLinks": True})
    tolerations = spec.get("tolerations", [])
    missing = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
        for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
        if not any(_tolerates(each, key) for each in tolerations)
    ]
    return {**spec, "tolerations": [*tolerations, *missing]} if missing else spec


def is_latest(image: str) -> bool:
    """Whether an image is named by the tag ``latest``, or by no tag and no digest, which means it."""
    name = image.rpartition("/")[2]
    before, has_digest, _ = name.partition("@")
    _, _, tag = before.partition(":")
    return tag == "latest" or not (tag or has_digest)


def _tolerates(toleration: Json, key: str) -> bool:
    return toleration.get("key", "") in ("", key) and toleration.get("effect", "") in ("", "NoExecute")


def _container(container: Json) -> Json:
    container = filled(
        container,
        {
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": "Always" if is_latest(container["image"]) else "IfNotPresent",
        },
    )
    container = changed(container, "resources", _resources)
    container = changed(container, "ports", lambda ports: mapped(ports, _port))
    container = changed(container, "env", lambda env: mapped(env, _variable))
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        container = changed(container, name, _probe)
    return changed(container, "lifecycle", _lifecycle)


def _resources(resources: Json) -> Json:
    for name in ("requests", "limits"):
        resources = changed(resources, name, _quantities)
    return resources


def _quantities(held: Json) -> Json:
    found = {name: canonical(value) for name, value in held.items()}
    return held if found == held else found


def _with_requests(container: Json) -> Json:
    resources = container.get("resources", {})
    if "limits" not in resources:
        return container
    requests = filled(resources.get("requests", {}), resources["limits"])
    return replaced(container, "resources", replaced(resources, "requests", requests))


def _on_host_network(container: Json) -> Json:
    return changed(container, "ports", lambda ports: mapped(ports, _host_port))


def _host_port(port: Json) -> Json:
    return port if port.get("hostPort") else {**port, "hostPort": port["containerPort"]}


def _port(port: Json) -> Json:
    return filled(port, {"protocol": "TCP"})


def _variable(variable: Json) -> Json:
    return changed(variable, "valueFrom", _with_field_ref)


def _with_field_ref(source: Json) -> Json:
    return changed(source, "fieldRef", lambda field: filled(field, {"apiVersion": "v1"}))


def _probe(probe: Json) -> Json:
    defaults = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    missing = {name: value for name, value in defaults.items() if not probe.get(name)}
    return _with_http_get({**probe, **missing} if missing else probe)


def _lifecycle(lifecycle: Json) -> Json:
    for name in ("postStart", "preStop"):
        lifecycle = changed(lifecycle, name, _with_http_get)
    return lifecycle


def _with_http_get(action: Json) -> Json:
    return changed(action, "httpGet", lambda get: filled(get, {"path": "/", "scheme": "HTTP"}))


def _volume(volume: Json) -> Json:
    if len(volume) == 1:
        return {**volume, "emptyDir": {}}
    for name in ("secret", "configMap", "downwardAPI", "projected"):
        volume = changed(volume, name, lambda source: filled(source, {"defaultMode": _FILE_MODE}))
    volume = changed(volume, "downwardAPI", _downward)
    volume = changed(volume, "hostPath", lambda path: path if "type" in path else {**path, "type": ""})
    return changed(volume, "projected", _projected)


def _projected(projected: Json) -> Json:
    return changed(projected, "sources", lambda sources: mapped(sources, _projection))


def _projection(source: Json) -> Json:
    source = changed(source, "downwardAPI", _downward)
    return changed(source, "serviceAccountToken", lambda token: filled(token, {"expirationSeconds": _TOKEN_SECONDS}))


def _downward(source: Json) -> Json:
    return changed(source, "items", lambda items: mapped(items, _with_field_ref))
