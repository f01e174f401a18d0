"""A client that is known by its address alone, as the strategies that choose a host look at it."""


class AskingAddress:
    """See ``Asking``."""

    __slots__ = ("ip",)

    def __init__(self, ip: str) -> None:
        self.ip = ip

    def header(self, name: bytes) -> bytes:
        """See ``Asking``: there are none."""
        return b""

    def cookie(self, name: bytes) -> bytes:
        """See ``Asking``: there are none."""
        return b""
