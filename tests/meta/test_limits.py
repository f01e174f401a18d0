"""The page of limits says what the code and the settings say, and names tests that are there."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "limits.md"
SETTINGS = ROOT / "docs" / "reference" / "settings.md"
_IN_TICKS = re.compile(r"`([^`]+)`")


class Row(NamedTuple):
    """One line of the page."""

    bounds: list[str]
    limits: list[str]
    outcome: str
    tests: list[str]


def rows() -> list[Row]:
    found = []
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 5 and cells[0] not in ("what comes", "---"):
            bounds, tests = _IN_TICKS.findall(cells[1]), _IN_TICKS.findall(cells[4])
            found.append(Row(bounds, cells[2].split("; ") if bounds else [], cells[3], tests))
    return found


def value_of(name: str) -> Any:
    """Return what a constant (``path:NAME``) or a setting (``a.b.c``) is."""
    path, _, constant = name.partition(":")
    return _constants(ROOT / path)[constant] if constant else _setting(name)


def _setting(name: str) -> Any:
    section, _, key = name.rpartition(".")
    text = SETTINGS.read_text().partition(f"### `{section}`\n")[2].partition("\n### ")[0]
    match = re.search(rf"^\| `{key}` \| `([^`]+)` \| ([^|]+) \|", text, re.MULTILINE)
    assert match is not None, f"{name} is no setting"
    number = float(match[1]) if "." in match[1] else int(match[1])
    return f"{number:g} s" if "seconds" in match[2] else number


@cache
def _constants(path: Path) -> dict[str, Any]:
    """Return the numbers that a file gives names, read and not run: one of them needs libraries that are not here."""
    found: dict[str, Any] = {}
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value):
                found[name] = _number(value)
            case ast.Assign(targets=[ast.Name(name)], value=value):
                found[name] = _number(value)
            case ast.Assign(targets=[ast.Tuple(names)], value=ast.Tuple(values)):
                found |= {
                    name.id: _number(value)
                    for name, value in zip(names, values, strict=True)
                    if isinstance(name, ast.Name)
                }
    return found


def _number(value: ast.expr) -> Any:
    """Return what sizes are written as: a number, or a product or a shift of numbers."""
    match value:
        case ast.Constant(number):
            return number
        case ast.BinOp(left, ast.Mult(), right):
            return _number(left) * _number(right)
        case ast.BinOp(left, ast.LShift(), right):
            return _number(left) << _number(right)
    return None


def shown(name: str, value: Any) -> str:
    """Return a value as the page has it."""
    if isinstance(value, str):
        return value
    is_bytes = re.search(r"(BYTES|Bytes|bytes|_MAX_SIZE_LINE|processLogSize)$", name) is not None
    if name.endswith("_S"):
        return f"{value:g} s"
    if is_bytes and value % 2**20 == 0:
        return f"{value // 2**20:,} MiB"
    if is_bytes and value % 2**10 == 0:
        return f"{value // 2**10:,} KiB"
    return f"{value:,} bytes" if is_bytes else f"{value:,}"


def test_every_limit_on_the_page_is_that_of_the_code_or_the_settings() -> None:
    found = rows()
    assert len(found) > 50
    wrong = [
        f"{name} is {shown(name, value_of(name))}, the page says {said}"
        for row in found
        for name, said in zip(row.bounds, row.limits, strict=True)
        if shown(name, value_of(name)) != said
    ]
    assert wrong == []


def test_every_word_that_is_counted_stands_in_the_code() -> None:
    code = "\n".join(path.read_text() for top in ("edgecore", "cloudhub_stub") for path in (ROOT / top).rglob("*.py"))
    words = {word for row in rows() for word in _IN_TICKS.findall(row.outcome) if re.fullmatch("[a-z_]+", word)}
    assert [word for word in sorted(words) if f'"{word}"' not in code and f"    {word}: int" not in code] == []


def test_every_test_that_the_page_names_is_there() -> None:
    named = [(row.tests[at], row.tests[at + 1]) for row in rows() for at in range(0, len(row.tests), 2)]
    assert len(named) > 50
    missing = [f"{path} {name}" for path, name in named if f"def {name}(" not in (ROOT / "tests" / path).read_text()]
    assert missing == []
