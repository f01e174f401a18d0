"""Links: what a document points to is there, file and heading, and so is each page that the programs name."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
NAMED = re.compile(r"(?<![\w/.-])(?<!kubeedge )docs/[\w/-]+\.md")
FOLDERS = ("docs", "edgecore", "cloudhub_stub", "examples", "benchmarks", "tests")


def test_every_link_leads_to_a_file_and_a_heading_that_is_there(root: Path) -> None:
    pages = [*root.glob("*.md"), *(page for folder in FOLDERS for page in (root / folder).rglob("*.md"))]
    wrong = [f"{page.relative_to(root)}: {why}" for page in pages for why in _broken_links(page)]
    assert not wrong, "\n" + "\n".join(wrong)


def test_the_front_page_names_every_page(root: Path) -> None:
    front = root / "docs/index.md"
    named = {(front.parent / link.partition("#")[0]).resolve() for link in LINK.findall(front.read_text("utf-8"))}
    pages = {page for page in (root / "docs").rglob("*.md") if page != front}
    assert sorted(page.relative_to(root).as_posix() for page in pages - named) == [], "a line for it in docs/index.md"


def test_every_page_that_the_programs_name_is_there(root: Path) -> None:
    sources = [path for folder in FOLDERS for kind in ("*.py", "*.yaml") for path in (root / folder).rglob(kind)]
    named = [(path, page) for path in sources for page in NAMED.findall(path.read_text("utf-8"))]
    assert [f"{path.relative_to(root)}: {page}" for path, page in named if not (root / page).is_file()] == []


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("[a](b.md)", []),
        ("[a](b.md#two-words)", []),
        ("[a](b.md#two-words-1)", []),
        ("[a](#here)\n\n# Here", []),
        ("[a](c.md)", ["c.md"]),
        ("[a](b.md#three)", ["b.md#three"]),
        ("[a](https://example.org/c.md)", []),
        ("```\n[a](c.md)\n```", []),
    ],
)
def test_a_broken_link_is_named(tmp_path: Path, text: str, broken: list[str]) -> None:
    (tmp_path / "b.md").write_text("# `Two` words\n\n## Two words\n\n```console\n# three\n```\n")
    page = tmp_path / "page.md"
    page.write_text(text)
    assert list(_broken_links(page)) == broken


def _broken_links(page: Path) -> Iterator[str]:
    for link in LINK.findall(FENCED.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            yield link


def _anchors(page: Path) -> set[str]:
    """Return what the headings of a page are called in links, as GitHub and the site call them."""
    seen: Counter[str] = Counter()
    anchors = set()
    for heading in HEADING.findall(FENCED.sub("", page.read_text("utf-8"))):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        name = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        anchors.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return anchors
