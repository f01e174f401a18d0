"""What a target is: a function of bytes that raises only on a finding, with its corpus and what it reads.

A target lets the errors pass that the parser documents, and checks what must hold of what it returns. So a finding is
an exception of another kind, or a check that fails.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

Run = Callable[[bytes], None]
Seeds = Callable[[], Iterable[bytes]]

CORPUS = Path(__file__).parent / "corpus"
LONGEST_BYTES = 32 * 1024
"""No input of a corpus is longer."""
_MARK = "_fuzz_target"


class Target(NamedTuple):
    """One parser, and who sends to it."""

    name: str
    run: Run
    faces: str
    """Whose bytes they are, for people."""
    reads: tuple[str, ...]
    """The modules whose parsing it tries."""
    seeds: Seeds
    """What a corpus begins with; nothing of it is left out by chance, so that it can be made again."""

    @property
    def directory(self) -> Path:
        """Where its corpus lies."""
        return CORPUS / self.name

    def corpus(self) -> list[Path]:
        """Return the files of its corpus, in the order of their names."""
        return sorted(self.directory.iterdir()) if self.directory.is_dir() else []


def target(*reads: str, faces: str, seeds: Seeds) -> Callable[[Run], Run]:
    """Make a function a target; its name, with dashes, is the target's."""

    def mark(run: Run) -> Run:
        setattr(run, _MARK, Target(run.__name__.replace("_", "-"), run, faces, reads, seeds))
        return run

    return mark


def targets_of(module: ModuleType) -> Iterator[Target]:
    """Yield the targets that are written in ``module``."""
    for _, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ == module.__name__ and hasattr(function, _MARK):
            yield getattr(function, _MARK)


def name_of(data: bytes) -> str:
    """Return the name of a file that holds ``data``: the same for the same bytes."""
    return sha256(data).hexdigest()[:16]


def finish(waiting: Any) -> Any:
    """Return what a coroutine returns that has all it needs and so never waits."""
    try:
        waiting.send(None)
    except StopIteration as end:
        return end.value
    waiting.close()
    raise AssertionError("it waits, although everything is there")
