"""What the steps work on."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edgecore.demo.broker import DemoBroker
from edgecore.demo.processes import Program, stub_command
from edgecore.demo.screen import Screen

NODE = "edge-node1"


class Stage(NamedTuple):
    """The programs, and what lies around them."""

    screen: Screen
    stub: Program
    node: Program
    database: Path
    recordings: Path
    mapper: Path
    """The example with the device."""
    broker: DemoBroker | None

    def cloud(self, *arguments: str) -> str:
        """Run a command of the stub, shown as a user would type it; return what it prints. Raises ``EdgecoreError``."""
        self._show(arguments)
        return stub_command(self.stub, arguments)

    def _show(self, arguments: Sequence[str]) -> None:
        self.screen.say(f"$ cloudhub-stub {shlex.join([*arguments, '--control', str(self.stub.control.path)])}")
