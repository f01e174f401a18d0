"""A machine of the lab: a process that holds its network, mount and UTS namespaces, and programs that run in there."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from types import MappingProxyType
from typing import IO

from edgecore.errors import LabError
from edgecore.lab.plan import Command, host_commands, plug_commands

PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
"""An ordinary user's lacks the directories where ``ip`` and ``nft`` may be."""
NO_LINKS: Mapping[str, Path] = MappingProxyType({})
_PATIENCE_S = 30.0


def enter(holder: int, directory: Path) -> list[str]:
    """Return what is put before a command so that it runs with a holder, in a directory if that is there."""
    into = ["nsenter", "--target", str(holder), "--net", "--mount", "--uts", "--"]
    return [*into, "sh", "-c", 'cd "$0" 2>/dev/null || cd /; exec "$@"', str(directory)]


class Machine:
    """One machine; its namespaces last until ``end`` and as long as a program runs in them."""

    def __init__(self, name: str) -> None:
        """Make it, without interfaces. Raises ``LabError``."""
        self.name = name
        # Every word before `cat` execs the next, so that the process that we know is the one that holds.
        command = [
            "unshare",
            "--net",
            "--mount",
            "--uts",
            "--",
            "sh",
            "-c",
            'echo "$0" > /proc/sys/kernel/hostname; exec cat',
            name,
        ]
        self._holder = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env={**os.environ, "PATH": PATH}
        )
        echo, voice = self._holder.stdout, self._holder.stdin
        if echo is None or voice is None or not _echoes(voice, echo):
            raise LabError(
                f"cannot make the machine {name}: unshare ended with {self._holder.wait()}; see the lab's log"
            )

    @property
    def holder(self) -> int:
        """The process that holds the namespaces, by its number in the lab."""
        return self._holder.pid

    def command(self, words: Sequence[str]) -> list[str]:
        """Return a command that runs ``words`` in here."""
        return [*enter(self.holder, Path.cwd()), *words]

    def run(self, *commands: Command, text: str = "") -> None:
        """Run commands in here, one after the other, to their ends. Raises ``LabError`` at the first that fails."""
        for words in commands:
            run(self.command(words), text=text, shown=f"{' '.join(words)} (on {self.name})")

    def plug_into(self, switch: "Machine", bridge: str, address: IPv4Interface, gateway: IPv4Address) -> None:
        """Lead a cable from a bridge of another machine to this one's ``eth0``. Raises ``LabError``."""
        port = f"v{self.holder}" if bridge == "docker0" else self.name[:15]
        switch.run(*plug_commands(port, bridge, self.holder))
        self.run(*host_commands(address, gateway))

    def give_etc(
        self, files: Mapping[str, str], folder: Path, host_etc: Path, links: Mapping[str, Path] = NO_LINKS
    ) -> None:
        """Have a directory as ``/etc``: files and links of its own, the host's for the rest. Raises ``LabError``.

        Symbolic links rather than an overlay, which not every kernel and file system offers to ordinary users; a whole
        directory, since a program that writes ``resolv.conf`` renames another over it.
        """
        folder.mkdir(parents=True)
        for name in sorted(os.listdir(host_etc)):  # noqa: PTH208 - names are wanted
            if name not in files and not any(link.startswith(f"{name}/") for link in links):
                (folder / name).symlink_to(host_etc / name)
        for name, target in links.items():
            (folder / name).parent.mkdir(parents=True)
            (folder / name).symlink_to(target)
        for name, text in files.items():
            (folder / name).write_text(text)
        self.run(("mount", "--bind", str(folder), "/etc"))

    def end(self) -> None:
        """Let go of the namespaces."""
        for pipe in (self._holder.stdin, self._holder.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._holder.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._holder.kill()
            self._holder.wait()


def _echoes(voice: IO[bytes], echo: IO[bytes]) -> bool:
    try:
        voice.write(b"!")
        return echo.read(1) == b"!"
    except BrokenPipeError:
        return False


def run(words: Sequence[str], *, text: str = "", shown: str = "") -> str:
    """Run a command to its end and return what it printed; ``shown`` is it in errors. Raises ``LabError``."""
    try:
        done = subprocess.run(  # noqa: S603
            words,
            input=text,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
            env={**os.environ, "PATH": PATH},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"cannot run `{' '.join(words)}`: {error}") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        raise LabError(f"cannot run `{shown or ' '.join(words)}`: {said}")
    return done.stdout
