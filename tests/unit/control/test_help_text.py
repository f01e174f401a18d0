import argparse

import pytest

from edgecore.control.help_text import HelpText

TEXT = """\
One paragraph, whose lines were broken where the source file had no more room for
them, a-word-with-hyphens too.

examples:
  a line of a shell that is longer than any terminal of forty columns
      and what it does"""


@pytest.mark.parametrize("columns", ["40", "80", "300"])
def test_paragraphs_are_filled_and_lines_that_are_indented_stay(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown = argparse.ArgumentParser(epilog=TEXT, formatter_class=HelpText).format_help()
    prose, examples = shown[shown.index("One paragraph") :].split("\n\n")
    assert " ".join(prose.split()) == " ".join(TEXT.split("\n\n", maxsplit=1)[0].split())
    assert max(map(len, prose.splitlines())) <= min(int(columns), 90)
    assert examples.rstrip("\n") == TEXT.split("\n\n")[1]
