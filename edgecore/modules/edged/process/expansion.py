"""``$(VAR)`` in commands, arguments and variables (pure; kubernetes third_party/forked/golang/expansion).

A few short variables that name each other can stand for more than there is memory, so what comes out is bounded.
"""

import re
from collections.abc import Iterable, Mapping

LIMIT = 1 << 20
"""Characters of all variables of a container together, and of a command; Linux has room for about two of these."""
_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


def expand(text: str, variables: Mapping[str, str], room: int = LIMIT) -> str | None:
    """Return ``text`` with the values of variables; ``None`` if that is longer than ``room``.

    ``$$`` is a ``$``; a variable that is not there stays as it is.
    """
    end = text.rfind(")") + 1  # what begins after that ends nowhere, and is not to be looked for
    parts: list[str] = []
    at = 0
    for found in _REFERENCE.finditer(text, 0, end):
        name = found[1]
        value = "$" if name is None else variables.get(name, found[0])
        parts += text[at : found.start()], value
        at = found.end()
        room -= len(parts[-2]) + len(value)
        if room < 0:
            return None
    parts += text[at:end], text[end:].replace("$$", "$")
    return "".join(parts) if len(parts[-2]) + len(parts[-1]) <= room else None


def expand_all(words: Iterable[str], variables: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the words of a command expanded; ``None`` if they are longer than ``LIMIT`` together."""
    room, expanded = LIMIT, []
    for word in words:
        text = expand(word, variables, room)
        if text is None:
            return None
        expanded.append(text)
        room -= len(text)
    return tuple(expanded)
