"""Fuzzing without atheris: the corpus varied by hypothesis, for a while, without a look at the code that is reached."""

import time

from hypothesis import HealthCheck, Phase, Verbosity, given, settings

from tests.fuzz import progress
from tests.fuzz.place import FOUND, how_to_run_again
from tests.fuzz.target import Target
from tests.fuzz.variants import variants

_AT_A_TIME = 200


class Finding(AssertionError):  # noqa: N818 - what it is
    """A target has raised; the text says with what, and how to see it again."""


def check(target: Target, data: bytes) -> None:
    """Run a target. Raises ``Finding``, and keeps the input in ``FOUND``."""
    try:
        target.run(data)
    except Exception as error:
        FOUND.mkdir(parents=True, exist_ok=True)
        file = FOUND / f"{target.name}-varied"  # while it is made smaller each takes the place of the one before
        file.write_bytes(data)
        raise Finding(f"{type(error).__name__}: {error}\nagain: {how_to_run_again(target.name, file)}") from error


def inputs_of(target: Target) -> list[bytes]:
    """Return the corpus of a target, and the empty input."""
    return [b"", *(path.read_bytes() for path in target.corpus())]


def vary(targets: list[Target], seconds: float) -> int:
    """Run targets in turn for so long together; return 1 if one has found something."""
    found = 0
    for number, target in enumerate(targets, 1):
        until, tried = time.monotonic() + seconds / len(targets), 0
        try:
            while tried == 0 or time.monotonic() < until:
                progress.show(f"{number} of {len(targets)}: {target.name}: {tried} inputs")
                _some(target)
                tried += _AT_A_TIME
        except Finding as finding:
            found += 1
            progress.clear()
            print(f"{target.name}: {finding}")
    progress.clear()
    print(f"{len(targets)} targets, {found} with a finding")
    return 1 if found else 0


def _some(target: Target) -> None:
    @settings(
        max_examples=_AT_A_TIME,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(variants(inputs_of(target)))
    def run(data: bytes) -> None:
        check(target, data)

    run()
