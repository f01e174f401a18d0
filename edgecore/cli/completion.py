"""``edgecore completion``: the script by which a shell completes the commands."""

import argparse

from edgecore.cli import PROGRAM
from edgecore.control.completion_verb import add_completion


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    add_completion(subparsers, PROGRAM)
