"""The form of a help text: paragraphs are filled to the width of the terminal, lines that are indented stay."""

import argparse
import textwrap
from itertools import groupby

_WIDEST = 90
"""Longer lines are hard to read, however wide the terminal is."""


class HelpText(argparse.HelpFormatter):
    """A formatter for ``ArgumentParser(formatter_class=...)``."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        filled = []
        for is_prose, lines in groupby(text.splitlines(), key=lambda line: line[:1] not in ("", " ")):
            if is_prose:
                wide = min(width, _WIDEST)
                filled += textwrap.wrap(" ".join(lines), wide, break_long_words=False, break_on_hyphens=False)
            else:
                filled += lines
        return "\n".join(indent + line for line in filled)
