"""Messages between modules as text for people: one line each, aligned, coloured; a held one whole (pure)."""

import json
from typing import Any

from edgecore.control.ages import time_of_day
from edgecore.control.columns import one_line

Json = dict[str, Any]

_ID_SHOWN = 8
"""Of its end: ids of one program begin alike."""
_PARENT_HEAD = "<- "
_CONTENT_LINES = 60
_RESET = "\x1b[0m"
_DIM, _BOLD = "2", "1"
_MODULES = {
    "websocket": "36",
    "metaManager": "34",
    "edgemesh": "35",
    "edged": "32",
    "twin": "33",
    "eventbus": "96",
    "servicebus": "94",
}
_OPERATIONS = {"insert": "32", "update": "33", "delete": "31", "error": "1;31", "response": _DIM, "keepalive": _DIM}
_WIDTHS = {"from": 11, "to": 11, "operation": 9, "resource": 30, "after": 9}
"""Of the columns at first; they never get narrower."""
_WIDEST = 60
_LEAST_RESOURCE = 18
_REST = 86
"""What a line has beside the resource: so narrower terminals do without AFTER, and then without the answered id."""
_AFTER_TAKES = 11
_PARENT_TAKES = 13


class TapLines:
    """Makes the lines of one tap. ``show_content`` adds the content below each line, as JSON.

    ``width`` is that of the terminal, and may change: what does not fit is left out; ``None``: everything is shown.
    """

    def __init__(
        self,
        *,
        colour: bool = False,
        show_content: bool = False,
        show_secrets: bool = False,
        width: int | None = None,
    ) -> None:
        self.width = width
        self._colour = colour
        self._show_content = show_content
        self._show_secrets = show_secrets
        self._widths = dict(_WIDTHS)

    def head(self) -> str:
        """Return the titles of the columns."""
        cells = ("from", "to", "operation", "resource", *(("after",) if self._has_after else ()))
        titles = (self._cell(name, name.upper(), _BOLD) for name in cells)
        return f"{self._painted('TIME'.ljust(12), _BOLD)}  {'  '.join(titles)}  {self._painted('ID', _BOLD)}"

    def line(self, passage: Json) -> str:
        """Return what there is to see of one passage, without a newline at its end."""
        document = parsed(passage["message"])
        if document is None:
            return one_line(f"{passage['from']} -> {passage['to']}: {passage['message']}")
        header, route = document["header"], document["route"]
        sender, receiver = passage["from"] or "?", passage["to"]
        after = f"+{_millis(passage.get('micros', 0))}" if passage.get("hop", 1) > 1 else ""
        cells = (
            self._cell("from", sender, _MODULES.get(sender, "")),
            self._cell("to", receiver, _MODULES.get(receiver, "")),
            self._cell("operation", route["operation"], _OPERATIONS.get(route["operation"], "")),
            self._cell("resource", route["resource"], ""),
            *((self._cell("after", after, _DIM),) if self._has_after else ()),
        )
        line = f"{self._painted(time_of_day(passage['at_ms']), _DIM)}  {'  '.join(cells)}  {self._identity(header)}"
        if passage.get("injected"):
            line += self._painted("  (by hand)", "1;33")
        if self._show_content:
            line += "".join(f"\n{self._painted(row, _DIM)}" for row in self._content(document))
        return line

    def missed(self, number: int) -> str:
        """Return the line that says how many messages came too fast."""
        return self._painted(f"({number} messages came too fast to be shown)", _BOLD)

    def held(self, held: Json) -> str:
        """Return a held message whole."""
        document = parsed(held["message"])
        route = (document or {}).get("route", {})
        what = f"{route.get('operation', '?')} {route.get('resource', '?')}"
        title = f"held {held['held']}: {what}, from {held['from'] or '?'} to {held['to']}"
        lines = [self._painted(one_line(title), "1;33")]
        if document is None:
            return "\n".join([*lines, one_line(held["message"])])
        return "\n".join([*lines, *_json_lines(concealed(document, self._show_secrets))])

    def ended(self, number: int, how: str) -> str:
        """Return the line that says how a hold ended."""
        return self._painted(f"held {number}: {_ENDINGS.get(how, how)}", _DIM)

    def _identity(self, header: Json) -> str:
        parent = one_line(header.get("parent_msg_id") or "")[-_ID_SHOWN:]
        text = one_line(header["msg_id"])[-_ID_SHOWN:]
        if not parent or not self._has_parent:
            return text
        return f"{text.ljust(_ID_SHOWN)}  {self._painted(_PARENT_HEAD + parent, _DIM)}"

    @property
    def _has_after(self) -> bool:
        return self.width is None or self.width >= _REST + _LEAST_RESOURCE

    @property
    def _has_parent(self) -> bool:
        return self.width is None or self.width >= _REST - _AFTER_TAKES + _LEAST_RESOURCE

    def _widest(self, column: str) -> int:
        """Return how wide a column may be."""
        if self.width is None or column != "resource":
            return _WIDEST
        left_out = _AFTER_TAKES * (not self._has_after) + _PARENT_TAKES * (not self._has_parent)
        return max(_LEAST_RESOURCE, min(_WIDEST, self.width - _REST + left_out))

    def _content(self, document: Json) -> list[str]:
        content = concealed(document, self._show_secrets)["content"]
        return [f"    {row}" for row in _json_lines(content)]

    def _cell(self, column: str, text: str, colour: str) -> str:
        text, widest = one_line(text), self._widest(column)
        width = self._widths[column] = max(self._widths[column], min(len(text), _WIDEST))
        if self.width is not None and len(text) > widest:
            text = f"{text[: widest // 2 - 1]}…{text[-(widest - widest // 2) :]}"
        return self._painted(text, colour) + " " * (min(width, widest) - len(text))

    def _painted(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}{_RESET}" if self._colour and colour and text else text


_ENDINGS = {
    "go": "went on",
    "drop": "dropped",
    "edit": "went on, changed",
    "timeout": "went on, for nobody decided in time",
    "hung_up": "went on, for nobody listens any more",
    "stopping": "went on, for the node is stopping",
}


def parsed(text: str) -> Json | None:
    """Return the document of a message; ``None`` where the node could not make one, and says why instead."""
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) and {"header", "route"} <= document.keys() else None


def concealed(document: Json, show_secrets: bool) -> Json:
    """Return a message without its content where that is a Secret, unless ``show_secrets``."""
    parts = str(document["route"].get("resource", "")).split("/")
    if show_secrets or "secret" not in parts or document.get("content") in (None, "OK"):
        return document
    size = len(json.dumps(document["content"]))
    return {**document, "content": f"<hidden: {size} bytes>"}


def passage_document(passage: Json, show_secrets: bool) -> Json:
    """Return a passage, or a hold, as a program wants it: its message no text but an object."""
    document = parsed(passage["message"])
    return {**passage, "message": passage["message"] if document is None else concealed(document, show_secrets)}


def _json_lines(value: Any) -> list[str]:
    rows = json.dumps(value, indent=2, ensure_ascii=False).split("\n")
    left_out = len(rows) - _CONTENT_LINES
    shown = [one_line(row) for row in rows[:_CONTENT_LINES]]
    return [*shown, f"... and {left_out} more lines"] if left_out > 0 else shown


def _millis(micros: int) -> str:
    return f"{micros / 1000:.1f} ms" if micros < 10_000_000 else f"{micros / 1_000_000:.1f} s"
