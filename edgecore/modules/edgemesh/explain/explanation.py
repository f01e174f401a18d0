"""What an explanation is made of: steps, each with the sources of what it says, and a verdict for each port (values).

==============  =======================================================================================================
step            what it tells
==============  =======================================================================================================
asked           how what was asked is understood
cloud           whether the cloud is there; if not, since when
dns             what the name is answered with, and by which rule
service         which service, or pod of it, is meant
address         the fake IP, or whose address it is
port            the port of the service, and what its targetPort is
interception    how connections to it come to the mesh
plane           who moves the bytes
protocol        how its connections are treated
policy          the strategy, and what else differs from what is built in
backend         one pod or address behind it: in or out, and why
next            which of them the next request goes to
figures         what became of the requests until now
==============  =======================================================================================================
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Json = dict[str, Any]
State = Literal["ok", "warning", "broken"]


class Source(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Who says so."""

    kind: Literal["message", "setting", "annotation", "field", "node"]
    """A message, by which a row of the table ``meta`` became what it is; a setting of this node; an annotation or a
    field of the service; this node itself."""
    name: str
    """The key of the row, the path of the setting, the name of the annotation or the field."""
    value: str = ""
    """What the setting is."""
    is_default: bool = False
    """Nobody has set the setting."""
    message_id: str = ""
    source: str = ""
    operation: str = ""
    resource: str = ""
    at_ms: int | None = None
    """When the message came, in Unix milliseconds."""
    age_s: float | None = None
    """How long ago that is."""
    stale_s: float | None = None
    """For so long the cloud, whose word it is, has not been there to say otherwise."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step. ``port`` is empty where it is the same for all ports, else as ``80/tcp``."""

    step: str
    state: State = "ok"
    fact: str
    why: tuple[str, ...] = ()
    """Sentences: why that is so, what to do."""
    port: str = ""
    sources: tuple[Source, ...] = ()
    values: Mapping[str, Any] = {}
    """The same for programs."""


class Verdict(msgspec.Struct, frozen=True):
    """What would happen now."""

    word: str
    """``answered``, ``past_the_mesh``, or why not, a fixed snake_case word."""
    text: str
    """Completes "it …"."""
    works: bool
    port: str = ""


class Explanation(msgspec.Struct, frozen=True):
    """The whole."""

    asked: str
    steps: tuple[Step, ...]
    verdicts: tuple[Verdict, ...]
    """One; one for each port, where no port was asked for."""

    @property
    def works(self) -> bool:
        """Whether all that was asked for would be served."""
        return all(verdict.works for verdict in self.verdicts)

    def document(self) -> Json:
        """Return it as JSON values."""
        told: Json = msgspec.to_builtins(self)
        return {"asked": self.asked, "works": self.works, **told}
