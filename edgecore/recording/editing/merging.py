"""Several recordings as one, by time; what is remembered of each entry lies in a temporary file."""

import heapq
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self

from edgecore.errors import ContentError
from edgecore.recording.editing.streams import Numbered, outlines, with_keys
from edgecore.recording.entries import KEYS, VERSION, Link, SessionHead
from edgecore.recording.lines import line_of, parse_entry
from edgecore.recording.outline import Outline
from edgecore.recording.reader import placed

MAX_NUMBER = 2**40
"""The highest number of an entry that is merged: the temporary file has eight bytes for each."""

Read = Callable[[Path], Numbered]
"""How a file is read: ``read_lines``, with what else the caller wants to know of it."""

_Part = tuple[int, Outline, bytes]
"""Which file, and one line of it."""


def merged(paths: Sequence[Path], read: Read, *, is_one_session: bool = False) -> Iterator[bytes]:
    """Yield the lines of all ``paths``, by time; the order within each file stays.

    Parts of one session (their heads say so, or ``is_one_session``) keep their numbers and connections. Others get new
    numbers, in the order of the result, and connections of their own; causes follow. Raises ``ContentError``.
    """
    files = [_begun(read(path)) for path in paths]  # once: a pipe is not read twice
    heads = [head for head, _ in files]
    is_one = is_one_session or _are_one_session(heads)
    parts = heapq.merge(
        *(_parts(number, path, lines) for number, (path, (_, lines)) in enumerate(zip(paths, files, strict=True))),
        key=_moment,
    )
    if is_one:
        if any(heads):
            yield line_of(_joined([head for head in heads if head]))
        yield from (line for _, _, line in parts)
        return
    with ExitStack() as stack:
        tables = [stack.enter_context(NumberTable()) for _ in paths]
        yield from _renumbered(paths, parts, heads, tables)


def _renumbered(
    paths: Sequence[Path],
    parts: Iterable[_Part],
    heads: Sequence[SessionHead | None],
    tables: Sequence["NumberTable"],
) -> Iterator[bytes]:
    links = _Links()
    number = 1
    for file, outline, line in parts:
        if number == 1:
            yield line_of(_joined(heads, at_ns=outline.t_ns))
        number += 1
        table = tables[file]
        if outline.n:
            if not 0 < outline.n <= MAX_NUMBER:
                error = ContentError(f"number {outline.n}; at most {MAX_NUMBER} is merged")
                raise placed(paths[file], outline.line, error)
            table[outline.n] = number
        causes = [table[cause] for cause in outline.causes if 0 < cause <= MAX_NUMBER]
        keys: dict[str, object] = {"n": number, "causes": [cause for cause in causes if cause] or None}
        if outline.link is not None:
            keys["link"] = links.of(file, outline.link)
        try:
            yield with_keys(line, keys)
        except ContentError as error:
            raise placed(paths[file], outline.line, error) from error


def _parts(number: int, path: Path, lines: Numbered) -> Iterator[_Part]:
    for outline, line in outlines(path, lines):
        if outline.kind != "session":
            yield number, outline, line


def _moment(part: _Part) -> int:
    return part[1].t_ns


def _begun(lines: Numbered) -> tuple[SessionHead | None, Numbered]:
    """Return the head, where there is one, and all lines."""
    rest = iter(lines)
    for number, line in rest:
        entry = parse_entry(line, number) if b'"session"' in line else None
        return entry if isinstance(entry, SessionHead) else None, chain([(number, line)], rest)
    return None, ()


def _are_one_session(heads: Sequence[SessionHead | None]) -> bool:
    return None not in heads and len({(head.t_ns, head.program, head.node) for head in heads if head}) == 1


def _joined(heads: Sequence[SessionHead | None], *, at_ns: int | None = None) -> SessionHead:
    """Return the head of a session of several: its programs are all that are known, of nodes it has one or none."""
    known = [head for head in heads if head]
    programs = dict.fromkeys(head.program for head in known if head.program)
    nodes = dict.fromkeys(head.node for head in known if head.node)
    kinds = {kind for head in known for kind in head.kinds}
    return SessionHead(
        1,
        min([head.t_ns for head in known] + ([] if at_ns is None else [at_ns])),
        VERSION,
        ", ".join(programs),
        next(iter(nodes)) if len(nodes) == 1 else "",
        tuple(kind for kind in KEYS if kind in kinds),
        bool(known) and len(known) == len(heads) and all(head.redacted for head in known),
        n=1,
    )


class _Links:
    """New names for connections, where two files have the same one."""

    def __init__(self) -> None:
        self._new: dict[tuple[int, Link], Link] = {}
        self._taken: set[Link] = set()
        self._highest = 0

    def of(self, file: int, link: Link) -> Link:
        found = self._new.get((file, link))
        if found is None:
            found = link if link not in self._taken else self._free(file, link)
            self._new[file, link] = found
            self._taken.add(found)
            if isinstance(found, int):
                self._highest = max(self._highest, found)
        return found

    def _free(self, file: int, link: Link) -> Link:
        if isinstance(link, int):
            return self._highest + 1
        name = f"{link}/{file + 1}"
        while name in self._taken:
            name += "/"
        return name


class NumberTable:
    """Old number to new number, in a temporary file, so that no number of entries fills the memory."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed at the end of the with statement

    def __setitem__(self, old: int, new: int) -> None:
        os.pwrite(self._file.fileno(), new.to_bytes(8, "little"), old * 8)

    def __getitem__(self, old: int) -> int:
        """Return 0 where there is none."""
        return int.from_bytes(os.pread(self._file.fileno(), 8, old * 8), "little")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
