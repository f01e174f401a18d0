"""A real mosquitto on a free port of loopback, with a configuration of its own; and who records what it hands out.

For tests marked ``needs_mosquitto``. The fixture is ``mosquitto_at`` of ``tests/conftest.py``.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

PATIENCE_S = 20.0
SYSTEM = "/usr/sbin"
"""Where Debian has it, which is not in everybody's PATH."""


def command() -> str | None:
    """Return where mosquitto is."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', os.defpath)}:{SYSTEM}")


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Tls(NamedTuple):
    """What a broker shows, and whose certificates it asks of clients (nobody's where there is no ``client_ca``)."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


class Mosquitto:
    """One broker; it may be stopped, killed, frozen and started again on the same port.

    ``users`` are names and passwords: with some, nobody else gets in. ``lines`` go into its configuration as they are.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tls: Tls | None = None,
        users: dict[str, str] | None = None,
        lines: Sequence[str] = (),
    ) -> None:
        self.port = free_port()
        self.tls = tls
        self._folder = folder / f"mosquitto-{self.port}"
        self._folder.mkdir()
        self._users = users or {}
        self._lines = lines
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """As ``mqttServerExternal`` has it."""
        return f"{'ssl' if self.tls else 'tcp'}://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it wrote so far, over all its lives."""
        return (self._folder / "log").read_text()

    def start(self) -> None:
        """Start it and return once it listens."""
        program = command()
        assert program is not None, "mosquitto is not installed"
        assert self._process is None, "it runs already"
        configuration = self._folder / "mosquitto.conf"
        configuration.write_text("\n".join([*self._settings(), *self._lines, ""]))
        with (self._folder / "log").open("ab") as out:
            self._process = subprocess.Popen([program, "-c", str(configuration)], stdout=out, stderr=out)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S):
                return
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.01)

    def stop(self) -> None:
        """End it in good order: it says so to its clients. Does nothing where it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Let it take connections and never answer, until ``thaw``."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        deadline = time.monotonic() + PATIENCE_S
        while process.poll() is None:
            assert time.monotonic() < deadline, self.log
            process.send_signal(how)  # more than once: it forgets those that come while it starts
            process.send_signal(signal.SIGCONT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.5)

    def _settings(self) -> list[str]:
        settings = [
            f"listener {self.port} 127.0.0.1",
            "persistence false",
            "log_dest stdout",
            "max_queued_messages 0",  # no limit: nothing is dropped for a test that is slow
            f"allow_anonymous {'false' if self._users else 'true'}",
        ]
        if os.geteuid() == 0:
            settings.append("user root")  # else it could not read what the test wrote
        if self._users:
            passwords = self._folder / "passwords"
            passwords.write_text("".join(f"{name}:{password}\n" for name, password in self._users.items()))
            subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True)
            settings.append(f"password_file {passwords}")
        if self.tls is not None:
            settings += [f"certfile {self.tls.certificate}", f"keyfile {self.tls.key}"]
            if self.tls.client_ca is not None:
                settings += [f"cafile {self.tls.client_ca}", "require_certificate true"]
        return settings

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stop()


class Seen(NamedTuple):
    """One message as a subscriber got it."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


class Recorder:
    """A client, in a thread of its own, that records what comes on ``topics``, and publishes. A context manager.

    What waits here, waits by the machine's clock; in a test with a loop use ``asyncio.to_thread`` around it, or let
    the loop turn until ``seen`` is as it should be.
    """

    def __init__(
        self,
        broker: Mosquitto,
        *topics: str,
        qos: int = 2,
        user: tuple[str, str] | None = None,
        ca: Path | None = None,
    ) -> None:
        self.seen: list[Seen] = []
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
        self._client.on_message = self._take
        self._client.on_socket_open = lambda *opened: opened[2].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client.on_connect = lambda client, *_: [client.subscribe(topic, qos) for topic in topics]
        self._client.on_subscribe = lambda *_: self._subscribed.append(True)
        self._subscribed: list[bool] = []
        self._topics = topics
        self._broker = broker
        if user:
            self._client.username_pw_set(*user)
        if ca is not None:
            self._client.tls_set(ca_certs=str(ca))
            self._client.tls_insecure_set(True)

    @property
    def topics(self) -> list[str]:
        """The topics of what came, in order."""
        return [each.topic for each in self.seen]

    def publish(self, topic: str, payload: bytes | str, qos: int = 1, *, retain: bool = False) -> None:
        """Hand one message to the broker; with QoS 1 and 2 it has it when this returns."""
        self._client.publish(topic, payload, qos, retain).wait_for_publish(PATIENCE_S)

    def until(self, done: Callable[[list[Seen]], object], patience_s: float = PATIENCE_S) -> list[Seen]:
        """Return what came, once ``done`` says so of it."""
        deadline = time.monotonic() + patience_s
        while not done(self.seen):
            assert time.monotonic() < deadline, f"it did not come: {self.seen[-20:]}"
            time.sleep(0.005)
        return self.seen

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._broker.port)
        self._client.loop_start()
        deadline = time.monotonic() + PATIENCE_S
        while len(self._subscribed) < len(self._topics):
            assert time.monotonic() < deadline, "no subscription"
            time.sleep(0.005)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        del self._client  # its wake-up sockets go with it, not before

    def _take(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.seen.append(Seen(message.topic, message.payload, message.qos, message.retain))
