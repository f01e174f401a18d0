"""One line of the node's code that changes is what the verdict of a replay tells, with the field that it changes."""

import asyncio
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from edgecore.beehive import frame
from edgecore.beehive import resource as r
from edgecore.beehive.message import Route, with_sync
from edgecore.modules.edgehub import conversation
from edgecore.modules.edgemesh import portplan
from edgecore.modules.edgemesh.dns.recipe import NameRecipe
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.metamanager import answers, plan
from edgecore.recording import frames as f
from edgecore.recording.writer import open_writer
from edgecore.replay.judged import replay_and_judge
from edgecore.replay.mapping import parse_mapping
from edgecore.replay.options import ReplayOptions
from edgecore.replay.run import replay
from edgecore.verdict.rules import Rules
from edgecore.verdict.rulesfile import read_rules
from edgecore.verdict.verdict import Verdict
from fidelity.history import DATA

OF_GO = (DATA / "a_connect_first_sync.jsonl", DATA / "b_services_endpoints_pods.jsonl")
RULES = read_rules()

Patch = Callable[[pytest.MonkeyPatch], None]


class Change(NamedTuple):
    """A line that is another one, and what the verdict is to tell of it."""

    patch: Patch
    kind: str
    path: str


def acknowledged_otherwise(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(answers, "OK", "ok")


def stored_as_another_type(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(plan._Request, "put", lambda one: plan.Put(one.key, one.type, '{"metadata":{}}'))


def served_as_bytes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(portplan, "handling_of", lambda _port: "bytes")


def answered_for_longer(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(NameRecipe, "table", lambda one: NameTable(one.cluster_domain, one.ttl_s + 1))


def kept_alive_elsewhere(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(conversation, "KEEPALIVE_ROUTE", Route(r.EDGEHUB, r.GROUP_RESOURCE, r.KEEPALIVE, "edge"))


def written_as_synchronous(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(frame, "with_sync", lambda message, _is_sync: with_sync(message, True))


AGAINST_GO = (
    Change(acknowledged_otherwise, f.ACK, "content"),
    Change(kept_alive_elsewhere, f.KEEPALIVE, "route.resource"),
    Change(written_as_synchronous, f.POD_STATUS, "header.sync"),
)
AGAINST_OURS = (
    *AGAINST_GO,
    Change(stored_as_another_type, "row pod", "value.spec"),
    Change(served_as_bytes, "service", "ports[0].handling"),
    Change(answered_for_longer, "dns", "answer[0]"),
)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """The sessions of a replay, which are recordings of our own node."""
    directory = tmp_path_factory.mktemp("ours")
    found = []
    for one in asyncio.run(replay(ReplayOptions(files=OF_GO), is_alone=RULES.is_recorded_alone)):
        found.append(directory / f"{one.name}.jsonl")
        with open_writer(found[-1]) as writer:
            for entry in one.session.entries:
                writer.write(entry)
    return tuple(found)


def judged(files: tuple[Path, ...], rules: Rules = RULES) -> list[Verdict]:
    return asyncio.run(replay_and_judge(ReplayOptions(files=files, speed=math.inf), rules))


def test_a_session_of_our_own_node_replays_equal(ours: tuple[Path, ...]) -> None:
    """State, services, DNS answers and MQTT too; no difference from Go is needed for that."""
    verdicts = judged(ours)
    assert [str(one) for verdict in verdicts for one in verdict.differences] == []
    assert {"row service", "service", "dns", f.ACK, f.POD_STATUS} <= verdicts[-1].compared.keys()
    assert [verdict.used for verdict in verdicts] == [{}, {}]


def test_a_session_of_our_own_node_replays_equal_under_other_names(ours: tuple[Path, ...]) -> None:
    options = ReplayOptions(files=ours, mapping=parse_mapping(("node=edge-7,namespace=shop,10.66.0.2=10.1.2.3",)))
    verdicts = asyncio.run(replay_and_judge(options, RULES))
    assert [str(one) for verdict in verdicts for one in verdict.differences] == []


@pytest.mark.parametrize("change", AGAINST_GO, ids=lambda one: one.patch.__name__)
def test_a_changed_line_is_told_against_a_recording_of_go(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    change.patch(monkeypatch)
    told = [(one.kind, one.path) for verdict in judged(OF_GO) for one in verdict.differences]
    assert (change.kind, change.path) in told
    assert {path for _, path in told} == {change.path}


@pytest.mark.parametrize("change", AGAINST_OURS, ids=lambda one: one.patch.__name__)
def test_a_changed_line_is_told_against_a_recording_of_ours(
    change: Change, ours: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    change.patch(monkeypatch)
    told = [(one.kind, one.path) for verdict in judged(ours) for one in verdict.differences]
    assert (change.kind, change.path) in told
