"""What a person, a script or a file decides of a message that is held."""

import json
import os
import select
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from edgecore.errors import ContentError

Json = dict[str, Any]

GO = "go"
DROP = "drop"
EDIT = "edit"
QUIT = "quit"
OVER = "over"
"""Nothing is to be decided any more: it is held no longer."""

_WORDS = {"": GO, "g": GO, "go": GO, "d": DROP, "drop": DROP, "e": EDIT, "edit": EDIT, "q": QUIT, "quit": QUIT}
_LOOK_S = 0.5
"""How soon somebody who is asked is told that it is too late."""
_QUESTION = "go, drop, edit, or quit (everything goes on)? [g/d/e/q] "


class Decision(NamedTuple):
    """``then`` is one of the words above; ``message`` what goes on instead, with ``edit``."""

    then: str
    message: Json | None = None


Decide = Callable[[Json, Callable[[], bool]], Decision]
"""Takes the document of the held message, and what tells whether it is held still.

Raises ``ContentError`` where what was said makes no sense.
"""


def decision_of(text: str, original: Json) -> Decision:
    """Return what a line or a file says: ``go``, ``drop``, ``quit``, or JSON, a whole message or a content alone.

    Raises ``ContentError``.
    """
    word = _WORDS.get(text.strip().lower())
    if word is not None and word != EDIT:
        return Decision(word)
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ContentError(
            f"cannot understand {text.strip()[:40]!r}: neither go, drop nor quit, and no JSON ({error})"
        ) from None
    if isinstance(value, dict) and {"header", "route"} <= value.keys():
        return Decision(EDIT, value)
    return Decision(EDIT, {**original, "content": value})


def decided(then: str) -> Decide:
    """Return what decides always the same: ``go``, ``drop``, or the JSON of a file. Raises ``ContentError``."""
    if then in (GO, DROP):
        return lambda _original, _is_held: Decision(then)
    try:
        text = Path(then).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError(f"cannot read {then}: {error}; --then takes go, drop, or a file with JSON") from None
    decision_of(text, {})
    return lambda original, _is_held: decision_of(text, original)


def read_from(stream: TextIO) -> Decide:
    """Return what reads a decision a line; at the end of the stream it is ``quit``."""

    def decide(original: Json, _is_held: Callable[[], bool]) -> Decision:
        line = stream.readline()
        return decision_of(line, original) if line else Decision(QUIT)

    return decide


class Person:
    """Asks whoever sits at the terminal. Keeps what was edited but could not be taken, for the next try."""

    def __init__(self) -> None:
        self._original: Json | None = None
        self._draft = ""

    def __call__(self, original: Json, is_held: Callable[[], bool]) -> Decision:
        """See ``Decide``. Raises ``ContentError`` where the editor failed, and what ``is_held`` does."""
        while True:
            sys.stderr.write(_QUESTION)
            sys.stderr.flush()
            while not select.select([sys.stdin], [], [], _LOOK_S)[0]:
                if not is_held():
                    sys.stderr.write("\n")
                    return Decision(OVER)
            line = sys.stdin.readline()
            if not line:
                return Decision(QUIT)
            word = _WORDS.get(line.strip().lower())
            if word == EDIT:
                return Decision(EDIT, self._edited(original))
            if word is not None:
                return Decision(word)

    def _edited(self, original: Json) -> Json:
        if original != self._original:
            self._original, self._draft = original, json.dumps(original, indent=2, ensure_ascii=False) + "\n"
        self._draft = changed_by_editor(self._draft)
        return message_of(self._draft)


def message_of(text: str) -> Json:
    """Return the message that a person has written. Raises ``ContentError``."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ContentError(f"cannot take what was edited: it is no JSON ({error}); edit it again") from None
    if not (isinstance(value, dict) and {"header", "route"} <= value.keys()):
        raise ContentError("cannot take what was edited: it is no message; keep header, route and content")
    return value


def changed_by_editor(text: str) -> str:
    """Return what a person makes of ``text`` in ``$VISUAL`` or ``$EDITOR`` (``vi`` otherwise).

    Raises ``ContentError``: there is no such editor, or it failed.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="edgecore-tap-") as folder:  # mode 0700: nobody else reads it
        path = Path(folder) / "message.json"
        path.write_text(text, encoding="utf-8")
        try:
            subprocess.run([*shlex.split(command), str(path)], check=True)  # noqa: S603 - the user's own editor
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise ContentError(f"cannot edit the message with {command!r}: {error}") from None
