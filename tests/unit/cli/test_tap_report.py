"""Messages between modules as text."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.cli.tap_report import TapLines, passage_document

Json = dict[str, Any]


def passage(resource: str = "default/service/web", content: Any = None, **changes: Any) -> Json:
    header = {"msg_id": "1111-5c5e0c6d", "parent_msg_id": changes.pop("parent", ""), "timestamp": 1}
    route = {"source": "s", "group": "g", "operation": changes.pop("operation", "insert"), "resource": resource}
    message = json.dumps({"header": header, "route": route, "content": content})
    base = {"at_ms": 1_589_000_001_623, "from": "websocket", "to": "metaManager", "hop": 1, "micros": 0, "missed": 0}
    return {**base, "injected": False, "message": message, **changes}


def test_a_line_says_when_who_what_and_which() -> None:
    lines = TapLines()
    assert lines.line(passage()) == (
        "04:53:21.623  websocket    metaManager  insert     default/service/web                        5c5e0c6d"
    )
    assert lines.line(
        passage(**{"from": "metaManager", "to": "websocket"}, parent="zzabcdefgh", hop=2, micros=1234)
    ) == (
        "04:53:21.623  metaManager  websocket    insert     default/service/web             "
        "+1.2 ms    5c5e0c6d  <- abcdefgh"
    )


def test_columns_stand_under_each_other_and_never_get_narrower() -> None:
    lines = TapLines()
    long = "default/configmap/a-name-that-is-rather-long-indeed"
    rows = [lines.head(), *(lines.line(passage(name)) for name in ("default/service/web", long, "a"))]
    assert [row.find("5c5e0c6d") for row in rows[2:]] == [rows[2].find("5c5e0c6d")] * 2
    assert rows[0].split() == ["TIME", "FROM", "TO", "OPERATION", "RESOURCE", "AFTER", "ID"]


@pytest.mark.parametrize("width", [80, 92, 93, 103, 104, 120, 150])
def test_a_line_fits_into_the_terminal_where_there_are_80_columns(width: int) -> None:
    lines = TapLines(width=width)
    one = passage("default/podstatus/a-name-that-is-rather-long-indeed-88qt5", parent="p" * 36, hop=2, micros=999_900)
    rows = [lines.line(one), lines.head(), lines.line(one)]
    assert max(map(len, rows)) < width
    assert ("88qt5" in rows[0], "5c5e0c6d" in rows[0]) == (True, True)
    assert ("AFTER" in rows[1], "<-" in rows[0]) == (width >= 104, width >= 93)


def test_colours_change_nothing_else() -> None:
    one = passage(operation="delete", injected=True, parent="p", content={"a": 1})
    coloured = TapLines(colour=True, show_content=True).line(one)
    assert "\x1b[31mdelete\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == TapLines(show_content=True).line(one)


def test_a_message_that_a_person_made_is_marked() -> None:
    assert TapLines().line(passage(injected=True)).endswith("(by hand)")


def test_what_no_document_shows_is_shown_as_the_reason() -> None:
    assert TapLines().line(passage(message="cannot encode it")) == "websocket -> metaManager: cannot encode it"


def test_contents_stand_below_their_line() -> None:
    assert TapLines(show_content=True).line(passage(content={"a": [1]})).split("\n")[1:] == [
        *("    {", '      "a": [', "        1", "      ]", "    }")
    ]


def test_a_long_content_is_cut_and_says_so() -> None:
    rows = TapLines(show_content=True).line(passage(content=list(range(100)))).split("\n")
    assert rows[-1] == "    ... and 42 more lines"


@pytest.mark.parametrize("show_secrets", [False, True])
def test_secrets_are_hidden_unless_asked_for(show_secrets: bool) -> None:
    one = passage("default/secret/token", {"data": {"token": "Y2FuYXJ5"}})
    text = TapLines(show_content=True, show_secrets=show_secrets).line(one)
    held = TapLines(show_secrets=show_secrets).held({**one, "held": 1})
    document = json.dumps(passage_document(one, show_secrets))
    assert [("Y2FuYXJ5" in shown) for shown in (text, held, document)] == [show_secrets] * 3
    assert passage_document(passage("default/secret/token", "OK"), show_secrets)["message"]["content"] == "OK"


def test_a_held_message_is_shown_whole() -> None:
    rows = TapLines().held({**passage(content={"a": 1}), "held": 3}).split("\n")
    assert rows[0] == "held 3: insert default/service/web, from websocket to metaManager"
    assert json.loads("\n".join(rows[1:]))["content"] == {"a": 1}
    assert TapLines().ended(3, "timeout") == "held 3: went on, for nobody decided in time"


@given(st.text(), st.text(), st.text(), st.text())
def test_nothing_that_a_peer_sends_moves_the_cursor(resource: str, operation: str, parent: str, content: str) -> None:
    one = passage(resource, {content: content}, operation=operation, parent=parent)
    text = TapLines(show_content=True).line(one) + TapLines().held({**one, "held": 1})
    assert all(row.isprintable() for row in text.split("\n"))
