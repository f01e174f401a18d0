"""The kernel's nftables, by the library libnftables, or by the program nft where the library is missing.

The library keeps one netlink socket for as long as its context is open. A table with the flag ``owner`` belongs to that
socket: nobody else can change it, and the kernel takes it away with the socket (nft(8), "flags owner"; Linux 5.12). The
program opens a socket for each run, so by it such a table would be gone at once.

What is to be JSON is asked of the program all the same: up to nftables 1.0.9 printing a table with flags as JSON uses
memory that is freed ("json: fix use after free in table_flags_json()", November 2023), and a process that crashes by
that must not be the one that holds the rules. Even there the flags are nonsense, or the output ends before its end: ask
for chains, maps and counters rather than for tables.
"""

import ctypes
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from edgecore.modules.edgemesh.intercept.keeper.outcome import Outcome, refusal
from edgecore.modules.edgemesh.intercept.keeper.programs import find_program
from edgecore.modules.edgemesh.intercept.keeper.protocol import Tool

PROGRAM_LIMIT_S = 30.0

_LIBRARY = "libnftables.so.1"
_NETLINK_NETFILTER = 12  # linux/netlink.h
_NFT_CTX_DEFAULT = 0  # nftables/libnftables.h


class Nftables(Protocol):
    """A way to nftables."""

    @property
    def tool(self) -> Tool:
        """Which way it is."""

    def run(self, text: str, *, json: bool) -> Outcome:
        """Do the commands in ``text``, all or none."""

    def close(self) -> None:
        """Let tables with the flag ``owner`` go."""


class Library:
    """libnftables. The context is opened by the first use. Raises ``OSError`` if the library is not there."""

    tool: Tool = "library"

    def __init__(self, name: str = _LIBRARY) -> None:
        library = ctypes.CDLL(name)
        try:
            self._new = _function(library.nft_ctx_new, ctypes.c_void_p, ctypes.c_uint32)
            self._free = _function(library.nft_ctx_free, None, ctypes.c_void_p)
            self._run = _function(library.nft_run_cmd_from_buffer, ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)
            self._keep_output = _function(library.nft_ctx_buffer_output, ctypes.c_int, ctypes.c_void_p)
            self._keep_error = _function(library.nft_ctx_buffer_error, ctypes.c_int, ctypes.c_void_p)
            self._output = _function(library.nft_ctx_get_output_buffer, ctypes.c_char_p, ctypes.c_void_p)
            self._error = _function(library.nft_ctx_get_error_buffer, ctypes.c_char_p, ctypes.c_void_p)
        except AttributeError as error:
            raise OSError(str(error)) from error
        self._context: int | None = None

    def run(self, text: str, *, json: bool) -> Outcome:
        """See ``Nftables``."""
        if json:
            return (_program() or Missing()).run(text, json=True)
        if "\0" in text:
            return refusal(_beginning(text), "there is a zero in it, which for C is the end")
        try:
            context = self._opened()
        except OSError as error:
            return refusal("cannot reach nftables in the kernel", str(error))
        with _undisturbed():
            code = self._run(context, text.encode())
        # Each is also emptied by being read.
        output, error_text = _text(self._output(context)), _text(self._error(context))
        return Outcome(output) if code == 0 else refusal(_beginning(text), error_text or f"code {code}")

    def close(self) -> None:
        """See ``Nftables``."""
        context, self._context = self._context, None
        if context is not None:
            self._free(context)

    def _opened(self) -> int:
        if self._context is None:
            # The library ends the process if it cannot open its socket.
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER).close()
            context = self._new(_NFT_CTX_DEFAULT)
            if not context or self._keep_output(context) or self._keep_error(context):
                raise OSError("no memory")
            self._context = context
        return self._context


class Program:
    """The program nft, run once for each transaction."""

    tool: Tool = "program"

    def __init__(self, path: str) -> None:
        self._path = path

    def run(self, text: str, *, json: bool) -> Outcome:
        """See ``Nftables``."""
        # With -j it would read its input as JSON first, and find nothing left of it when that fails.
        argv = [self._path, "-j", "--", text] if json else [self._path, "-f", "-"]
        try:
            done = subprocess.run(  # noqa: S603 - the program that was found, and no shell
                argv, input=b"" if json else text.encode(), capture_output=True, timeout=PROGRAM_LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return refusal(_beginning(text), f"nft did not end within {PROGRAM_LIMIT_S:g} s and was killed")
        except (OSError, ValueError) as error:  # ValueError: a zero in an argument
            return refusal(f"cannot run {self._path}", str(error))
        output, error_text = _text(done.stdout), _text(done.stderr)
        return Outcome(output) if done.returncode == 0 else refusal(_beginning(text), error_text or output)

    def close(self) -> None:
        """See ``Nftables``."""


class Missing:
    """Neither."""

    tool: Tool = "missing"

    def run(self, text: str, *, json: bool) -> Outcome:
        """See ``Nftables``."""
        return Outcome(
            error=f"{_LIBRARY} or the program nft is not there; install nftables (Debian: nftables)",
            reason="no_tool",
        )

    def close(self) -> None:
        """See ``Nftables``."""


def find_nftables(library: str = _LIBRARY) -> Nftables:
    """Return the best way to nftables that this machine has."""
    try:
        return Library(library)
    except OSError:
        return _program() or Missing()


def _program() -> Program | None:
    path = find_program("nft")
    return Program(path) if path is not None else None


class _Foreign(Protocol):
    restype: object
    argtypes: object

    def __call__(self, *arguments: object) -> "int": ...


def _function(function: object, result: object, *arguments: object) -> "_Foreign":
    function.restype, function.argtypes = result, arguments  # type: ignore[attr-defined]
    return function  # type: ignore[return-value]


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep signals for later: one that comes while the library talks to the kernel makes it give up (EINTR)."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGALRM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _text(output: object) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else ""


def _beginning(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    line = next((line for line in lines if line), "")
    return f"nftables refused the transaction that begins with {line[:80]!r}"
