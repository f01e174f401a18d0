"""Pod templates of Deployments: their hash, the names of their pods, the pods themselves (pure)."""

from collections.abc import Callable, Iterator
from hashlib import sha256

import msgspec

from cloudhub_stub.cluster.copies import without_nulls
from cloudhub_stub.cluster.kinds import DEPLOYMENT_KIND, POD_KIND, Object
from cloudhub_stub.controllers.replicas import TEMPLATE_HASH

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes random names of (``apimachinery pkg/util/rand``): no vowels, nothing that looks alike."""
_HASH_LETTERS = 10
_SUFFIX_LETTERS = 5
_LONGEST_BASE = 63 - _SUFFIX_LETTERS
"""``apiserver pkg/storage/names/generate.go``: what comes before the suffix is cut there."""
_SLOTS = 100_000


def template_hash(template: Object) -> str:
    """Return ten letters that are the same for the same template; ``null`` counts as absent."""
    metadata = template.get("metadata") or {}
    labels = {name: value for name, value in (metadata.get("labels") or {}).items() if name != TEMPLATE_HASH}
    seen = {**template, "metadata": {**metadata, "labels": labels}}
    text = _sorted_json(seen)
    return _letters(_sorted_json(without_nulls(seen)) if b"null" in text else text, _HASH_LETTERS)


def replica_set_name(deployment: Object, hash_: str) -> str:
    """Return what a cluster would call the ReplicaSet of that template, as names of pods and conditions show it."""
    return f"{deployment['metadata']['name']}-{hash_}"


def free_names(deployment: Object, hash_: str, taken: Callable[[str], bool]) -> Iterator[str]:
    """Yield the names of the pods of a template, slot after slot, without those that are taken."""
    base = f"{replica_set_name(deployment, hash_)}-"[:_LONGEST_BASE]
    yielded: set[str] = set()
    for slot in range(_SLOTS):
        name = base + _letters(f"{hash_}/{slot}".encode(), _SUFFIX_LETTERS)
        if name not in yielded and not taken(name):
            yielded.add(name)
            yield name


def pod_of(deployment: Object, template: Object, hash_: str, name: str) -> Object:
    """Return a new pod of ``deployment``, made from ``template``."""
    owner = deployment["metadata"]
    described = template.get("metadata") or {}
    metadata: Object = {
        "name": name,
        "generateName": f"{replica_set_name(deployment, hash_)}-",
        "namespace": owner["namespace"],
        "labels": {**(described.get("labels") or {}), TEMPLATE_HASH: hash_},
    }
    if described.get("annotations"):
        metadata["annotations"] = described["annotations"]
    metadata["ownerReferences"] = [
        {
            "apiVersion": DEPLOYMENT_KIND.api_version,
            "kind": DEPLOYMENT_KIND.name,
            "name": owner["name"],
            "uid": owner["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    return {
        "kind": POD_KIND.name,
        "apiVersion": POD_KIND.api_version,
        "metadata": metadata,
        "spec": template["spec"],
        "status": {"phase": "Pending"},
    }


def template_like(pod: Object) -> Object:
    """Return a template that makes pods like ``pod``, whichever node it is on."""
    spec = {name: value for name, value in pod["spec"].items() if name != "nodeName"}
    return {"metadata": pod["metadata"], "spec": spec}


def _letters(text: bytes, count: int) -> str:
    number = int.from_bytes(sha256(text).digest()[:8])
    letters = []
    for _ in range(count):
        number, digit = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[digit])
    return "".join(letters)


def _sorted_json(value: Object) -> bytes:
    return msgspec.json.encode(value, order="sorted")
