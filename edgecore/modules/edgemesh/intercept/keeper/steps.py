"""Steps, done: a transaction of nftables, or a program."""

import os
import subprocess

from edgecore.modules.edgemesh.intercept.keeper.libnftables import Nftables
from edgecore.modules.edgemesh.intercept.keeper.outcome import Outcome, refusal
from edgecore.modules.edgemesh.intercept.keeper.programs import find_program, search_path
from edgecore.modules.edgemesh.intercept.keeper.protocol import (
    COMMAND_LIMIT_S,
    MESSAGE_LIMIT_BYTES,
    Command,
    Nft,
    Step,
)

_OUTPUT_LIMIT_BYTES = MESSAGE_LIMIT_BYTES - 4096


class Steps:
    """Does them. ``limit_s`` is how long a program may take."""

    def __init__(self, nftables: Nftables, *, limit_s: float = COMMAND_LIMIT_S) -> None:
        self.nftables = nftables
        self._limit_s = limit_s

    def do(self, step: Step) -> Outcome:
        """Do one. Raises nothing: what goes wrong is in the outcome."""
        outcome = self.nftables.run(step.text, json=step.json) if isinstance(step, Nft) else self._run(step)
        if len(outcome.output.encode()) > _OUTPUT_LIMIT_BYTES:
            return refusal(_name(step), f"it printed more than {_OUTPUT_LIMIT_BYTES} bytes")
        return outcome

    def _run(self, command: Command) -> Outcome:
        path = find_program(command.argv[0] if command.argv else "")
        if path is None:
            return Outcome() if command.may_fail else _missing(command)
        try:
            done = subprocess.run(  # noqa: S603 - what the node says, and no shell
                (path, *command.argv[1:]),
                input=command.stdin.encode(),
                capture_output=True,
                timeout=self._limit_s,
                check=False,
                env=_environment(),
            )
        except FileNotFoundError:
            outcome = _missing(command)
        except subprocess.TimeoutExpired:
            outcome = refusal(_name(command), f"it did not end within {self._limit_s:g} s and was killed")
        except (OSError, ValueError) as error:
            outcome = refusal(_name(command), str(error))
        else:
            output, said = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
            if done.returncode == 0:
                return Outcome(output)
            outcome = refusal(_name(command), said or output or f"exit code {done.returncode}")
        return Outcome() if command.may_fail else outcome


def _missing(command: Command) -> Outcome:
    return Outcome(error=f"{_name(command)}: no such program; install it", reason="no_tool")


def _name(step: Step) -> str:
    return f"`{' '.join(step.argv)[:200]}` failed" if isinstance(step, Command) else "nftables failed"


def _environment() -> dict[str, str]:
    """Return the environment of programs: their messages are in English."""
    return {**os.environ, "PATH": search_path(), "LC_ALL": "C"}
