"""The reference of all settings, and that the documentation holds it."""

from pathlib import Path

import pytest

from edgecore.config.keys import leaves
from edgecore.config.reference import reference
from edgecore.config.schema import EdgeCoreConfig

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "settings.md"
LEAVES = dict(leaves(EdgeCoreConfig))


def rows(text: str) -> dict[str, list[str]]:
    """Return the cells of every table row by the path of its setting."""
    found, section = {}, ""
    for line in text.splitlines():
        if line.startswith("### "):
            section = line.removeprefix("### ").strip("`") + "." if "`" in line else ""
        elif line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            found[section + cells[0].strip("`")] = cells
    return found


def test_the_document_ends_with_the_reference_as_it_is_printed() -> None:
    _, heading, printed = DOCUMENT.read_text().partition("\n## Reference\n\n")
    assert heading
    assert printed == reference(), "write it anew: edgecore config --reference"


def test_every_setting_has_its_row_and_no_row_is_without_setting() -> None:
    assert set(rows(DOCUMENT.read_text())) == set(LEAVES)


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("modules.edgeHub.heartbeat", "`15`"),
        ("modules.edgeHub.token", '`""`'),
        ("modules.edgeMesh.dns.upstreams", "`[]`"),
        ("modules.edgeMesh.dns.listen", '`["auto"]`'),
        ("modules.edged.hostnameOverride", "the machine's host name"),
        ("modules.edged.nodeIP", "the local IP address"),
        ("modules.eventBus.mqttRetain", "`false`"),
    ],
)
def test_a_row_tells_the_default(path: str, default: str) -> None:
    assert rows(reference())[path][1] == default


def test_a_row_tells_whose_key_it_is() -> None:
    origins = {path: cells[3] for path, cells in rows(reference()).items()}
    assert origins == {path: "edgecore" if setting.key.ours else "KubeEdge" for path, setting in LEAVES.items()}


def test_what_nothing_reads_yet_is_marked_in_its_row_or_once_for_its_section() -> None:
    text = reference()
    marked = {path for path, cells in rows(text).items() if "not used yet" in cells[4]}
    sections = {
        line.split("\n")[0].strip("# `") for line in text.split("\n\n### ") if "not used yet" in line.split("\n")[2]
    }
    unused = {path for path, setting in LEAVES.items() if not setting.key.used}
    assert marked | {path for path in unused if path.rpartition(".")[0] in sections} == unused


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert all(len(cells) == 6 for cells in rows(reference()).values())


def test_a_row_tells_when_another_value_counts_unless_nothing_reads_it() -> None:
    told = {path: cells[5] for path, cells in rows(reference()).items()}
    assert told["modules.edgeMesh.lbStrategy"] == told["observe.logLevel"] == "by reload"
    assert told["modules.edgeHub.websocket.server"] == "by restart"
    assert {path for path, word in told.items() if not word} == {
        path for path, setting in LEAVES.items() if not setting.key.used
    }
