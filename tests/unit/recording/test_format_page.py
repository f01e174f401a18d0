"""The page on the format knows all of it."""

from pathlib import Path

import pytest

from edgecore.recording.entries import KEYS, VERSION
from edgecore.recording.packing import PACKINGS
from edgecore.recording.packing.mcapfile import PROFILE
from edgecore.recording.packing.schemas import KEYS_OF
from edgecore.recording.selection import FILTERS, WAY_WORDS

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "recording-format.md").read_text("utf-8")


@pytest.mark.parametrize("kind", KEYS)
def test_every_kind_and_its_keys_are_described(kind: str) -> None:
    assert f"\n| `{kind}` |" in PAGE
    assert [key for key in KEYS_OF[kind] if f"`{key}`" not in PAGE] == []


def test_the_version_the_packings_and_the_filters_are_those_of_the_program() -> None:
    assert PAGE.startswith(f"# The recording format, version {VERSION}\n")
    words = [*(f"`{suffix}`" for suffix in PACKINGS), f"`{PROFILE}`", *(f"`{word}`" for word in (*FILTERS, *WAY_WORDS))]
    assert [word for word in words if word not in PAGE] == []
