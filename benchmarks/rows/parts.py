"""The parts of a benchmark: one that fails is told, and the next goes on."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rows.figures import skip


class Parts:
    """Those that were chosen, and those that failed."""

    def __init__(self, chosen: Collection[str]) -> None:
        self._chosen = frozenset(chosen)
        self._failed: list[str] = []

    @classmethod
    def of(
        cls, wish: Collection[str] | None, known: Sequence[str], *, quick: bool, slow: Sequence[str] = ()
    ) -> "Parts":
        """Return those that are wished for, or all; with ``quick`` all but the ``slow`` ones, which is told."""
        if wish is None and quick and slow:
            skip(", ".join(slow), "slow, and left out by --quick")
            return cls([name for name in known if name not in slow])
        return cls(wish or known)

    def __contains__(self, name: str) -> bool:
        return name in self._chosen

    def any_of(self, *names: str) -> bool:
        """Return whether one of them was chosen."""
        return not self._chosen.isdisjoint(names)

    def run(self, works: Mapping[str, Callable[[], None]]) -> None:
        """Run those of ``works`` that were chosen, one after the other."""
        for name, work in works.items():
            if name in self:
                with self.one(name):
                    work()

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        """Run a part; what it raises is told, and goes no further."""
        try:
            yield
        except (Exception, SystemExit) as failure:
            self._failed.append(name)
            skip(name, f"failed: {str(failure) or type(failure).__name__}")

    def end(self) -> None:
        """Raise ``SystemExit`` if one failed."""
        if self._failed:
            raise SystemExit(f"cannot measure {', '.join(self._failed)}; what failed is told above")
