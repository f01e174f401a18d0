"""What the node says to the workers that answer beside it, and what they say."""

from collections.abc import Sequence

from msgspec import Struct

from edgecore.modules.edgemesh.dns.listening.responder import Kind
from edgecore.modules.edgemesh.dns.recipe import Recipe
from edgecore.modules.edgemesh.dns.tally import Figures
from edgecore.modules.edgemesh.dns.workers.feed import NameRemoved, NamesComplete, NameSet, PoolServed
from edgecore.modules.edgemesh.workers.link import Counted, Line
from edgecore.modules.edgemesh.workers.relay import Look


class Begin(Struct, frozen=True, tag="begin"):
    """To a worker, before all else: what it is to do."""

    recipe: Recipe


class Listen(Struct, frozen=True, tag="listen"):
    """To a worker: answer at this address too."""

    host: str
    port: int


Order = Begin | Listen | NameSet | NameRemoved | NamesComplete | PoolServed | Look


class Complaint(Struct, frozen=True, tag="complaint"):
    """From a worker: see ``responder.Report``."""

    kind: Kind
    reason: str
    peer: str
    left_out: int
    details: str


Exchange = tuple[str, str, bytes, bytes, int]
"""What ``ShowDns`` is called with."""


class Exchanges(Struct, frozen=True, tag="exchanges"):
    """From a worker: questions and answers, while somebody looks; ``lost`` before them could not be sent."""

    exchanges: Sequence[Exchange]
    lost: int


News = Counted[Figures] | Complaint | Exchanges | Line
