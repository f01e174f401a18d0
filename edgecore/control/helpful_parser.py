"""The parser of every command: what it does not understand is answered with what was meant, and where to look."""

import argparse
import sys
from collections.abc import Iterable
from typing import Any, NoReturn


class HelpfulParser(argparse.ArgumentParser):
    """A parser whose errors end with what to try; those of its verbs are of this class, too."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse all of it: what is left over is told by the verb that it was for, and not by the program."""
        parsed, left = super().parse_known_args(args, namespace)
        self.refuse(left)
        return parsed, left

    def refuse(self, left: list[str]) -> None:
        """End with an error if anything is ``left``."""
        if left:
            meant = _meant(left[0].partition("=")[0], self._option_string_actions)
            self.error(f"unrecognized arguments: {' '.join(left)}{meant}")

    def error(self, message: str) -> NoReturn:
        """Print usage, error and where to look, and end with 2."""
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: error: {message}; see `{self.prog} --help`\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = list(map(str, action.choices))
            words = f"there is no {str(value)!r}{_meant(str(value), known)}; there are {', '.join(known)}"
            raise argparse.ArgumentError(action, words)


def _meant(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - for errors alone

    near = get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
