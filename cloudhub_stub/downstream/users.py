"""Which nodes run pods that use a ConfigMap or Secret (pure).

KubeEdge calls it the location cache (``kubeedge cloud/pkg/edgecontroller/manager/location.go@v1.3.1``); what a pod uses
is in ``controllers/references.py``.
"""

from collections import defaultdict

from cloudhub_stub.cluster.kinds import Object, ObjectKey, key_of
from cloudhub_stub.controllers.references import references


class Users:
    """The pods by what they use."""

    def __init__(self) -> None:
        self._users: dict[ObjectKey, dict[ObjectKey, str]] = defaultdict(dict)

    def put(self, pod: Object) -> None:
        """A pod is there."""
        node = pod["spec"].get("nodeName", "")
        if node:
            for used in references(pod):
                self._users[used][key_of(pod)] = node

    def remove(self, pod: Object) -> None:
        """A pod is gone, or is about to be ``put`` anew."""
        key = key_of(pod)
        for used in references(pod):
            if used in self._users:
                self._users[used].pop(key, None)
                if not self._users[used]:
                    del self._users[used]

    def nodes(self, used: ObjectKey) -> set[str]:
        """Return the nodes with pods that use the object."""
        return set(self._users.get(used, {}).values())
