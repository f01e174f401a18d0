"""The page that tells a run of the benchmarks."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rows.results import Curve, Figure, Note, Skipped, at_most, ratio, slope
from story.document import Document, Report
from story.page import page, plots_of, summary, write_page

ROOT = Path(__file__).parents[3]


@pytest.fixture
def document() -> Document:
    return Document(
        made_at="2026-01-02T03:04:05+00:00",
        machine={"processor": "2 x Abacus"},
        versions={"edgecore": "1.2.3", "haproxy": "not installed"},
        areas=[
            Report(
                name="dns",
                title="DNS",
                state="measured",
                took_s=12.3,
                command="python benchmarks/dns.py",
                results=[
                    Note(text="1,000 <names>"),
                    Figure(
                        case="names | A",
                        unit="answers/s",
                        ours=[90, 100, 120],
                        peers=[100, 100, 100],
                        peer="dnsmasq & co",
                        goal=ratio(1.5, acceptable=0.8),
                    ),
                    Figure(case="names | A", measure="p99", unit="ms", ours=[3], goal=at_most(2), less=True),
                    Skipped(what="beside bind", reason="bind is not installed", advice="apt install bind9"),
                ],
            ),
            Report(
                name="growth",
                title="Growth",
                state="failed",
                reason="cannot start",
                results=[
                    Curve(case="start", grows="services", at=[1, 10], unit="s", ours=[[1], [10]], goal=slope(1.1))
                ],
            ),
        ],
    )


def test_what_was_written_is_read_again_and_says_what_follows_from_the_rounds(
    document: Document, tmp_path: Path
) -> None:
    file = tmp_path / "new" / "bench.json"
    document.write(file)
    assert Document.read(file) == document
    _, figure, *_ = json.loads(file.read_text())["areas"][0]["results"]
    assert figure["spreads"]["ratio"] == {"median": 1.0, "least": 0.9, "most": 1.2}
    assert figure["reached"] == "acceptable"


def test_the_page_says_what_the_figures_say(document: Document) -> None:
    text = page(document, "bench")
    assert "| names \\| A | 100 (90.0-120) answers/s | dnsmasq & co: 100 (100-100) | **1.00** (0.900-1.20) |" in text
    assert "| … p99 | 3.00 ms |  |  | at most 2 ms | **missed** |" in text
    assert "* 1,000 &lt;names>" in text
    assert "| [DNS](#dns) |  | 1 | 1 | 12 s |  |" in text
    assert "| ours | 1.00 | 10.0 | 1.00 | 1.00 | straight; ten times as many: 10 times as much |" in text
    assert "2 x Abacus" in text
    assert "haproxy not installed" in text


def test_what_was_missed_failed_or_left_out_is_named_on_the_page_and_in_the_terminal(document: Document) -> None:
    for text in (page(document, "bench"), summary(document)):
        assert "DNS, names | A, p99: 3.00, goal at most 2 ms" in text
        assert "DNS, beside bind: bind is not installed; apt install bind9" in text
        assert "Growth: failed; cannot start" in text


def test_every_plot_is_an_image_with_a_ground_of_its_own_in_light_and_in_dark(document: Document) -> None:
    plots = plots_of(document)
    assert list(plots) == ["dns.svg", "growth-curves.svg"]
    for text in plots.values():
        words = "".join(ElementTree.fromstring(text).itertext())
        assert "prefers-color-scheme: dark" in words
        assert 'class="ground"' in text
    assert "names | A / dnsmasq & co" in "".join(ElementTree.fromstring(plots["dns.svg"]).itertext())


def test_the_plots_of_a_page_lie_beside_it_and_those_of_before_go(document: Document, tmp_path: Path) -> None:
    old = tmp_path / "bench" / "gone.svg"
    old.parent.mkdir()
    old.touch()
    write_page(document, tmp_path / "bench.md")
    assert sorted(path.name for path in old.parent.iterdir()) == ["dns.svg", "growth-curves.svg"]
    assert "(bench/dns.svg)" in (tmp_path / "bench.md").read_text()


def test_the_page_in_the_documentation_is_what_its_figures_say() -> None:
    """Else: `python benchmarks --from docs/benchmarks.json --page docs/benchmarks.md`."""
    kept = ROOT / "docs" / "benchmarks.json"
    document = Document.read(kept)
    assert kept.with_suffix(".md").read_text() == page(document, "benchmarks")
    drawn = {path.name: path.read_text() for path in kept.with_suffix("").glob("*.svg")}
    assert drawn == plots_of(document)
