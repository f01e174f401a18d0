"""A recorder with its thread and a file: what stands in it afterwards, and what a bad disk does to the loop."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Route
from edgecore.clock import SystemClock, VirtualClock
from edgecore.errors import RecordingError
from edgecore.ids import seeded_ids
from edgecore.recording.entries import (
    BusMessage,
    CloudFrame,
    Commit,
    ConnectionEvent,
    Direction,
    Loss,
    MqttDirection,
    MqttMessage,
    Note,
    ProxiedRequest,
    SessionHead,
    Snapshot,
)
from edgecore.recording.kinds import ALL, DEFAULT
from edgecore.recording.reader import read_entries
from edgecore.recording.recorder.recorder import STOP_S, Recorder
from edgecore.recording.redaction import Redactor
from edgecore.recording.watch import Watch
from edgecore.recording.writer import EntryWriter, open_writer


def recorder_of(path: Path, kinds: tuple[str, ...] = ALL, **options: Any) -> Recorder:
    return Recorder(path, kinds, clock=VirtualClock(), node="n1", program="edgecore 1", **options)


def frame(message_id: str, parent: str = "") -> bytes:
    return b'{"header":{"msg_id":"%s","parent_msg_id":"%s"},"content":{}}\n' % (message_id.encode(), parent.encode())


async def test_a_session_begins_with_its_head_and_ends_with_the_snapshot(tmp_path: Path) -> None:
    recorder = recorder_of(tmp_path / "s.jsonl", DEFAULT)
    await recorder.start()
    recorder.note("here")
    await recorder.stop({"rows": []})
    head, note, snapshot = read_entries(tmp_path / "s.jsonl")
    assert isinstance(head, SessionHead)
    assert (head.n, head.version, head.program, head.node, head.redacted) == (1, 2, "edgecore 1", "n1", False)
    assert isinstance(note, Note)
    assert (note.n, note.text) == (2, "here")
    assert isinstance(snapshot, Snapshot)
    assert snapshot.state == {"rows": []}
    assert (tmp_path / "s.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
async def test_the_name_says_how_it_is_packed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"s.jsonl{suffix}"
    recorder = recorder_of(path)
    await recorder.start()
    recorder.note("x" * 10_000)
    await recorder.stop()
    assert path.stat().st_size < 1000


async def test_entries_follow_from_the_message_they_belong_to(tmp_path: Path) -> None:
    watch, bus = Watch(), Bus(VirtualClock(), seeded_ids(1))
    hub, meta = bus.register("websocket", "hub"), bus.register("metaManager", "meta")
    recorder = recorder_of(tmp_path / "s.jsonl", watch=watch, bus=bus)
    await recorder.start()
    shown = [getattr(watch, name) for name in ("connection", "frame", "mqtt", "commit", "request")]
    connection, on_frame, mqtt, commit, request = cast("list[Callable[..., None]]", shown)
    connection(Direction.TO_CLOUD, 1, "open", tls="TLSv1.3")
    message = hub.build(Route("a", "b", "insert", "default/service/x"), {"a": 1})
    on_frame(Direction.TO_EDGE, 1, frame(message.header.id))
    await hub.send("metaManager", message)
    commit([("INSERT INTO provenance", ("default/service/x", message.header.id, 5, None, b"x"))])
    answer = meta.build(Route("a", "b", "response", "x"), "OK", message.header.id)
    await meta.send("websocket", answer)
    on_frame(Direction.TO_CLOUD, 1, frame(answer.header.id, message.header.id))
    mqtt(MqttDirection.OUT, "external", "t", b"\xff", answer.header.id)
    request(ProxiedRequest(0, 77, "c", "s", "http"))
    connection(Direction.TO_EDGE, 1, "eof", detail="bye")
    await recorder.stop()
    _head, *entries = read_entries(tmp_path / "s.jsonl")
    causes = {one.n: (type(one), one.causes) for one in entries}
    assert causes == {
        2: (ConnectionEvent, ()),
        3: (CloudFrame, ()),
        4: (BusMessage, (3,)),
        5: (Commit, (4,)),
        6: (BusMessage, (4,)),
        7: (CloudFrame, (6,)),
        8: (MqttMessage, (7,)),
        9: (ProxiedRequest, ()),
        10: (ConnectionEvent, (2,)),
    }
    assert entries[7].t_ns == 77
    assert not bus.taps
    assert watch.frame is watch.connection is watch.mqtt is watch.commit is watch.dns is watch.request is None


async def test_only_the_kinds_that_were_asked_for_are_shown(tmp_path: Path) -> None:
    watch, bus = Watch(), Bus(VirtualClock(), seeded_ids(1))
    recorder = recorder_of(tmp_path / "s.jsonl", ("text",), watch=watch, bus=bus)
    await recorder.start()
    assert watch.frame is not None
    assert watch.connection is watch.mqtt is watch.commit is watch.dns is watch.request is None
    assert not bus.taps
    recorder.fault("cut")
    await recorder.stop({"rows": []})
    assert [type(one) for one in read_entries(tmp_path / "s.jsonl")] == [SessionHead]


async def test_what_is_written_can_be_read_a_moment_later(tmp_path: Path) -> None:
    clock = VirtualClock()
    recorder = Recorder(tmp_path / "s.jsonl", ALL, clock=clock)
    await recorder.start()
    recorder.note("now")
    await clock.advance(0.2)
    while recorder.figures()["entries"] < 2 or recorder.figures()["waiting"]:
        await asyncio.sleep(0)
    await recorder.stop()
    assert recorder.figures()["bytes"] == (tmp_path / "s.jsonl").stat().st_size


async def test_a_file_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text("mine")
    with pytest.raises(RecordingError, match="name another, or remove it"):
        await recorder_of(path).start()
    assert path.read_text() == "mine"


async def test_a_place_where_nobody_can_write_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot write recording"):
        await recorder_of(tmp_path / "none" / "s.jsonl").start()


async def test_a_full_disk_ends_the_recording_and_not_the_node(tmp_path: Path) -> None:
    def open_full(path: Path) -> EntryWriter:
        return EntryWriter(path, Path("/dev/full").open("wb", 0))

    watch = Watch()
    recorder = recorder_of(tmp_path / "s.jsonl", watch=watch, open_file=open_full)
    await recorder.start()
    recorder.note("never written")
    recorder._wake()
    while recorder.is_on:
        await asyncio.sleep(0)
    assert "No space left" in recorder.failure
    assert watch.frame is None
    recorder.note("nor this")
    await recorder.stop({"rows": []})
    assert recorder.figures()["error"]


class _Slow:
    """A disk that answers when it is let."""

    def __init__(self, sink: Any) -> None:
        self.sink = sink
        self.let = threading.Event()
        self.asked = threading.Event()

    def write(self, data: bytes, /) -> int:
        self.asked.set()
        self.let.wait()
        return int(self.sink.write(data))

    def flush(self) -> None:
        self.sink.flush()

    def close(self) -> None:
        self.sink.close()


async def test_a_slow_disk_costs_entries_and_their_number_is_written(tmp_path: Path) -> None:
    slow: list[_Slow] = []

    def open_slow(path: Path) -> EntryWriter:
        slow.append(_Slow(path.open("wb")))
        return EntryWriter(path, slow[0])

    recorder = recorder_of(tmp_path / "s.jsonl", ("text",), open_file=open_slow, limit_bytes=20_000)
    await recorder.start()
    for number in range(100):
        recorder.frame(Direction.TO_EDGE, 1, frame(str(number), "x" * 500))
    lost = recorder.figures()["lost"]
    assert lost > 50
    slow[0].let.set()
    while recorder.figures()["entries"] < 101 - lost:
        await asyncio.sleep(0)
    recorder.frame(Direction.TO_EDGE, 1, frame("last"))
    await recorder.stop()
    *before, loss, last = read_entries(tmp_path / "s.jsonl")
    assert isinstance(loss, Loss)
    assert (loss.lost, loss.reason) == (lost, "the disk is too slow")
    assert isinstance(last, CloudFrame)
    assert len(before) == 101 - lost


async def test_a_disk_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    slow: list[_Slow] = []

    def open_slow(path: Path) -> EntryWriter:
        slow.append(_Slow(path.open("wb")))
        return EntryWriter(path, slow[0])

    clock = VirtualClock()
    recorder = Recorder(tmp_path / "s.jsonl", ("text",), clock=clock, open_file=open_slow)
    await recorder.start()
    stopping = asyncio.create_task(recorder.stop())
    await clock.advance(STOP_S + 0.1)
    await clock.advance(0.2)
    assert stopping.done()
    slow[0].let.set()
    while any(thread.name == "edgecore recorder" for thread in threading.enumerate()):
        await asyncio.sleep(0)
    await clock.advance(1)


async def test_secrets_are_replaced_on_the_way_to_the_file(tmp_path: Path) -> None:
    recorder = recorder_of(tmp_path / "s.jsonl", redactor=Redactor(b"k"))
    await recorder.start()
    recorder.note("password=hunter2")
    await recorder.stop()
    head, note = read_entries(tmp_path / "s.jsonl")
    assert isinstance(head, SessionHead)
    assert head.redacted
    assert isinstance(note, Note)
    assert note.text.startswith("password=redacted-")


async def test_what_cannot_become_an_entry_is_counted(tmp_path: Path) -> None:
    recorder = recorder_of(tmp_path / "s.jsonl", watch=(watch := Watch()))
    await recorder.start()
    assert watch.commit is not None
    watch.commit([("INSERT", (object(),))])
    recorder.note("still there")
    await recorder.stop()
    assert [type(one) for one in read_entries(tmp_path / "s.jsonl")] == [SessionHead, Note]
    assert recorder.lost == 1


async def test_whenever_the_file_is_handed_to_the_system_its_lines_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    copies: list[bytes] = []

    def open_copied(path: Path) -> EntryWriter:
        writer = open_writer(path)
        flush = writer.flush

        def flush_and_look() -> None:
            flush()
            copies.append(path.read_bytes())

        writer.flush = flush_and_look  # type: ignore[method-assign]
        return writer

    recorder = Recorder(path, ALL, clock=SystemClock(), open_file=open_copied)
    await recorder.start()
    for number in range(2000):
        recorder.note(f"{number} " * 50)
        if not number % 500:
            recorder._wake()
            await asyncio.sleep(0)
    await recorder.stop()
    assert copies
    for copy in copies:
        assert not copy or copy.endswith(b"\n")
