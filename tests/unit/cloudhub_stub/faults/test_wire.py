"""A TCP connection that falls silent."""

import asyncio

import pytest

from cloudhub_stub.faults.wire import Wire


class RecordingTransport(asyncio.Transport):
    """Remembers what it is told."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 5)})
        self.told: list[str] = []
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.told.append(f"write {bytes(data).decode()}")

    def write_eof(self) -> None:
        self.told.append("write_eof")

    def close(self) -> None:
        self.told.append("close")

    def abort(self) -> None:
        self.told.append("abort")

    def pause_reading(self) -> None:
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.told.append("resume")


@pytest.fixture
def transport() -> RecordingTransport:
    return RecordingTransport()


def everything(wire: Wire) -> None:
    wire.write(b"a")
    wire.pause_reading()
    wire.resume_reading()
    wire.write_eof()
    wire.close()
    wire.abort()


def test_an_ordinary_wire_hands_everything_on(transport: RecordingTransport) -> None:
    wire = Wire(transport)
    everything(wire)
    assert transport.told == ["write a", "pause", "resume", "write_eof", "close", "abort"]
    assert wire.get_extra_info("peername") == ("192.0.2.1", 5)


def test_a_frozen_wire_stops_reading_and_can_only_be_aborted(transport: RecordingTransport) -> None:
    wire = Wire(transport)
    wire.freeze()
    everything(wire)
    assert transport.told == ["pause", "abort"]


def test_a_wire_that_was_paused_when_it_froze_is_not_resumed(transport: RecordingTransport) -> None:
    wire = Wire(transport)
    wire.pause_reading()
    wire.freeze()
    wire.resume_reading()
    assert transport.told == ["pause"]


def test_a_wire_that_is_closing_can_be_frozen(transport: RecordingTransport) -> None:
    transport.closing = True
    Wire(transport).freeze()
    assert transport.told == []
