"""The delivery ledger of a process as text for people, and the exit code that says whether it is in order."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgecore.control.columns import one_line

Json = Mapping[str, Any]

OUTCOMES_EXPLAINED = """\
outcomes:
  delivered     the other side has it and owes nothing for it; of these, "unproven" were
                written, and nothing said afterwards that they were read, "no_answer"
                were read, and whoever asked did not wait for the answer any longer,
                "answer" came for somebody who waited, "keepalive" needs no proof
  acknowledged  the other side answered it, or we acknowledged it
  superseded    a newer state of the same thing took its place
  coalesced     it was there already
  dropped       it went nowhere, for the reason that is given
  under way     none of these yet: written and not proven to be read (up to some seconds),
                or it waits for the other side"""
"""The words of the ledger, for the help texts of those who show it."""

UNEXPLAINED = 3
"""The exit code where a message cannot be accounted for."""

_COLUMNS = ("opened", "delivered", "acknowledged", "superseded", "coalesced", "dropped", "under_way")


def exit_code(view: Json) -> int:
    """Return 0, or ``UNEXPLAINED``."""
    return UNEXPLAINED if view.get("unexplained") else 0


def ledger_report(view: Json) -> str:
    """Return the text of ``Ledger.view``."""
    return "\n".join(_lines(view))


def _lines(view: Json) -> Iterator[str]:
    directions: Mapping[str, Json] = view.get("directions") or {}
    rows = [["DIRECTION", *(column.upper().replace("_", " ") for column in _COLUMNS)]]
    rows += [[name, *(str(one.get(column, 0)) for column in _COLUMNS)] for name, one in directions.items()]
    yield from _aligned(rows)
    for name, one in directions.items():
        for outcome, reasons in (one.get("reasons") or {}).items():
            told = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
            yield f"{name}, {outcome}: {told}"
    yield ""
    unexplained = view.get("unexplained", 0)
    yield f"unexplained: {unexplained}" + ("" if unexplained else " (every message is accounted for)")
    if view.get("forgotten"):
        yield f"  {view['forgotten']} of them were forgotten, for there were too many under way"
    for message in view.get("unexplained_messages") or ():
        yield f"  {_message(message)}, for {message.get('age_s')} s"
    under_way: Sequence[Json] = view.get("under_way_messages") or ()
    if under_way:
        yield ""
        yield "under way for longest:"
        yield from (f"  {_message(message)}, for {message.get('age_s')} s" for message in under_way[:5])
    fired: Mapping[str, int] = (view.get("faults") or {}).get("counts") or {}
    if any(fired.values()):
        yield ""
        yield f"faults on demand: {', '.join(f'{fault} {count}' for fault, count in fired.items() if count)}"
    if view.get("injected"):
        yield ""
        yield f"put on the bus by hand: {view['injected']}; lately:"
        yield from (f"  {_by_hand(message)}" for message in (view.get("recently_injected") or ())[-20:])
    drops: Sequence[Json] = view.get("recently_dropped") or ()
    if drops:
        yield ""
        yield "dropped lately:"
        yield from (f"  {_message(message)}: {message.get('reason')}" for message in drops[-20:])


def _message(message: Json) -> str:
    node = f"{message['node']} " if message.get("node") else ""
    words = (message.get(key) for key in ("direction", "source", "operation", "resource", "id"))
    return one_line(f"{node}{' '.join(str(word) for word in words)}")


def _by_hand(message: Json) -> str:
    return one_line(" ".join(str(message.get(key)) for key in ("to", "operation", "resource", "id")))


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        yield "  ".join([first.ljust(widths[0]), *(map(str.rjust, rest, widths[1:]))])
