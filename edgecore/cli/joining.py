"""What ``edgecore join`` does, once it is clear what is wanted: nothing is written before the cloud has agreed."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from edgecore.clock import SystemClock
from edgecore.config.addresses import HostPort
from edgecore.config.host import Environment, default_config
from edgecore.config.paths import check_paths
from edgecore.config.render import below, minimal_text
from edgecore.config.schema import EdgeCoreConfig
from edgecore.errors import ConfigError, reason_of
from edgecore.modules.edgehub.certificates.authority import Authority
from edgecore.modules.edgehub.certificates.enrolment import Enrolment
from edgecore.modules.edgehub.certificates.keyfiles import KeyFiles
from edgecore.modules.edgehub.certificates.token import parse_token
from edgecore.modules.edgehub.certificates.x509 import Facts
from edgecore.modules.edgehub.cloud import is_from_1_4
from edgecore.privatefiles import make_directory, write_atomically


class Wanted(NamedTuple):
    """What the command line says."""

    server: HostPort
    https: str
    name: str
    """Empty: the machine's."""
    cloud_version: str
    root: Path | None
    """The directory of the node's own files; None: where KubeEdge has them."""


def configuration(wanted: Wanted, env: Environment) -> EdgeCoreConfig:
    """Return the configuration of the node that joins. It holds no token: there is a certificate when it is written."""
    config = default_config(env)
    if wanted.root is not None:
        config = below(config, wanted.root, minimal=True)
    modules = config.modules
    hub = replace(
        modules.edge_hub,
        http_server=wanted.https,
        cloud_version=wanted.cloud_version,
        websocket=replace(modules.edge_hub.websocket, server=str(wanted.server)),
    )
    edged = replace(modules.edged, hostname_override=wanted.name or env.hostname)
    return replace(config, modules=replace(modules, edge_hub=hub, edged=edged))


class Joining:
    """One join: ``check`` what is in the way, then ``join``."""

    def __init__(self, config: EdgeCoreConfig, env: Environment, file: Path, token: str) -> None:
        self._config = config
        self._text = minimal_text(config, default_config(env))
        self._file = file
        self._token = token
        hub = config.modules.edge_hub
        self._files = KeyFiles(Path(hub.tls_ca_file), Path(hub.tls_cert_file), Path(hub.tls_private_key_file))

    def check(self, *, force: bool) -> None:
        """Raise ``EdgecoreError`` where the token is none, files are in the way, or a place cannot be written."""
        parse_token(self._token)
        if self._file.is_dir():
            raise ConfigError(f"cannot write the configuration {self._file}: it is a directory; name a file in it")
        present = [path for path in (self._file, *self._files) if path.exists()]
        if present and not force:
            listed = ", ".join(map(str, present))
            raise ConfigError(f"cannot join: {listed} already there; --force replaces configuration and certificate")
        check_paths(self._config)

    async def join(self, tell: Callable[[str], None]) -> Facts:
        """Get the certificate and write the configuration (mode 0600). Raises ``EdgecoreError``, nothing written."""
        hub = self._config.modules.edge_hub
        node = self._config.node_name if is_from_1_4(hub.cloud_version) else ""
        enrolment = Enrolment(self._files, Authority(hub.http_server), self._token, clock=SystemClock(), node=node)
        draft = self._file.with_name(f"{self._file.name}.draft")
        try:
            make_directory(self._file.parent)
            write_atomically(draft, self._text.encode())
            facts = await enrolment.enrol(tell)
            draft.replace(self._file)
        except OSError as error:
            raise ConfigError(f"cannot write the configuration {self._file}: {reason_of(error)}") from error
        finally:
            with suppress(OSError):
                draft.unlink()
        for path in self._files:
            tell(f"stored: {path}")
        tell(f"stored: {self._file}")
        return facts
