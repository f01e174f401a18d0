"""Where a stub keeps its files: for the stub itself, and for the commands that look for it there."""

from collections.abc import Mapping
from pathlib import Path

from edgecore.errors import ConfigError


def control_socket(state_dir: Path) -> Path:
    """Return the control socket of the stub that keeps its files in ``state_dir``."""
    return state_dir / "control.sock"


def token_file(state_dir: Path) -> Path:
    """Return the file with the token of the stub that keeps its files in ``state_dir``."""
    return state_dir / "token"


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
