"""The ways that ARCHITECTURE.md draws lead through files that are there."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LANE = re.compile(r"^ *(?P<folder>[a-z_]+/) +(?P<rest>.+)$", re.MULTILINE)
_FILE = re.compile(r"[a-z_/]+\.py")


def test_every_file_on_a_drawn_way_is_in_the_folder_of_its_line() -> None:
    paths = [
        str(path.relative_to(ROOT)) for top in ("edgecore", "cloudhub_stub") for path in ROOT.glob(f"{top}/**/*.py")
    ]
    drawn = list(_drawn((ROOT / "ARCHITECTURE.md").read_text()))
    assert len(drawn) > 50
    assert list(_astray(drawn, paths)) == []


def test_a_file_that_has_moved_is_named() -> None:
    text = "## Five ways through the house\nedgehub/  incoming.py ─▶ store/store.py: it\n## Next\nedgehub/  other.py"
    found = list(_astray(_drawn(text), ["edgecore/store/store.py", "edgecore/modules/edgehub/news/incoming.py"]))
    assert found == ["edgehub/incoming.py"]


def _drawn(text: str) -> Iterator[tuple[str, str]]:
    """Yield the folder of a line, and a file that it names."""
    section = text.partition("## Five ways")[2].partition("\n## ")[0]
    for lane in _LANE.finditer(section):
        for name in _FILE.findall(lane["rest"]):
            yield lane["folder"], name


def _astray(drawn: Iterable[tuple[str, str]], paths: list[str]) -> Iterator[str]:
    """Yield what stands neither in the folder of its line nor, where it has one, in its own."""
    for folder, name in drawn:
        ends = [f"/{folder}{name}", *([f"/{name}"] if "/" in name else [])]
        if not any(f"/{path}".endswith(end) for path in paths for end in ends):
            yield f"{folder}{name}"
