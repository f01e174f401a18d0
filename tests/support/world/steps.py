"""What may happen to a cloud and its edges, as values: a sequence of them is an example that can be written down."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Apply:
    """Somebody applies a manifest of ``manifests.py``, in one of its variants."""

    what: str
    variant: int = 0


@dataclass(frozen=True)
class Scale:
    """Somebody scales a deployment."""

    name: str
    replicas: int


@dataclass(frozen=True)
class Delete:
    """Somebody deletes an object; ``which`` of those there are, where there may be several (pods of deployments)."""

    what: str
    grace_s: int | None = None


@dataclass(frozen=True)
class DeleteSomePod:
    """Somebody deletes one of the pods there are."""

    which: int
    grace_s: int | None = None


@dataclass(frozen=True)
class Cut:
    """The link of a node loses everything but so many more frames; the edge comes back ``away_s`` later.

    ``noticed``: the stub hears that the connection is gone; else it waits for a keepalive, or for the next connection.
    """

    node: str
    down: int = 0
    up: int = 0
    away_s: float = 0.5
    noticed: bool = True


@dataclass(frozen=True)
class LoseAcks:
    """For a while acknowledgements of a node vanish."""

    node: str
    for_s: float


@dataclass(frozen=True)
class KillEdge:
    """The process of an edge ends, and another starts ``away_s`` later; perhaps the database is gone by then."""

    node: str
    away_s: float = 1.0
    loses_disk: bool = False


@dataclass(frozen=True)
class CrashStub:
    """The process of the stub ends, with what it has not committed, and another starts ``away_s`` later."""

    away_s: float = 1.0


@dataclass(frozen=True)
class SlowDisk:
    """Commits of the stub take so long from now on."""

    latency_s: float


@dataclass(frozen=True)
class FullDisk:
    """The next so many commits of the stub fail."""

    commits: int


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    seconds: float


Step = Any
