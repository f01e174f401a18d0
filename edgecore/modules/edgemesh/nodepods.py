"""The pods of this node, as the cloud sends them one by one: they may be newer than those of a pod list (pure).

A cloud of 1.3.1 sends a pod list when the Endpoints change, and never when only a pod does. Of two words about one pod
the one with the greater resource version holds, whichever came first; of two that are the same age, or whose versions
are no numbers, that of the pod list. A pod that was deleted is as one that was told to go.
"""

from collections import OrderedDict
from typing import NamedTuple

import msgspec

from edgecore.kube import Pod
from edgecore.modules.edgemesh.names import PodKey

MAX_PODS = 4096
"""So many pods are remembered, the newest, deleted ones too."""


class _Known(NamedTuple):
    pod: Pod | None
    """``None``: deleted."""
    uid: str
    version: int


class NodePods:
    """See the module. ``limit``: so many are remembered."""

    def __init__(self, limit: int = MAX_PODS) -> None:
        self._limit = limit
        self._known: OrderedDict[PodKey, _Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def put(self, key: PodKey, pod: Pod, *, is_inserted: bool = False) -> bool:
        """Take note of a pod; return whether that is news.

        One that is inserted after it was deleted is there, whatever its version: old messages are being sent again.
        """
        known = self._known.get(key)
        version = pod.metadata.version
        if known is not None and not (is_inserted and known.pod is None):
            if known.pod == pod or version < known.version:
                return False
            if known.pod is None and (version == known.version >= 0 or known.uid == pod.metadata.uid != ""):
                return False
        self._keep(key, _Known(pod, pod.metadata.uid, version))
        return True

    def remove(self, key: PodKey, uid: str, version: int) -> bool:
        """Take note that a pod is deleted; return whether that is news.

        ``uid`` and ``version`` are those of its last state, as far as they are known: empty, -1. A pod that has taken
        the place of the deleted one stays.
        """
        known = self._known.get(key)
        if known is None:
            if not uid and version < 0:
                return False
            known = _Known(None, "", -1)
        elif version <= known.version:
            is_another = uid != known.uid if uid and known.uid else 0 <= version < known.version
            if is_another or known.pod is None:
                return False
        self._keep(key, _Known(None, uid or known.uid, max(version, known.version)))
        return True

    def newest(self, namespace: str, listed: Pod) -> Pod:
        """Return the pod of a pod list of ``namespace`` as it is by the newest word."""
        known = self._known.get(PodKey(namespace, listed.metadata.name))
        if known is None:
            return listed
        version, uid = listed.metadata.version, listed.metadata.uid
        if known.pod is not None:
            return known.pod if known.version > version else listed
        if uid and uid == known.uid:
            return _gone(listed)
        is_older = version <= known.version if version >= 0 else not (uid and known.uid)
        return _gone(listed) if is_older else listed

    def _keep(self, key: PodKey, known: _Known) -> None:
        self._known[key] = known
        self._known.move_to_end(key)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)


def _gone(pod: Pod) -> Pod:
    """Return a pod as one that was told to go."""
    if pod.terminating:
        return pod
    return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, deletion_timestamp="deleted"))
