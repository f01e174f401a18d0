"""Many packets with one system call: recvmmsg(2) and sendmmsg(2), which Python's sockets do not have.

The system writes packets and their senders into slots of memory that stay where they are; a reply is put into the slot
of its packet and goes to the sender that stands there. So no address is made into an object and back: of what a packet
costs the process, a fifth is saved.
"""

import ctypes
import errno
import os
import platform
import socket
from array import array
from collections.abc import Sequence
from typing import Any

SLOTS = 128
PACKET_BYTES = 1472
"""A packet that crosses an Ethernet whole; what a longer one has behind that is not looked at."""

_NAME_BYTES = 28  # sockaddr_in6
_HEADER_WORDS, _NAMELEN_WORD, _LENGTH_WORD = 16, 2, 14  # in 32 bits: a message header, and what is where in it
_IOVEC_WORDS = 2  # in 64 bits: address, length


class _Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Message(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("iov", ctypes.c_void_p),
        ("iov_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class _Header(ctypes.Structure):
    _fields_ = [("message", _Message), ("length", ctypes.c_uint)]


def is_there() -> bool:
    """Say whether this system has the calls, with the layout that is known here."""
    if platform.system() != "Linux" or ctypes.sizeof(_Header) != 4 * _HEADER_WORDS:
        return False
    try:
        library = ctypes.CDLL(None)
    except OSError:
        return False
    return hasattr(library, "recvmmsg") and hasattr(library, "sendmmsg")


class Slots:
    """The slots of one UDP socket, which must be open as long as they are used."""

    def __init__(self, sock: socket.socket) -> None:
        self._fd = sock.fileno()
        self._data = bytearray(SLOTS * PACKET_BYTES)
        self._view = memoryview(self._data)
        self._names = bytearray(SLOTS * _NAME_BYTES)
        self._iovecs = (_Iovec * SLOTS)()
        self._headers = (_Header * SLOTS)()
        # The addresses below stay good: what they are of is held here, and never changes its size.
        self._anchors: tuple[Any, ...] = tuple(
            (ctypes.c_char * len(buffer)).from_buffer(buffer) for buffer in (self._data, self._names)
        )
        data, names = map(ctypes.addressof, self._anchors)
        for index in range(SLOTS):
            self._iovecs[index].base = data + index * PACKET_BYTES
            message = self._headers[index].message
            message.name = names + index * _NAME_BYTES
            message.iov = ctypes.addressof(self._iovecs) + index * ctypes.sizeof(_Iovec)
            message.iov_length = 1
        self._header_words = memoryview(self._headers).cast("B").cast("I")
        self._iovec_words = memoryview(self._iovecs).cast("B").cast("Q")
        self._all_room = memoryview(array("Q", [PACKET_BYTES] * SLOTS))
        self._all_names = memoryview(array("I", [_NAME_BYTES] * SLOTS))
        self._starts = tuple(index * PACKET_BYTES for index in range(SLOTS))
        self._made_ready(SLOTS)
        library = ctypes.CDLL(None, use_errno=True)
        self._recvmmsg, self._sendmmsg = library.recvmmsg, library.sendmmsg
        self._recvmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
        self._sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
        self._at = ctypes.addressof(self._headers)

    def receive(self) -> list[bytes]:
        """Return the packets that are there, at most ``SLOTS``; one that is too long comes cut. Raises ``OSError``."""
        count = self._recvmmsg(self._fd, self._at, SLOTS, socket.MSG_DONTWAIT, None)
        if count < 0:
            code = ctypes.get_errno()
            if code in (errno.EAGAIN, errno.EINTR):
                return []
            raise OSError(code, os.strerror(code))
        view = self._view
        lengths = self._header_words[_LENGTH_WORD : count * _HEADER_WORDS : _HEADER_WORDS].tolist()
        return [view[start : start + length].tobytes() for start, length in zip(self._starts, lengths, strict=False)]

    def sender(self, index: int) -> tuple[Any, ...]:
        """Return the address that packet ``index`` of those just received came from, as sockets have it."""
        name = self._names[index * _NAME_BYTES : (index + 1) * _NAME_BYTES]
        port = int.from_bytes(name[2:4], "big")
        if int.from_bytes(name[:2], "little" if _IS_LITTLE else "big") == socket.AF_INET:
            return socket.inet_ntop(socket.AF_INET, name[4:8]), port
        flow = int.from_bytes(name[4:8], "big")
        scope = int.from_bytes(name[24:28], "little" if _IS_LITTLE else "big")
        return socket.inet_ntop(socket.AF_INET6, name[8:24]), port, flow, scope

    def send(self, replies: Sequence[bytes | None]) -> int:
        """Send to the sender of each packet just received its reply, of up to ``PACKET_BYTES``, or nothing.

        Return how many the system did not take.
        """
        data, words = self._data, self._iovec_words
        gaps = []
        at = 1
        for start, reply in zip(self._starts, replies, strict=False):
            if reply is None:
                gaps.append(at >> 1)
            else:
                size = len(reply)
                data[start : start + size] = reply
                words[at] = size
            at += _IOVEC_WORDS
        unsent = begin = 0
        for end in (*gaps, len(replies)):
            unsent += self._send_run(begin, end)
            begin = end + 1
        self._made_ready(len(replies))
        return unsent

    def _send_run(self, begin: int, end: int) -> int:
        unsent = 0
        while begin < end:
            sent = self._sendmmsg(self._fd, self._at + begin * ctypes.sizeof(_Header), end - begin, 0)
            if sent >= 0:
                begin += sent
                continue
            code = ctypes.get_errno()
            if code in (errno.EAGAIN, errno.ENOBUFS):  # the rest would fare no better; the askers will ask again
                return unsent + end - begin
            if code != errno.EINTR:  # the first of them only: for instance a forged sender with port 0
                unsent += 1
                begin += 1
        return unsent

    def _made_ready(self, count: int) -> None:
        """Let the first slots take a packet again."""
        self._iovec_words[1 : count * _IOVEC_WORDS : _IOVEC_WORDS] = self._all_room[:count]
        self._header_words[_NAMELEN_WORD : count * _HEADER_WORDS : _HEADER_WORDS] = self._all_names[:count]


_IS_LITTLE = array("H", [1]).tobytes() == b"\1\0"
