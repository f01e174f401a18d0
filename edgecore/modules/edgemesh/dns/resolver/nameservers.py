"""The upstream servers: those of the settings, or those of resolv.conf, which is read again when it changes."""

import stat
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import structlog

from edgecore.clock import Clock
from edgecore.errors import ConfigError
from edgecore.modules.edgemesh.dns.resolver.exchange import Server
from edgecore.modules.edgemesh.dns.resolver.resolvconf import nameservers

log = structlog.get_logger("edgemesh.dns")

CHECK_EVERY_S = 5.0
_FILE_LIMIT_BYTES = 65536


class Nameservers:
    """Answers which servers to ask. Raises ``ConfigError`` if one of ``upstreams`` is not an IP address and a port.

    ``upstreams`` of ``None`` means ``resolv_conf``; a file that cannot be read holds no server.
    """

    def __init__(self, upstreams: Sequence[Server] | None, resolv_conf: Path, clock: Clock) -> None:
        self._servers = () if upstreams is None else tuple(_checked(server) for server in upstreams)
        self._path = None if upstreams is not None else resolv_conf
        self._clock = clock
        self._check_at = clock.monotonic()
        self._version: tuple[int, ...] | None = None
        self._was_unreadable = False

    def current(self) -> tuple[Server, ...]:
        """Return the servers in the order of asking; looks at the file at most every ``CHECK_EVERY_S``."""
        now = self._clock.monotonic()
        if self._path is not None and now >= self._check_at:
            self._check_at = now + CHECK_EVERY_S
            self._check(self._path)
        return self._servers

    def _check(self, path: Path) -> None:
        try:
            status = path.stat()
            version = (status.st_mtime_ns, status.st_ino, status.st_size)
            if version == self._version:
                return
            text = _read(path, status.st_mode)
        except OSError as error:
            self._servers, self._version = (), None
            if not self._was_unreadable:
                log.warning("resolv_conf_unreadable", path=str(path), reason=str(error))
            self._was_unreadable = True
            return
        self._servers, self._version, self._was_unreadable = nameservers(text), version, False
        log.info("resolv_conf_read", path=str(path), servers=[host for host, _ in self._servers])


def _checked(server: Server) -> Server:
    host, port = server
    try:
        ip_address(host)
    except ValueError:
        raise ConfigError(f"cannot forward to {host!r}: it is not an IP address; name one, or [IPv6]:port") from None
    if not 0 < port < 65536:
        raise ConfigError(f"cannot forward to {host!r} port {port}: ports are 1 to 65535; name one of them")
    return host, port


def _read(path: Path, mode: int) -> str:
    if not stat.S_ISREG(mode):  # opening a named pipe would wait for its writer
        raise OSError("not a regular file")
    with path.open("rb") as file:
        return file.read(_FILE_LIMIT_BYTES).decode(errors="replace")
