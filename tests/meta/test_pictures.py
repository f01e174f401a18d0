"""The pictures that documents show: of what the programs print now, and readable without a network."""

import html
import re
from pathlib import Path

import pytest

TITLE = re.compile(r"\[\d+/\d+\] ([^<]*)")
STEP = re.compile(r'\.step\(f?"([^"]*)"\)')


def test_the_picture_of_the_demonstration_has_the_steps_that_it_has(root: Path) -> None:
    picture = html.unescape((root / "docs/pictures/demo.svg").read_text("utf-8")).replace("\N{NO-BREAK SPACE}", " ")
    told = [
        path.read_text("utf-8") for path in (root / "edgecore/demo/story.py", root / "edgecore/demo/devicestory.py")
    ]
    steps = [re.sub(r"\\\{\w+\\\}", ".*", re.escape(title)) for title in STEP.findall("".join(told))]
    shown = TITLE.findall(picture)
    assert len(shown) == len(steps) > 0, "python docs/pictures/draw.py"
    assert [title for title, step in zip(shown, steps, strict=True) if not re.fullmatch(step, title)] == []


@pytest.mark.parametrize("what", ["@font-face", "<image", "<script", "xlink:href"])
def test_no_picture_loads_anything(root: Path, what: str) -> None:
    assert [path.name for path in (root / "docs").rglob("*.svg") if what in path.read_text("utf-8")] == []
