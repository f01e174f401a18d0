"""What the embedded broker is started with: where it listens, its limits, and which interpreter runs it (pure)."""

import json
import sys
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from edgecore.errors import ConfigError

PYTHON_VARIABLE = "EDGECORE_BROKER_PYTHON"
LIBRARY = "amqtt"
REQUIREMENT = "amqtt==0.12.*"
CLIENTS_LIMIT = 500

_PROGRAM = Path(__file__).with_name("child.py")


class BrokerRecipe(NamedTuple):
    """All that starting it takes."""

    python: str
    host: str
    port: int
    queue: int
    """So many messages wait for one client."""
    packet_bytes: int

    @property
    def command(self) -> list[str]:
        """The command line.

        ``-I``: neither the directory of the program nor what ``PYTHONPATH`` names gets between it and its library.
        """
        orders = {
            "host": f"[{self.host}]" if ":" in self.host else self.host,
            "port": self.port,
            "queue": self.queue,
            "clients": CLIENTS_LIMIT,
            "packet_bytes": self.packet_bytes,
        }
        return [self.python, "-I", str(_PROGRAM), json.dumps(orders)]

    @property
    def address(self) -> str:
        """Where it listens, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_open_to_others(self) -> bool:
        """Whether other machines reach it: it asks nobody for a password."""
        return not ip_address(self.host).is_loopback


def listening_host(host: str) -> str:
    """Return the IP address to listen on. Raises ``ConfigError`` where ``host`` is another name than ``localhost``."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        return str(ip_address(host))
    except ValueError:
        raise ConfigError(
            f"cannot start the embedded MQTT broker on {host!r}: it is no IP address; "
            "name one in eventBus.mqttServerInternal, such as tcp://127.0.0.1:1884"
        ) from None


def find_python(setting: str, environ: Mapping[str, str], *, has_library: bool) -> str:
    """Return the interpreter that has the library: the one that is named, else the node's own.

    ``setting`` is ``eventBus.internal.python``. Whether a named one has the library is found out when it runs. Raises
    ``ConfigError`` if there is none.
    """
    named = setting or environ.get(PYTHON_VARIABLE, "")
    if named:
        return named
    if has_library:
        return sys.executable
    raise ConfigError(
        f"cannot start the embedded MQTT broker: {sys.executable} has no {LIBRARY}; make an environment for it with "
        f"`python3 -m venv DIR && DIR/bin/pip install '{REQUIREMENT}'` (in a clone: `make broker`) and name its "
        f"DIR/bin/python in eventBus.internal.python or ${PYTHON_VARIABLE}, or use an external broker (mqttMode: 2)"
    )
