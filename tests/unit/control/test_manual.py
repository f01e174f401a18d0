from edgecore.control.commands import Command, Option
from edgecore.control.manual import man_page, markdown_page

CUT = Command(
    ("x", "db", "cut"),
    "cut it",
    "x db cut [-h] FILE",
    "Cut it.\n.dots and 'quotes' begin lines.",
    "example:\n  x db cut a|b",
    (Option(("-f", "--file"), "FILE", "a <file> | or none"),),
    (),
)
DB = Command(("x", "db"), "the file", "x db VERB", "The file.", "", (), (CUT,))
TREE = Command(("x",), "", "x COMMAND", "What it is. And more:\n  a block\nand text.", "exit code: 0", (), (DB,))


def test_the_page_lists_each_command_with_a_link_to_its_heading() -> None:
    page = markdown_page(TREE, "1.2")
    assert page.startswith("# The command `x`\n")
    assert "| [`x db`](#x-db) | the file |" in page
    assert "\n## `x db`\n" in page
    assert "| [`cut`](#x-db-cut) | cut it |" in page
    assert "\n### `x db cut`\n" in page


def test_what_is_indented_is_a_block_and_signs_of_markdown_mean_nothing() -> None:
    page = markdown_page(TREE, "1.2")
    assert "```text\n  a block\n```" in page
    assert "| `-f, --file FILE` | a \\<file\\> \\| or none |" in page


def test_no_line_of_the_manual_page_is_taken_for_a_request() -> None:
    lines = man_page(TREE, "1.2").splitlines()
    assert lines[0] == '.TH X 1 "" "edgecore 1.2" "User Commands"'
    known = (".TH", ".SH", ".SS", ".PP", ".TP", ".nf", ".fi")
    assert [line for line in lines if line.startswith((".", "'")) and not line.startswith(known)] == []
    assert "\\&.dots and \\(aqquotes\\(aq begin lines." in lines
    assert "\\fB\\-f, \\-\\-file FILE\\fR" in lines
