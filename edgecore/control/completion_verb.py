"""The verb ``completion`` of both programs: the script for a shell, on standard output."""

import argparse
import sys

from edgecore.control.commands import command_tree
from edgecore.control.completion import SHELLS, Shell, completion
from edgecore.control.program import Program

_DESCRIPTION = """\
Print the script by which a shell completes this program's commands and flags, with
their values where those are files or a choice. Tab itself starts no program."""

_EPILOG = """\
examples:
  eval "$({name} completion bash)"
      in this bash, or zsh (behind compinit) with zsh
  {name} completion bash > ~/.local/share/bash-completion/completions/{name}
      in every bash from now on (Debian: apt install bash-completion)
  {name} completion zsh > ~/.zfunc/_{name}
      in every zsh; in ~/.zshrc, before compinit: fpath+=~/.zfunc
  {name} completion fish > ~/.config/fish/completions/{name}.fish
      in every fish

exit code: 0 printed, 2 wrong usage"""


def add_completion(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", program: Program) -> None:
    """Add the verb to a program."""
    parser = subparsers.add_parser(
        "completion",
        help="print the script by which a shell completes the commands",
        description=_DESCRIPTION,
        epilog=_EPILOG.format(name=program.name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")
    parser.set_defaults(run=lambda args: _print(program, args.shell))


def _print(program: Program, shell: Shell) -> int:
    sys.stdout.write(completion(shell, command_tree(program)))
    return 0
