"""Parsers that take words and flags in any order, as kubectl does: ``get pod -n shop web``.

argparse by itself wants the words in one place, and takes what comes later for unknown.
"""

import argparse
from typing import Any

from edgecore.control.help_text import HelpText
from edgecore.control.helpful_parser import HelpfulParser


class MixedParser(HelpfulParser):
    """A parser whose positional arguments may stand anywhere."""

    _parses_a_part = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse flags first, then the words that are left; each is a call of this method in turn."""
        if self._parses_a_part:
            return argparse.ArgumentParser.parse_known_args(self, args, namespace)
        self._parses_a_part = True
        try:
            parsed, left = self.parse_known_intermixed_args(args, namespace)
        finally:
            self._parses_a_part = False
        self.refuse(left)
        return parsed, left


def add_mixed_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    *,
    help: str,  # noqa: A002 - argparse's word for it
    description: str,
    epilog: str,
) -> argparse.ArgumentParser:
    """Add a verb with such a parser, and return the parser."""
    listed = subparsers.add_parser(name, help=help)
    parser = MixedParser(
        prog=listed.prog,
        description=description,
        epilog=epilog,
        formatter_class=HelpText,
    )
    subparsers.choices[name] = parser
    return parser
