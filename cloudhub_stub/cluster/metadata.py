"""What the API itself writes into ``metadata``: uid, times, link, generation, generated names (pure).

Source: kubernetes ``pkg/registry/rest/{create,update}.go`` of apiserver 1.17.
"""

from hashlib import sha256
from typing import Any

from cloudhub_stub.cluster.instants import rfc3339
from cloudhub_stub.cluster.kinds import DEPLOYMENT_KIND, KINDS, Object, ObjectKey, key_of

NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Of which the generated part of a name is made: no vowels, nothing that looks like another letter."""
NAME_LIMIT = 63
GENERATED_LENGTH = 5

_SYSTEM_FIELDS = (
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
_NOT_OF_USERS = frozenset({*_SYSTEM_FIELDS, "managedFields"})


def self_link(key: ObjectKey) -> str:
    """Return the path of an object in the API: ``/apis/apps/v1/namespaces/default/deployments/web``."""
    kind = KINDS[key.kind]
    root = "/apis/" if kind.group else "/api/"
    where = f"/namespaces/{key.namespace}" if kind.namespaced else ""
    return f"{root}{kind.api_version}{where}/{kind.plural}/{key.name}"


def resource_name(key: ObjectKey) -> str:
    """Return how errors call an object: ``pods "web"``, ``deployments.apps "web"``."""
    kind = KINDS.get(key.kind)
    if kind is None:
        return f'{key.kind} "{key.name}"'
    group = f".{kind.group}" if kind.group else ""
    return f'{kind.plural}{group} "{key.name}"'


def generated_name(prefix: str, seed: str) -> str:
    """Return a name that begins with ``prefix`` (cut off to fit) and ends in five letters, a function of ``seed``."""
    digest = sha256(seed.encode()).digest()
    letters = (NAME_LETTERS[byte % len(NAME_LETTERS)] for byte in digest[:GENERATED_LENGTH])
    return prefix[: NAME_LIMIT - GENERATED_LENGTH] + "".join(letters)


def of_users(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the part of ``metadata`` that users decide on."""
    return {name: value for name, value in metadata.items() if name not in _NOT_OF_USERS}


def fresh(obj: Object, uid: str, now_ms: int) -> Object:
    """Return a new object with what the API writes into it; its version comes from the registry."""
    key = key_of(obj)
    written: dict[str, Any] = {"selfLink": self_link(key), "uid": uid, "resourceVersion": ""}
    if key.kind == DEPLOYMENT_KIND.name:
        written["generation"] = 1
    written["creationTimestamp"] = rfc3339(now_ms)
    metadata = obj["metadata"]
    first = {name: metadata[name] for name in ("name", "generateName", "namespace") if name in metadata}
    return {**obj, "metadata": {**first, **written, **of_users(metadata)}}


def carried_over(obj: Object, old: Object) -> Object:
    """Return ``obj`` with what the API wrote into ``old``, whatever ``obj`` says there."""
    kept = {name: old["metadata"][name] for name in _SYSTEM_FIELDS if name in old["metadata"]}
    return {**obj, "metadata": {**of_users(obj["metadata"]), **kept}}


def next_generation(obj: Object, old: Object) -> Object:
    """Return ``obj``, for a deployment with a higher generation if another spec is wanted than before."""
    if obj["kind"] != DEPLOYMENT_KIND.name or obj["spec"] == old["spec"]:
        return obj
    return {**obj, "metadata": {**obj["metadata"], "generation": old["metadata"].get("generation", 0) + 1}}
