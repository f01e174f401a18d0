"""What a soak came to, and how that reads."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from soak.flatness import Bound, Sample, growths


class Outcome(NamedTuple):
    """Of one soak."""

    samples: Mapping[str, list[Sample]]
    """By program."""
    bounds: Mapping[str, Bound]
    done: Counter[str]
    faults: list[str]
    """Wrong answers, unexplained warnings, what was not empty or not equal at the end."""
    skipped: tuple[str, ...] = ()
    """What was left out, because a program is not installed."""

    @property
    def findings(self) -> list[str]:
        """All that is wrong: faults, and figures that grow; nothing where all is well."""
        grown = [
            f"{program}: {growth}"
            for program, samples in self.samples.items()
            for growth in growths(samples, self.bounds)
            if not growth.is_flat
        ]
        return [*self.faults, *grown]

    def summary(self) -> Iterator[str]:
        """Yield lines for people."""
        yield "done: " + ", ".join(f"{number:,} {what}" for what, number in sorted(self.done.items()))
        for program, samples in self.samples.items():
            yield f"{program}, {len(samples)} samples over {samples[-1].at_s - samples[0].at_s:,.0f} s:"
            for growth in growths(samples, self.bounds):
                yield f"    {growth}"
        for name in self.skipped:
            yield f"skipped: {name}"
        for finding in self.findings:
            yield f"FINDING: {finding}"
