"""What of an object cannot change once it is there (pure).

Source: kubernetes ``pkg/apis/core/validation/validation.go`` (ValidatePodUpdate, ValidateServiceUpdate,
ValidateSecretUpdate) and ``pkg/apis/apps`` of 1.17.
"""

from typing import Any

from cloudhub_stub.cluster.kinds import DEPLOYMENT_KIND, POD_KIND, SECRET_KIND, Object
from cloudhub_stub.errors import Invalid

IMMUTABLE = "field is immutable"

_CONTAINERS = ("containers", "initContainers")
_POD_CHANGES = "in the spec of a pod, images may change, activeDeadlineSeconds come down and tolerations be added"


def check_update(old: Object, new: Object) -> None:
    """Raise ``Invalid`` if ``new`` changes what must stay as it is in ``old``; clusterIP is the API's own matter."""
    if old["kind"] == POD_KIND.name:
        _check_pod_spec(old["spec"], new["spec"])
    elif old["kind"] == DEPLOYMENT_KIND.name:
        if old["spec"].get("selector") != new["spec"].get("selector"):
            raise Invalid("spec.selector", IMMUTABLE)
    elif old["kind"] == SECRET_KIND.name and old.get("type") != new.get("type"):
        raise Invalid("type", IMMUTABLE)


def _check_pod_spec(old: Object, new: Object) -> None:
    if old == new:
        return
    before, after = _lasting(old), _lasting(new)
    if before != after:
        raise Invalid(f"spec{_difference(before, after)}", f"{IMMUTABLE}: {_POD_CHANGES}")
    limit, wanted = old.get("activeDeadlineSeconds"), new.get("activeDeadlineSeconds")
    if limit is not None and (wanted is None or wanted > limit):
        raise Invalid("spec.activeDeadlineSeconds", f"must be at most {limit}, as before")
    kept = [_timeless(each) for each in new.get("tolerations") or ()]
    for number, each in enumerate(old.get("tolerations") or ()):
        if _timeless(each) not in kept:
            raise Invalid("spec.tolerations", f"{IMMUTABLE}: number {number + 1} of those before is missing")


def _lasting(spec: Object) -> Object:
    """Return the part of a pod's spec that never changes."""
    rest = {name: value for name, value in spec.items() if name not in ("activeDeadlineSeconds", "tolerations")}
    for name in _CONTAINERS:
        if rest.get(name):
            rest[name] = [{**each, "image": ""} for each in rest[name]]
    return rest


def _timeless(toleration: Object) -> Object:
    return {name: value for name, value in toleration.items() if name != "tolerationSeconds"}


def _difference(old: Any, new: Any) -> str:
    """Return the path to the first place where two values differ, to be put behind the path of the values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in (*old, *new):
            if name not in old or name not in new:
                return f".{name}"
            if old[name] != new[name]:
                return f".{name}{_difference(old[name], new[name])}"
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            if before != after:
                return f"[{number}]{_difference(before, after)}"
    return ""
