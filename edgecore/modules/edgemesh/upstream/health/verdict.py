"""What a row of checks says of a host (pure): so many of one kind in a row turn it."""


class Verdict:
    """``well`` is ``None`` until there were enough checks of one kind in a row."""

    __slots__ = ("_in_a_row", "_last", "well")

    def __init__(self) -> None:
        self.well: bool | None = None
        self._last = False
        self._in_a_row = 0

    def enter(self, passed: bool, rise: int, fall: int) -> bool:
        """Enter the result of a check; say whether the verdict is another one now."""
        self._in_a_row = self._in_a_row + 1 if passed == self._last else 1
        self._last = passed
        if passed == self.well or self._in_a_row < (rise if passed else fall):
            return False
        self.well = passed
        return True
