"""What a controller wants to be written; ``Api.write`` does it."""

from typing import NamedTuple

from cloudhub_stub.cluster.kinds import Object, ObjectKey


class Create(NamedTuple):
    """A new object: kind, apiVersion, namespace and name are set; uid, version and creation time are not."""

    object: Object


class Replace(NamedTuple):
    """An object as it shall be now. Its ``metadata.resourceVersion`` is that of the object it was made from: if that
    has changed meanwhile, nothing is written, and the controller is asked again."""

    object: Object


class Delete(NamedTuple):
    """An object that shall go, unless it is another one of that name by now."""

    key: ObjectKey
    uid: str
    grace_s: int | None = None
    """``None`` for what the object says."""


Write = Create | Replace | Delete
