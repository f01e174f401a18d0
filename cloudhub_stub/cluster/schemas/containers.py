"""The schema of a container.

Source: kubernetes staging/src/k8s.io/api/core/v1/types.go and pkg/apis/core/validation/validation.go@v1.17.0.
"""

from collections.abc import Mapping
from typing import Any

from cloudhub_stub.cluster.names import (
    data_key_fault,
    env_name_fault,
    label_fault,
    port_name_fault,
    qualified_name_fault,
)
from cloudhub_stub.cluster.quantities import amount
from cloudhub_stub.cluster.schemas.shapes import (
    INT32_MAX,
    INT64_MAX,
    Check,
    Exactly,
    ListOf,
    MapOf,
    Number,
    NumberOrName,
    OneOf,
    Struct,
    Text,
    address,
    below,
    boolean,
    mapping,
    quantity,
    text,
)
from cloudhub_stub.cluster.schemas.volumes import FIELD_REF, RESOURCE_FIELD_REF
from cloudhub_stub.errors import Invalid

PROTOCOL: Check = OneOf("TCP", "UDP", "SCTP")
_SECONDS = Number(0, INT32_MAX)


def _address_or_empty(value: Any, path: str) -> None:
    if value != "":
        address(value, path)


_PORT = Struct(
    {
        "name": Text(port_name_fault, or_empty=True),
        "containerPort": Number(1, 65_535),
        "hostPort": Number(0, 65_535),
        "hostIP": _address_or_empty,
        "protocol": PROTOCOL,
    },
    required=("containerPort",),
)

_KEY_REF: Mapping[str, Check] = {"name": Text(), "key": Text(data_key_fault), "optional": boolean}
_SOURCES: Mapping[str, Check] = {
    "fieldRef": FIELD_REF,
    "resourceFieldRef": RESOURCE_FIELD_REF,
    "configMapKeyRef": Struct(_KEY_REF, required=("name", "key")),
    "secretKeyRef": Struct(_KEY_REF, required=("name", "key")),
}


def _value_or_source(variable: Any, path: str) -> None:
    if variable.get("value") and variable.get("valueFrom") is not None:
        raise Invalid(below(path, "valueFrom"), "it stands beside a value, which it replaces")


_VARIABLE = Struct(
    {
        "name": Text(env_name_fault),
        "value": text,
        "valueFrom": Struct(_SOURCES, also="fileKeyRef", rules=(Exactly(*_SOURCES, "fileKeyRef"),)),
    },
    required=("name",),
    rules=(_value_or_source,),
)
_OBJECT_REF = Struct({"name": Text(), "optional": boolean}, required=("name",))
_VARIABLES_OF = Struct(
    {"prefix": Text(env_name_fault, or_empty=True), "configMapRef": _OBJECT_REF, "secretRef": _OBJECT_REF},
    rules=(Exactly("configMapRef", "secretRef"),),
)


def _asks_no_more_than_it_may(resources: Any, path: str) -> None:
    limits = resources.get("limits") or {}
    for name, requested in (resources.get("requests") or {}).items():
        if name in limits and amount(requested) > amount(limits[name]):
            raise Invalid(f"{below(path, 'requests')}[{name}]", f"{requested} is over the limit of {limits[name]}")


AMOUNTS: Check = MapOf(quantity, qualified_name_fault)
_RESOURCES = Struct({"limits": AMOUNTS, "requests": AMOUNTS}, also="claims", rules=(_asks_no_more_than_it_may,))

_HTTP_GET = Struct(
    {
        "port": NumberOrName(port_name_fault),
        "path": text,
        "host": text,
        "scheme": OneOf("HTTP", "HTTPS"),
        "httpHeaders": ListOf(Struct({"name": Text(), "value": text}, required=("name",))),
    },
    required=("port",),
)
_TCP_SOCKET = Struct({"port": NumberOrName(port_name_fault), "host": text}, required=("port",))
_ACTIONS: Mapping[str, Check] = {
    "exec": Struct({"command": ListOf(text)}),
    "httpGet": _HTTP_GET,
    "tcpSocket": _TCP_SOCKET,
}
_PROBE = Struct(
    {
        **_ACTIONS,
        "grpc": mapping,
        "initialDelaySeconds": _SECONDS,
        "timeoutSeconds": _SECONDS,
        "periodSeconds": _SECONDS,
        "successThreshold": _SECONDS,
        "failureThreshold": _SECONDS,
        "terminationGracePeriodSeconds": Number(1, INT64_MAX),
    },
    rules=(Exactly(*_ACTIONS, "grpc"),),
)
_HOOK = Struct({**_ACTIONS, "sleep": mapping}, rules=(Exactly(*_ACTIONS, "sleep"),))
_MOUNT = Struct(
    {
        "name": Text(),
        "mountPath": Text(),
        "subPath": text,
        "subPathExpr": text,
        "readOnly": boolean,
        "mountPropagation": text,
    },
    required=("name", "mountPath"),
    also="recursiveReadOnly",
)


def _image(value: Any, path: str) -> None:
    Text()(value, path)
    if value != value.strip():
        raise Invalid(path, "it has spaces around it")


def _unique_port_names(container: Any, path: str) -> None:
    seen: set[str] = set()
    for index, port in enumerate(container.get("ports") or ()):
        name = port.get("name") or ""
        if name and name in seen:
            raise Invalid(f"{below(path, 'ports')}[{index}].name", f"{name!r} is the name of another port already")
        seen.add(name)


CONTAINER: Check = Struct(
    {
        "name": Text(label_fault),
        "image": _image,
        "command": ListOf(text),
        "args": ListOf(text),
        "workingDir": text,
        "ports": ListOf(_PORT),
        "env": ListOf(_VARIABLE),
        "envFrom": ListOf(_VARIABLES_OF),
        "resources": _RESOURCES,
        "volumeMounts": ListOf(_MOUNT, "mountPath"),
        "livenessProbe": _PROBE,
        "readinessProbe": _PROBE,
        "startupProbe": _PROBE,
        "lifecycle": Struct({"postStart": _HOOK, "preStop": _HOOK}, also="stopSignal"),
        "terminationMessagePath": text,
        "terminationMessagePolicy": OneOf("File", "FallbackToLogsOnError"),
        "imagePullPolicy": OneOf("Always", "IfNotPresent", "Never"),
        "securityContext": mapping,
        "stdin": boolean,
        "stdinOnce": boolean,
        "tty": boolean,
    },
    required=("name", "image"),
    also="volumeDevices resizePolicy restartPolicy restartPolicyRules",
    rules=(_unique_port_names,),
)
