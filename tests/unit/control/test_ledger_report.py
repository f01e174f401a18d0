"""The ledger as text: counts by direction, reasons, what is unexplained, what was dropped."""

from edgecore.beehive.message import Header, Message, Route
from edgecore.control.ledger_report import exit_code, ledger_report
from edgecore.observe.ledger import DOWN, DROPPED, UP, Ledger


def _message(message_id: str) -> Message:
    return Message(Header(message_id), Route("edged", "meta", "update", "default/pod\x1b[2J"))


def test_a_book_in_order_says_so() -> None:
    view = Ledger(lambda: 0.0).view()
    assert exit_code(view) == 0
    assert ledger_report(view).splitlines() == [
        "DIRECTION    OPENED  DELIVERED  ACKNOWLEDGED  SUPERSEDED  COALESCED  DROPPED  UNDER WAY",
        "edge->cloud       0          0             0           0          0        0          0",
        "cloud->edge       0          0             0           0          0        0          0",
        "",
        "unexplained: 0 (every message is accounted for)",
    ]


def test_what_is_unexplained_and_what_was_dropped_is_named_and_obeyed_by_no_terminal() -> None:
    now = [0.0]
    ledger = Ledger(lambda: now[0], capacity=2)
    for number in range(3):
        ledger.open(UP, _message(f"m{number}"), "node-a")
    ledger.record(DOWN, _message("d"), DROPPED, "unknown_group")
    now[0] = 100.0
    text = ledger_report(ledger.view())
    assert exit_code(ledger.view()) == 3
    assert text.splitlines()[3:] == [
        "cloud->edge, dropped: unknown_group 1",
        "",
        "unexplained: 3",
        "  1 of them were forgotten, for there were too many under way",
        "  node-a edge->cloud edged update default/pod\\x1b[2J m1, for 100.0 s",
        "  node-a edge->cloud edged update default/pod\\x1b[2J m2, for 100.0 s",
        "",
        "under way for longest:",
        "  node-a edge->cloud edged update default/pod\\x1b[2J m1, for 100.0 s",
        "  node-a edge->cloud edged update default/pod\\x1b[2J m2, for 100.0 s",
        "",
        "dropped lately:",
        "  cloud->edge edged update default/pod\\x1b[2J d: unknown_group",
    ]


def test_what_was_put_on_the_bus_by_hand_is_named() -> None:
    ledger = Ledger(lambda: 0.0)
    ledger.inject("edgemesh", _message("m1"))

    lines = ledger_report(ledger.view()).splitlines()

    at = lines.index("put on the bus by hand: 1; lately:")
    assert lines[at + 1].split()[:2] == ["edgemesh", "update"]
    assert "\x1b" not in lines[at + 1]
