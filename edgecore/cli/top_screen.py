"""The figures of ``edgecore top`` as a screen of a given height, and as text."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgecore.cli.top_figures import Figures, ModuleFigures, ServiceFigures, Trouble
from edgecore.control.ages import time_of_day
from edgecore.control.columns import one_line
from edgecore.timespans import duration

WIDTH = 120
"""Where the output is no terminal."""
_TROUBLES_SHOWN = 6
_TROUBLES_IN_LITTLE = 3
_LITTLE = 30
"""Lines of a terminal that is low."""
_REASONS_SHOWN = 3
_LEAST_SERVICES = 3
_BETWEEN = 2
_GOOD, _BAD, _QUIET = "green", "bold red", "dim"


def screen(
    shown: Figures, troubles: Sequence[Trouble], *, height: int | None, width: int = WIDTH, note: str = ""
) -> RenderableType:
    """Return the screen. Services that do not fit into ``height`` lines are counted; ``None``: all have room.

    ``note`` says that the node cannot be reached any more; the figures are the last ones then.
    """
    head = [*_title(shown, note), *_link(shown), *_traffic(shown), *_reasons(shown)]
    latest = list(troubles)[-(_TROUBLES_SHOWN if height is None or height >= _LITTLE else _TROUBLES_IN_LITTLE) :]
    foot = [Text("\nlately", style="bold"), *map(_trouble, latest)] if latest else []
    modules = _modules(shown.modules, width)
    most = None
    if height is not None:
        # The titles of both tables, the lines before them, and the one that says how many are left out.
        taken = len(head) + len(shown.modules) + len(latest) + 2 * bool(latest) + 5
        most = max(_LEAST_SERVICES, height - taken)
    return Group(*head, Text(), modules, *_services(shown.services, most, width), *foot)


def text(shown: Figures, troubles: Sequence[Trouble], width: int = WIDTH, note: str = "") -> str:
    """Return the screen as plain text, with all services."""
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(screen(shown, troubles, height=None, width=width, note=note))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _title(shown: Figures, note: str) -> Iterator[Text]:
    state = ("away", _BAD) if note else (shown.state, _GOOD if shown.state == "ok" else _BAD)
    title = Text.assemble(
        ("node ", "bold"), (one_line(shown.node), "bold"), "  ", state, f"  edgecore {shown.version}", no_wrap=True
    )
    title.append(f"  up {duration(shown.uptime_s)}")
    if shown.held:
        title.append(f"  {shown.held} held (edgecore tap --break)", "bold yellow")
    title.overflow = "ellipsis"
    yield title
    if note:
        yield Text(f"  {one_line(note)}", style=_BAD, no_wrap=True, overflow="ellipsis")


def _link(shown: Figures) -> Iterator[Text]:
    link = shown.link
    if not link:
        return
    state = str(link.get("state", "?"))
    line = _line("link      ").append(state, _GOOD if state == "connected" else _BAD)
    line.append(f", {_rate(shown.link_received_s)}/s in, {_rate(shown.link_sent_s)}/s out")
    line.append(f"; {link.get('outbox', 0)} in the outbox, {shown.under_way} under way, ")
    yield line.append(f"{shown.unexplained} unexplained", _BAD if shown.unexplained else "")


def _traffic(shown: Figures) -> Iterator[Text]:
    told = ", ".join(f"{_rate(a_second)}/s {name.replace('_', ' ')}" for name, a_second in shown.queries.items())
    line = _line("names     ").append(f"{_rate(sum(shown.queries.values()))}/s, {shown.queries_all} in all")
    yield line.append(f" ({one_line(told)})" if told else "")
    line = _line("requests  ").append(f"{_rate(shown.requests_s)}/s, {shown.requests_all} in all, ")
    line.append(f"{shown.errors_all} failed", _BAD if shown.errors_all else "")
    yield line.append(f", {shown.connections} connections")
    line = _line("database  ").append(f"{_rate(shown.commits_s)} commits/s, ")
    yield line.append(f"{shown.store_waiting} writes waiting", "yellow" if shown.store_waiting else "")


def _line(title: str) -> Text:
    return Text(no_wrap=True, overflow="ellipsis").append(title, "bold")


def _reasons(shown: Figures) -> Iterator[Text]:
    for reason in shown.reasons[:_REASONS_SHOWN]:
        yield Text(f"  because {one_line(reason)}", style=_BAD, no_wrap=True, overflow="ellipsis")
    if len(shown.reasons) > _REASONS_SHOWN:
        yield Text(f"  and {len(shown.reasons) - _REASONS_SHOWN} more reasons (edgecore status)", style=_BAD)


class _Column(NamedTuple):
    title: str
    rank: int
    """Where the terminal is narrow, columns of a higher rank are left out first."""
    is_number: bool = False
    least: int = 0
    """How narrow a text may become before columns are left out; 0: as long as it is."""


_OF_MODULES = (
    _Column("module", 0, least=12),
    _Column("state", 1),
    _Column("waiting", 2, is_number=True),
    _Column("in/s", 3, is_number=True),
    _Column("out/s", 4, is_number=True),
    _Column("lay", 5, is_number=True),
    _Column("restarts", 7, is_number=True),
    _Column("dropped", 6, is_number=True),
    _Column("last error", 8, least=12),
)
_OF_SERVICES = (
    _Column("service", 0, least=20),
    _Column("fake IP", 1),
    _Column("ports", 3),
    _Column("backends", 2, is_number=True),
    _Column("requests/s", 4, is_number=True),
    _Column("failed/s", 5, is_number=True),
    _Column("requests", 6, is_number=True),
)


def _modules(modules: Iterable[ModuleFigures], width: int) -> Table:
    rows = []
    for one in modules:
        fullness = one.depth / one.capacity if one.capacity else 0.0
        row = (
            one.name,
            Text(one.state, style=_GOOD if one.state == "running" else _BAD),
            Text(f"{one.depth}/{one.capacity}", style=_BAD if fullness > 0.5 else "yellow" if one.depth else _QUIET),
            _rate(one.received_s),
            _rate(one.sent_s),
            f"{one.waited_ms:.1f} ms",
            str(one.restarts or ""),
            str(one.dropped or ""),
            Text(one_line(one.error), style=_BAD),
        )
        rows.append(row)
    return _table(_OF_MODULES, rows, width)


def _services(services: Sequence[ServiceFigures], most: int | None, width: int) -> Iterable[RenderableType]:
    if not services:
        return
    yield Text()
    rows = []
    for one in services[:most]:
        row = (
            Text(one_line(one.name), style="" if one.is_well else _BAD),
            one.fake_ip,
            one.ports,
            Text(f"{one.backends_in}/{one.backends}", style="" if one.is_well else _BAD),
            _rate(one.requests_s),
            Text(_rate(one.errors_s), style=_BAD if one.errors_s else ""),
            str(one.requests or ""),
        )
        rows.append(row)
    yield _table(_OF_SERVICES, rows, width)
    if most is not None and len(services) > most:
        yield Text(f"and {len(services) - most} more services", style=_QUIET)


def _trouble(trouble: Trouble) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{time_of_day(trouble.at_ms)[:8]}  ", _QUIET)
    return line.append(one_line(trouble.text), _BAD if trouble.is_error else "")


def _table(columns: Sequence[_Column], rows: Sequence[Sequence[Text | str]], width: int) -> Table:
    """Return a table with as many of ``columns`` as have room in ``width``."""
    full = [max(len(column.title), *(len(row[n]) for row in rows), 0) for n, column in enumerate(columns)]
    wide = [min(length, column.least or length) for length, column in zip(full, columns, strict=True)]
    order = sorted(range(len(columns)), key=lambda n: columns[n].rank)
    while (left := width - sum(wide[n] + _BETWEEN for n in order) + _BETWEEN) < 0 and len(order) > 1:
        order.pop()
    table = Table(box=None, pad_edge=False, padding=(0, _BETWEEN, 0, 0))
    shown = sorted(order)
    for n in shown:
        more = min(max(0, left), full[n] - wide[n])
        left -= more
        justify: Literal["left", "right"] = "right" if columns[n].is_number else "left"
        title = columns[n].title.upper()
        table.add_column(title, justify=justify, no_wrap=True, overflow="ellipsis", max_width=wide[n] + more)
    for row in rows:
        table.add_row(*(row[n] for n in shown))
    return table


def _rate(value: float) -> str:
    if value >= 9.95 or value == 0:
        return f"{value:.0f}"
    return f"{value:.1f}"
