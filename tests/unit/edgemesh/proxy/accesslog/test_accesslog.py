import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.proxy.accesslog import accesslog
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.accesslog.accesslog import (
    BATCH_EVERY_S,
    BATCH_LINES,
    MAX_UNWRITTEN_BYTES,
    AccessLog,
    AccessSettings,
    open_access_log,
)

ONE = Served(client="10.9.9.9:40112", service=ServiceKey("default", "web"), port=80, handling="http", target="/")


class SlowSink:
    """Holds up its first write until it is told to go on; fails while there is a ``problem``."""

    def __init__(self) -> None:
        self.problem = ""
        self.go_on = threading.Event()
        self.go_on.set()
        self.batches: list[bytes] = []
        self.closed = False

    def write(self, lines: bytes) -> int:
        self.go_on.wait()
        if self.problem:
            return lines.count(b"\n")
        self.batches.append(lines)
        return 0

    def close(self) -> None:
        self.closed = True

    @property
    def lines(self) -> int:
        return b"".join(self.batches).count(b"\n")


@pytest.fixture
def sink() -> SlowSink:
    return SlowSink()


@pytest.fixture
async def log(sink: SlowSink, vclock: VirtualClock) -> AsyncIterator[AccessLog]:
    log = AccessLog(sink, vclock)
    yield log
    sink.go_on.set()
    await log.stop()


async def test_lines_are_gathered_for_a_moment_and_written_together(
    log: AccessLog, sink: SlowSink, vclock: VirtualClock
) -> None:
    for _ in range(3):
        log.tell(ONE)
    await vclock.advance(BATCH_EVERY_S)
    await log.stop()

    assert [batch.count(b"\n") for batch in sink.batches] == [3]


async def test_many_lines_do_not_wait_for_the_moment_to_pass(log: AccessLog, sink: SlowSink) -> None:
    for _ in range(2 * BATCH_LINES + 1):
        log.tell(ONE)
    await log.stop()

    assert [batch.count(b"\n") for batch in sink.batches] == [BATCH_LINES, BATCH_LINES, 1]


async def test_what_is_not_written_yet_is_written_at_the_end(log: AccessLog, sink: SlowSink) -> None:
    log.tell(ONE)
    await log.stop()

    assert (sink.lines, sink.closed) == (1, True)
    assert log.status() == {"lines": 1, "dropped": {"not_written": 0, "too_slow": 0}, "problem": ""}


async def test_lines_of_another_process_are_written_and_what_it_dropped_is_counted(
    log: AccessLog, sink: SlowSink
) -> None:
    log.pass_on(b"{}\n{}\n", 3)
    log.tell(ONE)
    await log.stop()

    assert sink.lines == 3
    assert log.status() == {"lines": 6, "dropped": {"not_written": 0, "too_slow": 3}, "problem": ""}


async def test_without_lines_there_is_no_thread_and_nothing_to_end(log: AccessLog, sink: SlowSink) -> None:
    await log.stop()

    assert not sink.closed


async def test_a_disk_that_stands_still_costs_no_more_than_so_much_memory_and_the_rest_is_counted(
    log: AccessLog, sink: SlowSink
) -> None:
    sink.go_on.clear()
    most = 0
    with capture_logs() as logged:
        for _ in range(100_000):
            log.tell(ONE)
            most = max(most, log.unwritten_bytes)
    sink.go_on.set()
    await log.stop()

    assert most < MAX_UNWRITTEN_BYTES + 1000 * BATCH_LINES
    assert log.dropped["too_slow"] > 0
    assert sink.lines + log.dropped["too_slow"] == 100_000
    assert [(one["event"], one["reason"]) for one in logged] == [("access_log_failing", "too_slow")]


async def test_lines_that_could_not_be_written_are_counted_and_said_once_a_second(
    log: AccessLog, sink: SlowSink, vclock: VirtualClock
) -> None:
    sink.problem = "cannot write access.log: No space left on device"
    with capture_logs() as logged:
        for _ in range(5 * BATCH_LINES):
            log.tell(ONE)
        await log.stop()

    assert log.dropped["not_written"] == 5 * BATCH_LINES
    assert logged == [
        {
            "event": "access_log_failing",
            "log_level": "warning",
            "reason": "not_written",
            "details": f"{5 * BATCH_LINES} lines: cannot write access.log: No space left on device",
            "left_out": 0,
        }
    ]


async def test_the_end_does_not_wait_for_a_disk_that_stands_still(
    log: AccessLog, sink: SlowSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accesslog, "STOP_S", 0.0)
    sink.go_on.clear()
    log.tell(ONE)
    await log.stop()

    assert sink.batches == []


async def test_prometheus_is_told_of_lines_and_of_those_that_are_not_there(log: AccessLog, sink: SlowSink) -> None:
    sink.problem = "full"
    log.tell(ONE)
    await log.stop()

    told = {
        (sample.name, sample.labels.get("reason", "")): sample.value
        for family in log.families()
        for sample in family.samples
    }

    assert told == {
        ("edgecore_access_log_lines_total", ""): 1,
        ("edgecore_access_log_dropped_total", "not_written"): 1,
        ("edgecore_access_log_dropped_total", "too_slow"): 0,
    }


async def test_settings_name_a_file(tmp_path: Path, vclock: VirtualClock) -> None:
    log = open_access_log(AccessSettings(str(tmp_path / "access.log")), vclock)
    log.tell(ONE)
    await log.stop()

    assert json.loads((tmp_path / "access.log").read_text())["service"] == "default/web"


async def test_settings_name_standard_output(vclock: VirtualClock, capfd: pytest.CaptureFixture[str]) -> None:
    log = open_access_log(AccessSettings("-"), vclock)
    log.tell(ONE)
    await log.stop()

    assert json.loads(capfd.readouterr().out)["client"] == "10.9.9.9:40112"
