"""All that a run has found, as JSON: for the page, and for others."""

import os
import statistics
from pathlib import Path
from typing import Any, Literal

import msgspec
from rows.results import Curve, Figure, Result, Spread

State = Literal["measured", "failed", "too long", "interrupted", "not begun"]


class Report(msgspec.Struct, kw_only=True):
    """What became of an area."""

    name: str
    title: str
    state: State = "not begun"
    reason: str = ""
    took_s: float = 0.0
    command: str = ""
    results: list[Result] = []

    def verdicts(self) -> list[str]:
        """Return what became of each goal."""
        return [each.reached for each in self.results if isinstance(each, Figure | Curve) and each.reached]


class Document(msgspec.Struct, kw_only=True):
    """A run."""

    made_at: str
    """In ISO 8601, UTC."""
    quick: bool = False
    machine: dict[str, str] = {}
    versions: dict[str, str] = {}
    areas: list[Report] = []

    @classmethod
    def read(cls, path: Path) -> "Document":
        """Return what ``write`` has written. Raises ``OSError`` and ``msgspec.DecodeError``."""
        return msgspec.json.decode(path.read_bytes(), type=cls)

    def write(self, path: Path) -> None:
        """Write it, all or nothing, with what follows from the rounds for those who read it without this program."""
        document = msgspec.to_builtins(self)
        for report, told in zip(self.areas, document["areas"], strict=True):
            pairs = zip(report.results, told["results"], strict=True)
            told["results"] = [each | _derived(result) for result, each in pairs]
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.new")
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
        os.replace(beside, path)  # noqa: PTH105


def _derived(result: Result) -> dict[str, Any]:
    """Return what follows from the rounds; ``Document.read`` computes it again and does not look at it."""
    if isinstance(result, Figure):
        sides = {"ours": result.ours, "peer": result.peers, "ratio": result.ratios}
        spreads = {name: Spread.of(values)._asdict() for name, values in sides.items() if values}
        return {"spreads": spreads, "reached": result.reached}
    if isinstance(result, Curve):
        both = {"ours": result.ours, "peer": result.peers}
        medians = {name: [statistics.median(each) for each in rounds] for name, rounds in both.items() if rounds}
        slopes = {"slope": result.slope, "end_slope": result.end_slope, "peer_slope": result.peer_slope}
        return {"medians": medians, **slopes, "reached": result.reached}
    return {}
