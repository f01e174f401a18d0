"""Looks at this machine for the doctor: files below a root that can be another in tests, sockets, the running node."""

import os
import resource
import socket
import ssl
import stat
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgecore.app import SCHEMA
from edgecore.control.client import ControlClient
from edgecore.doctor.files import FileFacts
from edgecore.doctor.host import Room
from edgecore.doctor.interception import Equipment, dropping_chains
from edgecore.doctor.reaching import Reached
from edgecore.doctor.resolver import HostFile
from edgecore.doctor.sockets import Descriptor
from edgecore.errors import ConfigError, ControlError, HostFileError, StoreError
from edgecore.modules.edgemesh.dns.byhand.presentation import present
from edgecore.modules.edgemesh.dns.byhand.question import query_packet
from edgecore.modules.edgemesh.dns.host import hostfile
from edgecore.modules.edgemesh.dns.resolver.resolvconf import marked_host
from edgecore.modules.edgemesh.intercept.capability import has_program
from edgecore.modules.edgemesh.intercept.keeper.libnftables import find_nftables
from edgecore.modules.eventbus.broker.recipe import LIBRARY, find_python
from edgecore.store.inspection import findings

_LIST_CHAINS = "list chains\n"
_LIMIT_BYTES = 4 << 20
_PIECE_BYTES = 1 << 16
_HEAD_BYTES = 1 << 18
_DATABASE_BYTES = 64 << 20
"""SQLite looks at so much within about a second."""
_QUERY_ID = 0xED6E
_DNS_WAIT_S = 2.0
_LOOKUP_WAIT_S = 10.0
_STATUS_WAIT_S = 5.0
_REACH_WAIT_S = 3.0


def find_by_getent(name: str) -> list[str] | None:
    """Return the IPv4 addresses that the C library of this host finds; ``None``: it cannot be asked."""
    try:
        done = subprocess.run(  # noqa: S603 - the name is a plain one (``a_service``)
            ["getent", "ahostsv4", name],  # noqa: S607 - wherever this system has it
            capture_output=True,
            text=True,
            timeout=_LOOKUP_WAIT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return []
    except OSError:
        return None
    return list(dict.fromkeys(line.split()[0] for line in done.stdout.splitlines() if line.strip()))


def _checking(ca: Path) -> ssl.SSLContext:
    """Return what the node checks its cloud by. Raises ``OSError`` for a file that is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)  # as the node: a CA of Go has no key identifiers
    context.load_verify_locations(ca)
    return context


class Machine:
    """What the checks need to know. Nothing is changed, nothing is raised: what cannot be seen is ``None``.

    ``root`` stands for ``/`` of files; ``find`` returns the addresses of a name as programs of this host get them.
    """

    def __init__(self, root: Path = Path("/"), find: Callable[[str], Sequence[str] | None] = find_by_getent) -> None:
        self._root = root
        self.find = find

    def path(self, name: str) -> Path:
        """Return where the file ``name``, an absolute path, is."""
        return self._root / name.lstrip("/")

    def text(self, name: str) -> str | None:
        """Return the beginning of a text file.

        It is read piece by piece: a file of ``/proc/sys`` answers a read of 4 MiB with ENOMEM.
        """
        text = b""
        try:
            if stat.S_ISFIFO(self.path(name).stat().st_mode):
                return None
            with self.path(name).open("rb", buffering=0) as file:
                while len(text) < _LIMIT_BYTES and (piece := file.read(_PIECE_BYTES)):
                    text += piece
            return text[:_LIMIT_BYTES].decode(errors="replace")
        except OSError:
            return None

    def equipment(self) -> Equipment:
        """Return what there is for interception."""
        return Equipment(
            nftables=find_nftables().tool,
            has_iptables=has_program("iptables-restore"),
            has_ip=has_program("ip"),
            interfaces=[name for _, name in socket.if_nameindex()],
        )

    def dropping_chains(self) -> dict[str, str]:
        """Return the chains that forward nothing but what their rules accept, with those as text."""
        nftables = find_nftables()
        try:
            names = dropping_chains(nftables.run(_LIST_CHAINS, json=False).output)
            return {name: nftables.run(f"list chain {name}\n", json=False).output for name in names}
        except OSError:  # nothing of it is in the kernel
            return {}
        finally:
            nftables.close()

    def exists(self, name: str) -> bool:
        """Say whether there is such a file."""
        return os.path.lexists(self.path(name))

    def host_file(self, name: str) -> HostFile:
        """Return a resolv.conf, and whether a node has it in hand."""
        path = self.path(name)
        content, is_held = None, False
        with suppress(HostFileError):
            content = hostfile.read(path)
            if marked_host(content) is not None:  # else a node that starts just now would find it held
                held = hostfile.hold(path)
                is_held = held is None
                if held is not None:
                    held.close()
        target = os.path.realpath(path) if os.path.islink(path) else None  # noqa: PTH114 - Path.is_symlink may raise
        return HostFile(name, content, target, is_held)

    def facts(self, name: str) -> FileFacts:
        """Return what there is at a path, with its beginning."""
        path = self.path(name)
        try:
            found = path.stat()
        except FileNotFoundError:
            there = next((parent for parent in path.parents if parent.is_dir()), path.parent)
            closed = "" if os.access(there, os.W_OK | os.X_OK, effective_ids=True) else str(there)
            return FileFacts(name, "absent", closed=closed)
        except OSError:
            return FileFacts(name, "unreadable")
        if not stat.S_ISREG(found.st_mode):
            return FileFacts(name, "directory" if stat.S_ISDIR(found.st_mode) else "other")
        head = None
        with suppress(OSError), path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        return FileFacts(name, "file", stat.S_IMODE(found.st_mode), found.st_uid, head)

    def database_faults(self, name: str) -> list[tuple[str, str]] | None:
        """Return what is wrong with a database, and the way out of each; ``None`` where it is too large for a look."""
        path = self.path(name)
        try:
            if path.stat().st_size > _DATABASE_BYTES:
                return None
            return [(one.what, one.way_out) for one in findings(path, SCHEMA)]
        except OSError:
            return []  # the check of the file says so
        except StoreError as error:
            what, _, way_out = str(error).partition("; ")
            return [(what, way_out)]

    def changed_at(self, name: str) -> float | None:
        """Return when a file was last written, in seconds of Unix time."""
        try:
            return self.path(name).stat().st_mtime
        except OSError:
            return None

    def room(self, directory: str) -> Room | None:
        """Return what is free where ``directory`` is, or would be made."""
        place = self.path(directory)
        while not place.is_dir() and place != place.parent:
            place = place.parent
        try:
            found = os.statvfs(place)
        except OSError:
            return None
        return Room(directory, found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None)

    def descriptors(self) -> Iterator[Descriptor]:
        """Yield the open files of all processes that this user may look at."""
        with suppress(OSError):
            for process in self.path("/proc").iterdir():
                if process.name.isdecimal():
                    with suppress(OSError):
                        program = (process / "comm").read_text(errors="replace").strip()
                        for link in (process / "fd").iterdir():
                            with suppress(OSError):
                                yield Descriptor(process.name, program, str(link.readlink()))

    def status(self, control: Path) -> tuple[dict[str, Any] | None, str]:
        """Return what the node behind a control socket says of itself, or why it does not."""
        try:
            return ControlClient(control, _STATUS_WAIT_S).get("/v1/status"), ""
        except ControlError as error:
            return None, str(error).partition(";")[0]

    def libraries(self) -> tuple[list[str], dict[str, str]]:
        """Return what the node is said to need, and the versions of what is installed of it."""
        try:
            wanted = requires("edgecore") or []
        except PackageNotFoundError:
            return [], {}
        found = {}
        for name in {one.partition(">")[0].strip() for one in wanted}:
            with suppress(PackageNotFoundError, ValueError):
                found[name.lower()] = version(name)
        return wanted, found

    def open_files(self) -> int | None:
        """Return how many files a process of this user may open at most; ``None``: any number."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        return None if hard == resource.RLIM_INFINITY else hard

    def broker_problem(self, python: str) -> str:
        """Return why the embedded MQTT broker cannot be started; empty: as far as can be seen it can."""
        try:
            find_python(python, os.environ, has_library=find_spec(LIBRARY) is not None)
        except ConfigError as error:
            return str(error)
        return ""

    def reach(self, address: tuple[str, int], ca: str | None = None) -> Reached:
        """Connect to an address, by TLS that is checked against the file ``ca``, and hang up."""
        try:
            with socket.create_connection(address, _REACH_WAIT_S) as plain:
                if ca is None:
                    return Reached()
                with _checking(self.path(ca)).wrap_socket(plain, server_hostname=address[0]) as checked:
                    shown = checked.getpeercert() or {}
            return Reached(not_after=ssl.cert_time_to_seconds(str(shown["notAfter"])) if "notAfter" in shown else None)
        except TimeoutError:
            return Reached(f"no answer within {_REACH_WAIT_S:g} s")
        except ssl.SSLCertVerificationError as error:
            return Reached(f"its certificate is not good: {error.verify_message}")
        except (OSError, UnicodeError) as error:
            return Reached(getattr(error, "strerror", None) or str(error))

    def ask(self, server: tuple[str, int], name: str, qtype: int) -> dict[str, Any] | str:
        """Ask a DNS server; return its reply (``present``), or why there is none."""
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as asker:
                asker.settimeout(_DNS_WAIT_S)
                asker.connect(server)
                asker.send(query_packet(name, qtype, _QUERY_ID))
                reply = asker.recv(65535)
        except TimeoutError:
            return f"none within {_DNS_WAIT_S:g} s"
        except OSError as error:
            return error.strerror or str(error)
        is_answer = len(reply) >= 12 and reply[:2] == _QUERY_ID.to_bytes(2, "big")
        return present(reply) if is_answer else "what came back is no DNS reply"
