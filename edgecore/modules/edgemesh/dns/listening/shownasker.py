"""An asker whose question somebody looks at: what it gets is shown, when it gets it."""

from edgecore.clock import Clock
from edgecore.modules.edgemesh.dns.listening.asker import Asker
from edgecore.recording.watch import ShowDns

TRANSPORTS = {False: "udp", True: "tcp"}
"""By ``Asker.is_tcp``."""


class ShownAsker:
    """``asker``, which has asked ``packet`` just now."""

    __slots__ = ("_asked_at", "_asker", "_clock", "_packet", "_show", "is_tcp")

    def __init__(self, asker: Asker, packet: bytes, show: ShowDns, clock: Clock) -> None:
        self.is_tcp = asker.is_tcp
        self._asker = asker
        self._packet = packet
        self._show = show
        self._clock = clock
        self._asked_at = clock.monotonic()

    @property
    def host(self) -> str:
        """See ``Asker``."""
        return self._asker.host

    @property
    def text(self) -> str:
        """See ``Asker``."""
        return self._asker.text

    def send(self, reply: bytes) -> None:
        """See ``Asker``. Shown is the whole reply: a long one may have to be fetched by TCP (``Answers.fitted``)."""
        self._tell(reply)
        self._asker.send(reply)

    def drop(self) -> None:
        """See ``Asker``."""
        self._tell(b"")
        self._asker.drop()

    def _tell(self, reply: bytes) -> None:
        took_us = round((self._clock.monotonic() - self._asked_at) * 1e6)
        self._show(self._asker.text, TRANSPORTS[self.is_tcp], self._packet, reply, took_us)
