"""What can be set when the stub is started, and where its files are by default."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgecore.errors import ConfigError

if TYPE_CHECKING:  # reading it takes time that most commands need not spend
    from cloudhub_stub.faults.steps import Step

DEFAULT_LISTEN = "127.0.0.1:10000"
"""The port of KubeEdge's CloudHub, on this machine only."""

DEFAULT_KEEPALIVE_TIMEOUT_S = 30.0
"""As ``keepaliveInterval`` of CloudHub; an edge sends a keepalive every 15 s."""

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""The largest message that is read, all its fragments together."""

OBSERVE_OFF = "off"

OBSERVE_BASE_PORT = 10450
"""The first port that ``--observe auto`` tries."""


@dataclass(frozen=True)
class Settings:
    """The settings of one stub. ``listen`` is ``host:port``; ``observe`` also ``auto`` or ``off``."""

    state_dir: Path
    listen: str = DEFAULT_LISTEN
    control: Path | None = None
    """The control socket; ``None`` for the one in ``state_dir``."""
    observe: str = "auto"
    keepalive_timeout_s: float = DEFAULT_KEEPALIVE_TIMEOUT_S
    max_message_bytes: int = MAX_MESSAGE_BYTES
    scenario: "tuple[Step, ...]" = ()
    """What is to go wrong (``faults/``)."""

    @property
    def control_path(self) -> Path:
        """Where the control socket is."""
        return control_socket(self.state_dir) if self.control is None else self.control


def control_socket(state_dir: Path) -> Path:
    """Return the control socket of the stub that keeps its files in ``state_dir``."""
    return state_dir / "control.sock"


def default_state_dir(environ: Mapping[str, str]) -> Path:
    """Return where an ordinary user's stub keeps its files (XDG Base Directory Specification).

    Raises ``ConfigError`` where neither of the two variables says.
    """
    state_home = environ.get("XDG_STATE_HOME", "")
    if state_home.startswith("/"):
        return Path(state_home, "cloudhub-stub")
    home = environ.get("HOME", "")
    if home.startswith("/"):
        return Path(home, ".local", "state", "cloudhub-stub")
    raise ConfigError("cannot find a state directory: neither XDG_STATE_HOME nor HOME is set; name one (--state-dir)")
