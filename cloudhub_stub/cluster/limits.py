"""How much the cluster takes: every object, and all of them together (pure)."""

import msgspec

from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.errors import Invalid

MAX_OBJECT_BYTES = 1_572_864
"""The largest object, as JSON: what etcd takes by default (``--max-request-bytes``)."""

MAX_STATUS_BYTES = 262_144
"""The largest status that an edge may report of a pod, or of itself."""

MAX_OBJECTS = 200_000
"""How many objects there may be."""

MAX_NODE_OBJECTS = 5_000
"""How many nodes may register: what Kubernetes is made for."""


def check_size(obj: Object) -> None:
    """Raise ``Invalid`` where an object is too large."""
    size = len(msgspec.json.encode(obj))
    if size > MAX_OBJECT_BYTES:
        raise Invalid("", f"Too long: the object has {size} bytes, must have at most {MAX_OBJECT_BYTES}")
