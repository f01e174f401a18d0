"""Who keeps a subnet: one keeper at a time, by the Unix socket of an abstract name (unix(7)).

::

    new keeper: its table is made ──connect──▶ lingering keeper
                                  ──"leave"──▶ at_succession, its own table goes, lets go of the name
                                  ◀──"left"──  ends
    binds the name

A keeper whose node is alive answers ``stays`` and its pid. One that lingers can be asked for how long yet. The name
belongs to the network namespace, and to nobody's user: so each end asks the kernel for the user of the other. All of it
is bounded in time, whoever has bound the name.
"""

import errno
import math
import os
import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from edgecore.modules.edgemesh.intercept.keeper.outcome import Outcome

SILENCE_S = 5.0
"""So long an answer of whoever has the name is waited for."""
KNOCK_S = 1.0
"""So long a keeper waits for what one that has connected says."""

_TRIES, _BETWEEN_TRIES_S = 40, 0.05
_LEAVE, _LEFT, _STAYS = b"leave\n", b"left\n", b"stays"
_HOW_LONG, _LINGERS = b"how long\n", b"lingers"
_ANSWER_BYTES = 64
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: struct ucred


class Seat(NamedTuple):
    """The name, held."""

    listener: socket.socket

    def answer(self, leave: Callable[[], object] | None, left_s: float = 0.0) -> bool:
        """Answer one that has connected, and say whether it is leaving.

        With ``leave``, which lets go of what is to go first, it is; without, the node is alive, and stays. ``left_s``:
        how long it lingers, for one that only asks.
        """
        try:
            peer, _ = self.listener.accept()
        except OSError:
            return False
        with peer:
            try:
                peer.settimeout(KNOCK_S)
                if _peer(peer)[1] != os.geteuid():
                    return False
                said = _line(peer)
                if said == _HOW_LONG and leave is not None:
                    peer.sendall(b"%b %d\n" % (_LINGERS, math.ceil(left_s)))
                if said != _LEAVE:
                    return False
            except OSError:
                return False
            if leave is not None:
                leave()
                self.listener.close()
            with suppress(OSError):  # it is gone: whoever comes next finds the name free
                peer.sendall(_LEFT if leave is not None else b"%b %d\n" % (_STAYS, os.getppid()))
            return leave is not None

    def close(self) -> None:
        """Let go of the name."""
        self.listener.close()


def take(subnet: str, *, silence_s: float = SILENCE_S) -> tuple[Seat | None, Outcome]:
    """Hold the name of ``subnet``, having a keeper that lingers leave. Its output is ``left`` if there was one."""
    name, output = seat_name(subnet), ""
    for _ in range(_TRIES):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(name)
            listener.listen(4)
            listener.setblocking(False)
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                return None, Outcome(error=f"cannot hold {subnet}: {error.strerror}", reason="refused")
        else:
            return Seat(listener), Outcome(output)
        said = _ask_to_leave(name, silence_s)
        if said.error:
            return None, Outcome(error=f"{subnet} is intercepted already: {said.error}", reason="in_use")
        output = output or said.output
        select.select([], [], [], 0 if said.output else _BETWEEN_TRIES_S)
    text = f"{subnet} is intercepted already: a process holds the name {name[1:]!r} and takes no connection; end it"
    return None, Outcome(error=text, reason="in_use")


def lingers_s(subnet: str) -> int | None:
    """Return how long a keeper of ``subnet``, whose node is gone, lingers yet; ``None``: there is none that does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(KNOCK_S)
        try:
            peer.connect(seat_name(subnet))
            if _peer(peer)[1] != os.geteuid():
                return None
            peer.sendall(_HOW_LONG)
            word, _, seconds = _line(peer).strip().partition(b" ")
        except OSError:
            return None
    return int(seconds) if word == _LINGERS and seconds.isdigit() else None


def seat_name(subnet: str) -> str:
    """Return the abstract name for ``subnet``."""
    return f"\0edgecore/intercept/{subnet}"


def _ask_to_leave(name: str, silence_s: float) -> Outcome:
    """Return ``left``, nothing if it is to be tried again, or an error."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(silence_s)
        try:
            peer.connect(name)
            pid, uid, _ = _peer(peer)
            if uid != os.geteuid():
                return Outcome(error=f"process {pid} of user {uid} holds the name {name[1:]!r}; end it")
            peer.sendall(_LEAVE)
            answer = _line(peer)
        except TimeoutError:
            return Outcome(error=f"whoever holds the name {name[1:]!r} did not answer within {silence_s:g} s; end it")
        except OSError:
            return Outcome()  # it has just ended, or is about to listen
    if answer == _LEFT:
        return Outcome("left")
    if answer.startswith(_STAYS):
        node = answer[len(_STAYS) :].decode(errors="replace").strip()
        return Outcome(error=f"a node that runs (pid {node}) does; stop it, or set another modules.edgeMesh.subNet")
    return Outcome() if not answer else Outcome(error=f"process {pid} answered {answer!r}; end it")


def _peer(peer: socket.socket) -> tuple[int, int, int]:
    pid, uid, gid = _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return pid, uid, gid


def _line(peer: socket.socket) -> bytes:
    """Return what the other end says: little, and so in one piece; nothing if it is gone."""
    return peer.recv(_ANSWER_BYTES)
