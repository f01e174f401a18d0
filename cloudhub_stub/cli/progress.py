"""How a replay is shown while it runs: one line that is written over on a terminal, else a line for each message."""

from typing import Any, TextIO

_WIDTH = 100
"""Longer live lines are cut: a line that wraps cannot be written over."""


class Progress:
    """Shows the events of a replay (``player.py``)."""

    def __init__(self, out: TextIO, *, live: bool) -> None:
        self._out = out
        self._live = live
        self._total = 0

    def show(self, event: dict[str, Any]) -> None:
        """Show one event; the text of a failure is left to the caller."""
        match event["event"]:
            case "planned":
                self._total = event["messages"]
                self._line(f"{event['messages']} messages to send, {event['skipped_answers']} answers left out")
            case "waiting":
                who = f"node {event['node']}" if event["node"] else "a node"
                self._line(f"waiting for {who} to connect, {event['wait_s']:g} s at most")
            case "started":
                self._line(f"playing to {event['node']}")
            case "acked" | "sent":
                self._message(event)
            case "left_out":
                self._line(
                    f"line {event['entry']}: {event['operation']} {event['resource']}  left out: {event['reason']}"
                )
            case "finished":
                self._summary(event)
            case "failed" if event["messages"]:
                self._summary(event)

    def _message(self, event: dict[str, Any]) -> None:
        done = f"{event['number']}/{self._total}"
        how = "acknowledged after" if event["event"] == "acked" else "sent in"
        text = f"{done:>9}  line {event['entry']}: {event['operation']} {event['resource']}  {how} {event['ms']:g} ms"
        if self._live:
            self._out.write(f"\r\x1b[K{text[:_WIDTH]}")
            self._out.flush()
        else:
            self._line(text)

    def _summary(self, event: dict[str, Any]) -> None:
        if self._live:
            self._out.write("\r\x1b[K")
        self._line(
            f"{event['sent']} of {event['messages']} messages sent, {event['acked']} acknowledged,"
            f" {event['skipped_answers']} answers left out, {event['seconds']:g} s"
        )

    def _line(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()
