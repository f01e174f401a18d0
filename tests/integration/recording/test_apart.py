"""A recording that is written by a process of its own."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from edgecore.clock import SystemClock
from edgecore.recording.entries import CloudFrame, Direction, Note, SessionHead
from edgecore.recording.kinds import ALL
from edgecore.recording.reader import read_entries
from edgecore.recording.recorder.recorder import Recorder
from edgecore.recording.redaction import Redactor
from edgecore.recording.watch import Watch


def recorder_of(path: Path, **options: Any) -> Recorder:
    return Recorder(path, ALL, clock=SystemClock(), node="n1", apart=True, **options)


def children() -> list[int]:
    tasks = Path("/proc/self/task").iterdir()
    return [int(one) for task in tasks for one in (task / "children").read_text().split()]


async def test_the_file_is_the_same_as_without_and_no_process_is_left(tmp_path: Path) -> None:
    recorder = recorder_of(tmp_path / "s.jsonl", redactor=Redactor(b"k"), watch=(watch := Watch()))
    before = set(children())
    await recorder.start()
    assert watch.commit is not None
    watch.commit([("INSERT", (lambda: None,))])
    for number in range(3000):
        recorder.frame(Direction.TO_EDGE, 1, b'{"header":{"msg_id":"%d"},"content":"%s"}\n' % (number, b"x" * 1000))
    recorder.note("password=hunter2")
    await recorder.stop()
    head, *frames, note = read_entries(tmp_path / "s.jsonl")
    assert isinstance(head, SessionHead)
    assert len(frames) == 3000
    assert all(isinstance(one, CloudFrame) for one in frames)
    assert isinstance(note, Note)
    assert "hunter2" not in note.text
    figures = recorder.figures()
    assert (figures["entries"], figures["lost"], figures["error"]) == (3002, 1, "")
    assert figures["bytes"] == (tmp_path / "s.jsonl").stat().st_size
    assert set(children()) == before


async def test_a_writer_that_is_killed_ends_the_recording_and_not_the_node(tmp_path: Path) -> None:
    before = set(children())
    recorder = recorder_of(tmp_path / "s.jsonl", watch=(watch := Watch()))
    await recorder.start()
    (child,) = set(children()) - before
    os.kill(child, signal.SIGKILL)
    recorder.note("to nobody")
    while recorder.is_on:
        await asyncio.sleep(0.01)
    assert "the process that writes it has ended" in recorder.failure
    assert watch.frame is None
    await recorder.stop()
    assert set(children()) == before
