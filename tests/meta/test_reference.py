"""The generated pages say what the code says."""

import ast
from pathlib import Path

import pytest

from edgecore.cli import PROGRAM as NODE
from edgecore.control.commands import command_tree
from tools.reference.logevents import events_of
from tools.reference.metrics import series_of
from tools.reference.pages import PAGES
from tools.reference.sources import Sources

MEND = "write it anew: make reference"


@pytest.fixture(scope="module")
def sources(trees: dict[str, ast.Module]) -> Sources:
    return Sources(trees)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_generated_page_is_current(page: Path, root: Path, sources: Sources) -> None:
    assert (root / page).read_text("utf-8") == PAGES[page](sources), MEND


def test_every_command_has_an_example_and_says_its_exit_codes() -> None:
    poor = [
        command.name
        for command in command_tree(NODE).all()
        if not command.commands and not ("example" in command.epilog and "exit code" in command.epilog)
    ]
    assert poor == []


def test_a_family_in_a_loop_is_one_line_a_turn() -> None:
    text = """
from prometheus_client.core import CounterMetricFamily
PLACE = ("node",)
NAMES = {"in": "Came in.", "out": "Went out."}
def families(self):
    for name, text in NAMES.items():
        yield CounterMetricFamily(f"x_{name}", text, labels=(*PLACE, "why"))
"""
    (file,) = Sources({"edgecore/x.py": ast.parse(text)}).files
    found = [(one.name, one.help, one.labels) for one in series_of(file)]
    assert found == [("x_in_total", "Came in.", ("node", "why")), ("x_out_total", "Went out.", ("node", "why"))]


def test_a_prefix_that_a_caller_gives_is_found() -> None:
    texts = {
        "edgecore/a.py": "from prometheus_client.core import GaugeMetricFamily\n"
        "def families(prefix):\n    yield GaugeMetricFamily(f'{prefix}_open', 'Open.', value=1)",
        "edgecore/b.py": "from edgecore.a import families\nfamilies('edgecore_link')",
    }
    sources = Sources({path: ast.parse(text) for path, text in texts.items()})
    assert [one.name for one in series_of(sources.files[0])] == ["edgecore_link_open"]


def test_an_event_has_its_logger_level_and_keys() -> None:
    text = "log = structlog.get_logger('node')\ndef f():\n    log.warning('cut', why=1, then='it waits')"
    (file,) = Sources({"edgecore/x.py": ast.parse(text)}).files
    assert [tuple(one) for one in events_of(file)] == [("node", "cut", "warning", ("then", "why"), "it waits")]
