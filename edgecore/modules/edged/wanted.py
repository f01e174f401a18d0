"""Which objects of the cloud the pods of the node use, and which of them are to be asked for when (pure).

==========  ============================================================  =========================================
state       asked for                                                     left when
==========  ============================================================  =========================================
new         as soon as there is room                                      the answer comes
missing     ``AGAIN_AFTER_S`` after it was asked for, or was deleted;     an answer has it, or the cloud sends it
            at once where another pod comes to use it, or the link up
there       when another pod comes to use it                              the cloud deletes it
==========  ============================================================  =========================================

What no pod uses any more is forgotten. Instants are monotonic seconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from edgecore.beehive.resource import EdgeResource

AGAIN_AFTER_S = 60.0
"""The period in which one that is missing is asked for (recorded: the Go edgecore waits 60 s and asks again)."""
USES_LIMIT = 16_384
"""How many uses of objects by pods are kept, all pods together."""
MISSING_SHOWN = 100


@dataclass(slots=True)
class _Object:
    users: int = 0
    is_there: bool | None = None
    """``None`` until that is known."""


class Wanted:
    """All objects that the pods use."""

    def __init__(self) -> None:
        self._objects: dict[EdgeResource, _Object] = {}
        self._used: dict[str, tuple[EdgeResource, ...]] = {}
        self._uses = 0
        self._at_once: dict[EdgeResource, None] = {}
        self._later: dict[EdgeResource, float] = {}  # sorted: whatever is put in is put in for the same time from now
        self._under_way: set[EdgeResource] = set()

    # What is told.

    def use(self, uid: str, objects: Iterable[EdgeResource]) -> int:
        """Take that a pod uses ``objects``, each named once; return how many are left out, being too many.

        What the same pod used before is replaced.
        """
        self.release(uid)
        named = tuple(objects)
        used = named[: USES_LIMIT - self._uses]
        for each in used:
            self._objects.setdefault(each, _Object()).users += 1
            self._at_once[each] = None
        if used:
            self._used[uid] = used
            self._uses += len(used)
        return len(named) - len(used)

    def release(self, uid: str) -> list[EdgeResource]:
        """Take that a pod uses nothing any more; return what no pod uses then."""
        used = self._used.pop(uid, ())
        self._uses -= len(used)
        unused = []
        for each in used:
            self._objects[each].users -= 1
            if not self._objects[each].users:
                del self._objects[each]
                self._at_once.pop(each, None)
                self._later.pop(each, None)
                unused.append(each)
        return unused

    def told(self, name: EdgeResource, now: float, *, is_there: bool) -> bool:
        """Take that the cloud has sent or deleted an object; return whether it was missing and is not any more."""
        if name not in self._objects:
            return False
        self._at_once.pop(name, None)
        if not is_there:
            self._put_off(name, now)
        return self._note(name, is_there=is_there) and is_there

    def link_up(self) -> None:
        """Take that the cloud can be asked, which it could not."""
        self._at_once.update((name, None) for name, each in self._objects.items() if not each.is_there)

    # What is to be done.

    def next(self, now: float) -> EdgeResource | None:
        """Return the next object to ask for, which counts as begun; what was not asked for yet comes first."""
        due = (name for name, at in self._later.items() if at <= now)
        found = next((name for name in chain(self._at_once, due) if name not in self._under_way), None)
        if found is not None:
            self._at_once.pop(found, None)
            self._put_off(found, now)
            self._under_way.add(found)
        return found

    def next_at(self) -> float | None:
        """Return when ``next``, which has nothing now, has something if nothing is told before."""
        return next((at for name, at in self._later.items() if name not in self._under_way), None)

    def answered(self, name: EdgeResource, now: float, *, is_there: bool) -> bool:
        """Take the answer to a question that was begun; return whether it says something that was not known."""
        self._under_way.discard(name)
        if name not in self._objects:
            return False
        if not is_there and name not in self._later:  # meanwhile it came, or another pod began to use it
            self._put_off(name, now)
        return self._note(name, is_there=is_there)

    def abandoned(self, name: EdgeResource) -> None:
        """Take that a question was begun and will not be answered: it is asked again at once."""
        self._under_way.discard(name)
        if name in self._objects and not self._objects[name].is_there:
            self._at_once[name] = None

    def is_there(self, name: EdgeResource) -> bool | None:
        """Return whether an object is there; ``None`` where that is not known yet, or no pod uses it."""
        found = self._objects.get(name)
        return found.is_there if found else None

    def users(self, name: EdgeResource) -> list[str]:
        """Return the uids of the pods that use an object."""
        return [uid for uid, used in self._used.items() if name in used]

    @property
    def under_way(self) -> int:
        """How many questions were begun and not answered."""
        return len(self._under_way)

    def view(self) -> dict[str, Any]:
        """Return the objects as people want to see them, ``MISSING_SHOWN`` names at most."""
        missing = sorted(str(name) for name, each in self._objects.items() if each.is_there is False)
        return {"used": len(self._objects), "missing": len(missing), "names_missing": missing[:MISSING_SHOWN]}

    # The rest.

    def _note(self, name: EdgeResource, *, is_there: bool) -> bool:
        was, self._objects[name].is_there = self._objects[name].is_there, is_there
        if is_there:
            self._later.pop(name, None)
        return was is not is_there

    def _put_off(self, name: EdgeResource, now: float) -> None:
        self._later.pop(name, None)
        self._later[name] = now + AGAIN_AFTER_S
