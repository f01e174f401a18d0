"""The steps of a scenario: what is to happen, and when (pure values)."""

from typing import NamedTuple

from cloudhub_stub.faults.spec import FaultSpec, Watch, describe_watch


class At(NamedTuple):
    """So many seconds after the start of the stub."""

    seconds: float

    def __str__(self) -> str:
        return f"{self.seconds:g} s after the start"


class Connected(NamedTuple):
    """When a node has connected, for the first or the n-th time."""

    node: str
    nth: int
    wait_s: float

    def __str__(self) -> str:
        often = "" if self.nth == 1 else f" (time {self.nth})"
        return f"{_after(self.wait_s)} {self.node} has connected{often}"


class Messages(NamedTuple):
    """When so many messages have passed."""

    watch: Watch
    wait_s: float

    def __str__(self) -> str:
        return f"{_after(self.wait_s)} {describe_watch(self.watch)}"


When = At | Connected | Messages


class Step(NamedTuple):
    """One fault and its moment."""

    place: str
    """Such as ``document 1, step 2``."""
    when: When
    fault: FaultSpec


def _after(wait_s: float) -> str:
    return f"{wait_s:g} s after" if wait_s else "after"
