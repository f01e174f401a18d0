"""The cloud side as a program of a test: ``cloudhub-stub run`` on free ports, which it keeps over restarts."""

from collections.abc import Sequence
from pathlib import Path

from cloudhub_stub.paths import STATUS, TOKEN
from cloudhub_stub.statedir import control_socket
from cloudhub_stub.testing.processes import Json, Program
from edgecore.control.client import ControlClient
from edgecore.privatefiles import make_directory

ANSWER_S = 120.0
"""How long an answer may take: thousands of objects may be applied at once."""


class StubProgram(Program):
    """A stub that keeps its state in ``directory``; ``arguments`` are further ones of ``cloudhub-stub run``."""

    def __init__(self, directory: Path, *, plain: bool, arguments: Sequence[str] = ()) -> None:
        self.directory = directory / "cloud"
        make_directory(self.directory)
        client = ControlClient(
            control_socket(self.directory), ANSWER_S, process="cloudhub-stub", start_command="cloud.stub.start()"
        )
        super().__init__("the cloud", client, directory / "cloud.log")
        self.plain = plain
        self._arguments = list(arguments)
        self._ports = {"--listen": "127.0.0.1:0", "--https": "127.0.0.1:0"}

    def command(self) -> list[str]:
        """See ``Program``."""
        ports = [word for pair in self._ports.items() for word in pair]
        plain = ["--plain"] if self.plain else []
        where = ["--state-dir", str(self.directory), "--observe", "off", *ports]
        return ["cloudhub_stub", "run", *plain, *where, *self._arguments]

    def is_ready(self, status: Json) -> bool:
        """It listens for edges, and for those who join."""
        return bool(status["listen"] and (self.plain or status["https"]))

    def start(self) -> None:
        """See ``Program``. The ports of the first start are those of every later one: edges come back to them."""
        super().start()
        status = self.status()
        self._ports["--listen"] = status["listen"].partition("://")[2]
        if not self.plain:
            self._ports["--https"] = status["https"].partition("://")[2]

    @property
    def url(self) -> str:
        """Where edges connect: ``wss://`` or ``ws://``, host and port."""
        found: str = self.control.get(STATUS)["listen"]
        return found

    @property
    def token(self) -> str:
        """The token with which edges join."""
        found: str = self.control.get(TOKEN)["token"]
        return found
