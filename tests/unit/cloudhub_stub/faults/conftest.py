"""Builders and doubles for the tests of faults."""

from typing import Any

import msgspec
import pytest

from cloudhub_stub.faults.rules import Passage, Verdict
from cloudhub_stub.faults.socket import FaultySocket
from cloudhub_stub.faults.spec import FaultSpec


class FakeCable:
    """Remembers what was done to it."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def freeze(self) -> None:
        self.done.append("frozen")

    def abort(self) -> None:
        self.done.append("aborted")


class ScriptedJudge:
    """Gives the passages of its script one by one, then lets everything pass."""

    def __init__(self, *passages: Passage) -> None:
        self.busy = True
        self.passages = list(passages)
        self.judged: list[tuple[str, str, bytes]] = []
        self.acted: list[Verdict] = []

    def judge(self, direction: str, node: str, data: bytes) -> Passage:
        self.judged.append((direction, node, data))
        return self.passages.pop(0) if self.passages else Passage(1, 0.0, ())

    def act(self, verdict: Verdict, socket: FaultySocket) -> None:
        self.acted.append(verdict)
        if verdict.fault.fault == "cut":
            socket.cut()

    def changed(self) -> None:
        pass


@pytest.fixture
def cable() -> FakeCable:
    return FakeCable()


@pytest.fixture
def judge() -> type[ScriptedJudge]:
    return ScriptedJudge


def spec_of(kind: str, **fields: Any) -> FaultSpec:
    """Return a fault; ``resource_regex`` and the like are spelled with a hyphen."""
    spelled = {name.rstrip("_").replace("_", "-"): value for name, value in fields.items()}
    return msgspec.convert({"fault": kind, **spelled}, FaultSpec)


@pytest.fixture
def spec() -> Any:
    return spec_of
