"""Text in columns: tables whose columns never get narrower, and blocks of lines aligned as by Go's tabwriter."""

from collections.abc import Iterable, Sequence

Row = Sequence[str]

_TABLE_MINIMUM = 6
_TABLE_PADDING = 3
_BLOCK_PADDING = 2


class Columns:
    """The columns of one table, which may come in pieces: what follows is aligned with what was there before.

    Widths are those of kubectl: three spaces between columns, six characters a column at least, the last one open.
    """

    def __init__(self) -> None:
        self._widths: list[int] = []

    def lines(self, rows: Iterable[Row]) -> list[str]:
        """Return the next rows as lines, without spaces at their ends."""
        cells = [[one_line(cell) for cell in row] for row in rows]
        for row in cells:
            self._widths += [_TABLE_MINIMUM] * (len(row) - len(self._widths))
            for column, cell in enumerate(row):
                self._widths[column] = max(self._widths[column], len(cell) + _TABLE_PADDING)
        return ["".join(cell.ljust(self._widths[n]) for n, cell in enumerate(row)).rstrip() for row in cells]


def aligned(rows: Sequence[Row]) -> str:
    """Return rows as lines in which cells stand under each other.

    A column goes on as long as each line has a cell in it that is not the line's last; the next one has a width of its
    own. Two spaces are between columns.
    """
    cells = [[one_line(cell) for cell in row] for row in rows]
    padded = [[""] * len(row) for row in cells]
    for column in range(max(map(len, cells), default=0)):
        begun: list[int] = []
        for number in range(len(cells) + 1):
            if number < len(cells) and column < len(cells[number]) - 1:
                begun.append(number)
                continue
            width = max((len(cells[line][column]) for line in begun), default=0) + _BLOCK_PADDING
            for line in begun:
                padded[line][column] = cells[line][column].ljust(width)
            begun.clear()
            if number < len(cells) and column == len(cells[number]) - 1:
                padded[number][column] = cells[number][column]
    return "\n".join("".join(row).rstrip() for row in padded)


def one_line(text: str) -> str:
    """Return text without anything that would move a terminal's cursor: each such character as its escape."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
