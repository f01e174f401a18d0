"""Lines of recordings on their way from one file to another: as they are, numbered, or without secrets."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from edgecore.errors import ContentError
from edgecore.recording.entries import VERSION, Entry, SessionHead
from edgecore.recording.lines import line_of, parse_entry
from edgecore.recording.outline import Outline, outline_of
from edgecore.recording.reader import placed
from edgecore.recording.selection import Selection

Numbered = Iterable[tuple[int, bytes]]
"""Lines with their numbers, as ``read_lines`` yields them."""

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def outlines(path: Path, lines: Numbered) -> Iterator[tuple[Outline, bytes]]:
    """Yield each line with its outline. Raises ``ContentError``, which names ``path`` and the line."""
    for number, line in lines:
        try:
            outline = outline_of(line, number)
        except ContentError as error:
            raise placed(path, number, error) from error
        yield outline, line


def selected(path: Path, lines: Numbered, selection: Selection) -> Iterator[bytes]:
    """Yield the lines that are meant, as they are."""
    selector = selection.begin()
    for outline, line in outlines(path, lines):
        if selector.takes_outline(outline):
            yield line
        elif selector.is_over:
            return


def changed(path: Path, lines: Numbered, change: Callable[[Entry], Entry]) -> Iterator[bytes]:
    """Yield the lines of the changed entries; keys that are not of the format are gone."""
    for number, line in lines:
        try:
            yield line_of(change(parse_entry(line, number)))
        except ContentError as error:
            raise placed(path, number, error) from error


def upgraded(path: Path, lines: Numbered) -> Iterator[bytes]:
    """Yield the lines as ones of version 2: a head before them, and each with the number of its line behind the head.

    What is of version 2 already stays as it is.
    """
    number, is_ours = 0, False
    for outline, line in outlines(path, lines):
        if not number:
            is_ours = outline.kind == "session"
            if not is_ours:
                number = 1
                yield line_of(SessionHead(1, outline.t_ns, VERSION, n=1))
        number += 1
        if is_ours:
            yield line
            continue
        try:
            yield with_keys(line, {"n": number})
        except ContentError as error:
            raise placed(path, outline.line, error) from error


def with_keys(line: bytes, keys: dict[str, object]) -> bytes:
    """Return ``line`` with other values for these keys; ``None`` takes one away. The rest stays to the byte.

    Raises ``ContentError`` where a key, which nobody has looked at, is no text.
    """
    try:
        fields = _decode(line)
    except (ValueError, RecursionError) as error:
        raise ContentError(f"not an entry: {error}") from error
    for key, value in keys.items():
        if value is None:
            fields.pop(key, None)
        else:
            fields[key] = msgspec.Raw(_encode(value))
    return _encode(fields) + b"\n"
