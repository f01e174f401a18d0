"""The objects of the cluster, in memory: versions, changes, and the ways in which they are looked up (pure).

Every write gets a resource version, higher than all before it, as from etcd; a removal gets one too. Whoever wants to
know what happened reads ``changes``, which are in order. The registry knows no rules: those are in ``api.py``.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cloudhub_stub.cluster.kinds import POD_KIND, SERVICE_KIND, Object, ObjectKey, key_of

Label = tuple[str, str]
"""Name and value."""


class Change(NamedTuple):
    """One write: ``old`` is what was before, ``None`` for a new object; ``new`` is what is now, ``None`` for one that
    was removed: then ``old`` is the last state, with the version of the removal."""

    key: ObjectKey
    old: Object | None
    new: Object | None

    @property
    def object(self) -> Object:
        """The newest state."""
        found = self.old if self.new is None else self.new
        assert found is not None  # noqa: S101 - a change has one side at least
        return found


class Registry:
    """All objects. Reading returns the objects themselves: they are never changed, only replaced."""

    def __init__(self, version: int = 0) -> None:
        self.version = version
        """The highest resource version handed out."""
        self.changes: deque[Change] = deque()
        """What was written and is not dealt with yet; whoever deals with it takes it out."""
        self._objects: dict[str, dict[ObjectKey, Object]] = defaultdict(dict)
        self._pods_by_node: dict[str, set[ObjectKey]] = defaultdict(set)
        self._pods_by_owner: dict[str, set[ObjectKey]] = defaultdict(set)
        self._pods_by_label: dict[tuple[str, Label], set[ObjectKey]] = defaultdict(set)
        self._services_by_label: dict[tuple[str, Label], set[ObjectKey]] = defaultdict(set)

    def __len__(self) -> int:
        return sum(map(len, self._objects.values()))

    # Reading.

    def get(self, key: ObjectKey) -> Object | None:
        """Return the object, if there is one."""
        return self._objects[key.kind].get(key) if key.kind in self._objects else None

    def all_of(self, kind: str, namespace: str | None = None) -> list[Object]:
        """Return the objects of a kind, of one namespace or of all, by namespace and name."""
        held = self._objects.get(kind, {})
        return [held[key] for key in sorted(held) if namespace is None or key.namespace == namespace]

    def count(self, kind: str) -> int:
        """Return how many objects of a kind there are."""
        return len(self._objects.get(kind, ()))

    def every(self) -> Iterator[Object]:
        """Return all objects."""
        for held in self._objects.values():
            yield from held.values()

    def pods_on(self, node: str) -> list[Object]:
        """Return the pods that are bound to ``node``."""
        return self._pods(self._pods_by_node.get(node, ()))

    def pods_of(self, owner_uid: str) -> list[Object]:
        """Return the pods that a controller of that uid owns."""
        return self._pods(self._pods_by_owner.get(owner_uid, ()))

    def pods_selected(self, namespace: str, selector: Mapping[str, str]) -> list[Object]:
        """Return the pods of ``namespace`` that carry all those labels; none for an empty selector."""
        found = [self._pods_by_label.get((namespace, label), set()) for label in selector.items()]
        return self._pods(set.intersection(*found)) if found else []

    def services_selecting(self, namespace: str, labels: Mapping[str, str]) -> list[Object]:
        """Return the services of ``namespace`` that select a pod with those labels."""
        found: set[ObjectKey] = set()
        for label in labels.items():
            found |= self._services_by_label.get((namespace, label), set())
        services = self._objects[SERVICE_KIND.name]
        return [
            services[key]
            for key in sorted(found)
            if all(labels.get(name) == value for name, value in _selector(services[key]).items())
        ]

    # Writing.

    def put(self, obj: Object) -> Object:
        """Write ``obj``, new or instead of the one of its key, and return it with its resource version."""
        key = key_of(obj)
        old = self.get(key)
        new = {**obj, "metadata": {**obj["metadata"], "resourceVersion": self._next_version()}}
        self._hold(key, old, new)
        self.changes.append(Change(key, old, new))
        return new

    def remove(self, key: ObjectKey) -> Object:
        """Remove the object and return its last state, with the version of the removal. Raises ``KeyError``."""
        held = self._objects[key.kind][key]
        last = {**held, "metadata": {**held["metadata"], "resourceVersion": self._next_version()}}
        self._hold(key, held, None)
        self.changes.append(Change(key, last, None))
        return last

    def load(self, obj: Object) -> None:
        """Take in an object that was written by an earlier process, as it is; that is no change."""
        self._hold(key_of(obj), None, obj)

    def note_version(self, version: str) -> None:
        """Hand out higher versions than this one from now on, where it is a number."""
        if version.isascii() and version.isdigit() and len(version) < 19:
            self.version = max(self.version, int(version))

    def next_version(self) -> str:
        """Return a version for something that is no object."""
        return self._next_version()

    def _next_version(self) -> str:
        self.version += 1
        return str(self.version)

    def _hold(self, key: ObjectKey, old: Object | None, new: Object | None) -> None:
        if old is not None:
            self._index(key, old, is_there=False)
        if new is None:
            del self._objects[key.kind][key]
        else:
            self._objects[key.kind][key] = new
            self._index(key, new, is_there=True)

    def _index(self, key: ObjectKey, obj: Object, *, is_there: bool) -> None:
        if key.kind == POD_KIND.name:
            _mark(self._pods_by_node, obj["spec"].get("nodeName", ""), key, is_there=is_there)
            _mark(self._pods_by_owner, owner_uid(obj), key, is_there=is_there)
            for label in labels_of(obj).items():
                _mark(self._pods_by_label, (key.namespace, label), key, is_there=is_there)
        elif key.kind == SERVICE_KIND.name:
            for label in list(_selector(obj).items())[:1]:
                _mark(self._services_by_label, (key.namespace, label), key, is_there=is_there)

    def _pods(self, keys: Any) -> list[Object]:
        pods = self._objects[POD_KIND.name]
        return [pods[key] for key in sorted(keys)]


def labels_of(obj: Object) -> Mapping[str, str]:
    """Return the labels of an object."""
    return obj["metadata"].get("labels") or {}


def owner_uid(obj: Object) -> str:
    """Return the uid of the controller that owns an object; empty where none does."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner.get("uid", ""))
    return ""


def _selector(service: Object) -> Mapping[str, str]:
    return service["spec"].get("selector") or {}


def _mark(index: dict[Any, set[ObjectKey]], value: Any, key: ObjectKey, *, is_there: bool) -> None:
    if is_there:
        index[value].add(key)
    elif value in index:
        index[value].discard(key)
        if not index[value]:
            del index[value]
