"""What the node says to the workers that answer beside it, and what they say."""

from msgspec import Struct

from edgecore.modules.edgemesh.dns.listening.responder import Kind
from edgecore.modules.edgemesh.dns.recipe import Recipe
from edgecore.modules.edgemesh.dns.tally import Figures
from edgecore.modules.edgemesh.dns.workers.feed import NameRemoved, NamesComplete, NameSet, PoolServed
from edgecore.modules.edgemesh.workers.link import Counted, Line


class Begin(Struct, frozen=True, tag="begin"):
    """To a worker, before all else: what it is to do."""

    recipe: Recipe


class Listen(Struct, frozen=True, tag="listen"):
    """To a worker: answer at this address too."""

    host: str
    port: int


Order = Begin | Listen | NameSet | NameRemoved | NamesComplete | PoolServed


class Complaint(Struct, frozen=True, tag="complaint"):
    """From a worker: see ``responder.Report``."""

    kind: Kind
    reason: str
    peer: str
    left_out: int
    details: str


News = Counted[Figures] | Complaint | Line
