"""The example configurations: each is taken as it stands."""

from pathlib import Path

import pytest

from edgecore.config.host import this_machine
from edgecore.config.load import load

FOLDER = Path(__file__).parents[3] / "examples/configurations"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_read_without_a_warning_and_says_nothing_that_is_not_used(path: Path) -> None:
    loaded = load(path, env=this_machine())
    assert loaded.warnings == ()
    assert loaded.given


def test_the_readme_of_the_examples_names_each_of_them() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    assert EXAMPLES
    assert [path.name for path in EXAMPLES if f"[{path.name}]({path.name})" not in text] == []
