"""What systemd is told of the process (sd_notify(3)): that it is ready, reads its configuration again, or stops.

The unit has ``Type=notify``, or ``Type=notify-reload``, with which ``systemctl reload`` sends SIGHUP and waits.
"""

import socket
from collections.abc import Callable
from contextlib import suppress

VARIABLE = "NOTIFY_SOCKET"


class ServiceManager:
    """Tells the socket that ``$NOTIFY_SOCKET`` names; with an empty address nobody. Nothing here fails or waits."""

    def __init__(self, address: str, monotonic: Callable[[], float]) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address  # an abstract one: unix(7)
        self._monotonic = monotonic

    def ready(self, status: str) -> None:
        """The process works, or has read its configuration again. ``status`` is for people."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """The configuration is read again; ``ready`` is to follow."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={int(self._monotonic() * 1_000_000)}")

    def stopping(self) -> None:
        """The process ends."""
        self._tell("STOPPING=1")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        text = "\n".join(line.replace("\n", " ") for line in lines)
        with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaking:
            speaking.setblocking(False)
            speaking.sendto(text.encode(), self._address)
