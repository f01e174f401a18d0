"""The MQTT broker of the demonstration: mosquitto if this machine has it, else the one that is embedded in the node."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from msgspec.structs import replace

from edgecore.config.eventbus import EventBus
from edgecore.errors import ConfigError, EdgecoreError
from edgecore.modules.eventbus.broker.recipe import LIBRARY, find_python

Kind = Literal["mosquitto", "embedded"]
Wanted = Literal["auto"] | Kind

HOST = "127.0.0.1"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
_POLL_S = 0.02
_SYSTEM = "/usr/sbin"
"""Where Debian has mosquitto, which is not in everybody's PATH."""


class DemoBroker(NamedTuple):
    """Which broker, and where it is or is to be."""

    kind: Kind
    port: int
    program: str
    """mosquitto, or the Python that runs the embedded one."""

    @property
    def text(self) -> str:
        """For people."""
        name = "mosquitto" if self.kind == "mosquitto" else "the node's embedded one"
        return f"{name}, {HOST}:{self.port}"

    @property
    def watching(self) -> str:
        """The line of a shell that shows what the node mirrors there."""
        return f"mosquitto_sub -h {HOST} -p {self.port} -v -t 'edgecore/#'"

    def settings(self, settings: EventBus) -> EventBus:
        """Return ``settings`` for a node that uses it, and shows what happens in it there."""
        url = f"tcp://{HOST}:{self.port}"
        settings = replace(settings, mirror=replace(settings.mirror, enable=True))
        if self.kind == "mosquitto":
            return replace(settings, mqtt_mode=2, mqtt_server_external=url)
        internal = replace(settings.internal, python=self.program)
        return replace(settings, mqtt_mode=0, mqtt_server_internal=url, internal=internal)


def find_broker(wanted: Wanted) -> DemoBroker | None:
    """Return the broker that this machine can have, and ``None`` if it can have none that is ``wanted``."""
    if wanted != "embedded" and (
        program := shutil.which("mosquitto", path=f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM}")
    ):
        return DemoBroker("mosquitto", _free_port(), program)
    if wanted == "mosquitto":
        return None
    with suppress(ConfigError):
        python = find_python("", os.environ, has_library=find_spec(LIBRARY) is not None)
        return DemoBroker("embedded", _free_port(), python)
    return None


@contextmanager
def running(broker: DemoBroker | None, root: Path) -> Iterator[None]:
    """Run mosquitto, if that is the broker, until the end of the block. Raises ``EdgecoreError``.

    The embedded one is the node's to start and to end.
    """
    if broker is None or broker.kind != "mosquitto":
        yield
        return
    configuration = root / "mosquitto.conf"
    configuration.write_text(f"listener {broker.port} {HOST}\nallow_anonymous true\npersistence false\n")
    log = root / "mosquitto.log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - mosquitto, by a list of arguments
            [broker.program, "-c", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,  # Ctrl-C goes to the demonstration, which ends all in order
        )
    try:
        _wait_until_it_listens(broker.port, process, log)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_listens(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(int(START_TIMEOUT_S / _POLL_S)):
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        if process.poll() is not None:
            break
        time.sleep(_POLL_S)
    raise EdgecoreError(f"mosquitto does not listen on {HOST}:{port}\n{log.read_text(errors='replace')}".rstrip())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
