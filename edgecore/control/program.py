"""The frame of a command line program: verbs that are loaded only when named, errors as one line and an exit code.

Exit codes: 0 done, 1 could not (``EdgecoreError``), 2 wrong usage, 130 interrupted by Ctrl-C, 141 nobody reads the
output any more; verbs may add their own.
"""

import argparse
import gc
import importlib
import os
import platform
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import ModuleType
from typing import NamedTuple

from edgecore import __version__
from edgecore.control.helpful_parser import HelpfulParser
from edgecore.errors import EdgecoreError, reason_of


class Verb(NamedTuple):
    """One command: its module has ``add_parser(subparsers)``, which sets ``run`` to a function of the arguments."""

    name: str
    module: str
    summary: str


class Program(NamedTuple):
    """A command line program."""

    name: str
    description: str
    epilog: str
    verbs: tuple[Verb, ...]

    def main(self, arguments: Sequence[str]) -> int:
        """Do what the arguments say, and return the exit code. Without arguments, print the help."""
        return guarded(self.name, lambda: self._dispatch(arguments or ["--help"]))

    def parser(self, verb: str) -> argparse.ArgumentParser:
        """Return the parser for a command line that begins with ``verb``; of the other verbs it knows the summary."""
        parser = HelpfulParser(
            prog=self.name,
            description=self.description,
            epilog=self.epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument(
            "--version",
            nargs="?",
            const="true",
            choices=("true", "raw"),
            metavar="raw",
            action=_PrintVersion,
            help="print the version and exit; --version=raw adds what it runs on",
        )
        subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
        for known in self.verbs:
            if known.name == verb:
                _imported(known.module).add_parser(subparsers)
            else:
                subparsers.add_parser(known.name, help=known.summary)
        return parser

    def _dispatch(self, arguments: Sequence[str]) -> int:
        parsed = self.parser(arguments[0]).parse_args(arguments)
        code: int = parsed.run(parsed)
        return code


def _imported(module: str) -> ModuleType:
    """Import a verb's module, with all that it needs. None of that is garbage: nobody looks for it meanwhile."""
    looking = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        if looking:
            gc.enable()


class _PrintVersion(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        _namespace: argparse.Namespace,
        values: object,
        _option: str | None = None,
    ) -> None:
        sys.stdout.write(f"{parser.prog} {__version__}\n")
        if values == "raw":
            sys.stdout.write(f"speaks the protocols of KubeEdge 1.3.1\n{_python()}\n{platform.platform()}\n")
        parser.exit()


def _python() -> str:
    return f"{platform.python_implementation()} {platform.python_version()}"


def guarded(program: str, work: Callable[[], int]) -> int:
    """Return what ``work`` returns, or the exit code of the way it failed; a failure says so on stderr."""
    try:
        code = work()
        if sys.stdout is not None:  # it may have been closed before the start
            sys.stdout.flush()
    except EdgecoreError as error:
        sys.stderr.write(f"{program}: {error.told}\n")
        return 1
    except SystemExit as end:  # how argparse ends: help and version 0, wrong usage 2
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        let_go_of_stdout()
        return 141
    except OSError as error:  # a full disk under the output, mostly
        let_go_of_stdout()
        sys.stderr.write(f"{program}: cannot go on: {reason_of(error)}\n")
        return 1
    return code


def let_go_of_stdout() -> None:
    """Point stdout nowhere, so that the interpreter's own flush at exit has nothing to complain about."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
