"""All that was recorded of a Go edgecore and its cloud, played again: after each part the rows are those that Go kept.

Played is what the cloud sent and what edged said. EdgeMesh is not there: its ``listener`` rows are compared in
``tests/integration/edgemesh``. The tables of devices belong to DeviceTwin, which is not built yet.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgecore.beehive import wire
from edgecore.beehive.message import Message, with_header
from edgecore.recording.entries import CloudFrame, Direction, Note
from edgecore.recording.reader import read_entries

DATA = Path(__file__).parents[2] / "data"
SESSIONS = (
    "a_connect_first_sync",
    "b_services_endpoints_pods",
    "e0_both_restarted_with_existing_objects",
    "b2_deletes",
    "b3_service_endpoints_delete",
    "c_configmap_secret_pod",
    "d_devices_twins",
    "e_disconnect_reconnect_resync",
)
DUMPS = {
    "b_edgecore_db": (SESSIONS[1], "db dump"),
    "b3_db_after_endpoints_delete": (SESSIONS[4], "create endpoints web-svc again"),
    "b3_db_after_service_delete": (SESSIONS[4], "db dump"),
    "c_edgecore_db": (SESSIONS[5], "end"),
    "d_edgecore_db": (SESSIONS[6], "end"),
    "e_edgecore_db": (SESSIONS[7], "db dump"),
}
"""Each file, and the note in a recording before which it was taken, by its beginning."""
ONLY_IN_GO = {
    "MM8": {"default/podlist/nginx-svc", "default/podlist/web-svc", "kube-system/podlist/sys-svc"},
    "M6": {"default/podstatus/nginx-0", "default/podstatus/hn"},
}
"""Rows that Go keeps for good, or up to a minute, and that we remove, by the lines of ``docs/fidelity.md``."""
TIMES_OF_CONDITIONS = ("lastHeartbeatTime", "lastTransitionTime")
"""For these alone the row of a node status is not rewritten (M8)."""
Rows = dict[str, tuple[str, str]]


def go_rows(dump: str) -> Rows:
    """Return the table ``meta``: key to type and text."""
    lines = (DATA / f"{dump}.txt").read_text().partition("-- table meta:")[2].splitlines()[1:]
    rows = [json.loads(line) for line in lines if line.startswith("[")]
    return {key: (kind, value) for key, kind, value in rows}


def _recorded(session: str, before: str | None) -> Iterator[tuple[Direction, Message]]:
    """Yield the messages of a recording, up to a note; none of those that a link that was cut did not deliver."""
    is_cut = False
    for entry in sorted(read_entries(DATA / f"{session}.jsonl"), key=lambda entry: entry.t_ns):
        if isinstance(entry, Note):
            if before is not None and entry.text.startswith(before):
                return
            is_cut = (is_cut or entry.text.startswith("CUT")) and entry.text != "UNCUT"
        elif isinstance(entry, CloudFrame) and not is_cut:
            yield entry.direction, wire.decode(entry.text)


class Player:
    """The cloud and edged as they were recorded."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self._questions: dict[str, str] = {}
        """By the id that a question had in the recording, the one that it has now."""

    async def play_up_to(self, dump: str) -> None:
        last, note = DUMPS[dump]
        await self._node.connected()
        for session in SESSIONS:
            for direction, message in _recorded(session, note if session == last else None):
                await self._play(direction, message)
            if session == last:
                return

    async def _play(self, direction: Direction, message: Message) -> None:
        header, route = message.header, message.route
        if direction is Direction.TO_CLOUD:
            if route.source == "edged" and not route.resource.startswith("default/node/"):
                self._asked = header.id
                await self._node.edged.send("metaManager", message)
        elif header.parent_id in self._questions:
            question = self._questions.pop(header.parent_id)
            assert self._node.hub.respond(with_header(message, header.id, question, header.timestamp_ms))
        elif route.group == "resource" and not route.resource.startswith("default/node/"):
            await self._node.hub.send_to_group("meta", message)
        await self._settled()

    async def _settled(self) -> None:
        idle_rounds = 0
        while idle_rounds < 2:
            quiet = await self._node.quiet()
            idle_rounds = idle_rounds + 1 if quiet and not self._node.store.statistics().waiting else 0
            for port in (self._node.edged, self._node.mesh, self._node.hub):
                while port.statistics().depth:
                    message = await port.receive()
                    if port is self._node.hub and message.route.operation == "query":
                        self._questions[self._asked] = message.header.id


def _meaning(kind: str, text: str) -> Any:
    value = json.loads(text)
    if kind == "nodestatus":
        for condition in value["Status"]["conditions"]:
            for name in TIMES_OF_CONDITIONS:
                condition.pop(name)
    return value


def _compared(rows: Rows) -> dict[str, tuple[str, Any]]:
    return {key: (kind, _meaning(kind, text)) for key, (kind, text) in rows.items() if kind != "listener"}


@pytest.mark.parametrize("dump", DUMPS)
async def test_the_rows_are_those_of_the_go_edgecore(node: Any, dump: str) -> None:
    await Player(node).play_up_to(dump)
    ours, theirs = _compared(node.rows()), _compared(go_rows(dump))
    left_by_go = theirs.keys() - ours.keys()
    assert left_by_go <= set().union(*ONLY_IN_GO.values())
    assert ours == {key: row for key, row in theirs.items() if key not in left_by_go}


@pytest.mark.parametrize("dump", DUMPS)
async def test_what_go_compares_as_text_is_stored_as_the_same_text(node: Any, dump: str) -> None:
    await Player(node).play_up_to(dump)
    ours = {key: text for key, (kind, text) in node.rows().items() if kind == "podstatus"}
    theirs = {key: text for key, (kind, text) in go_rows(dump).items() if kind == "podstatus"}
    assert ours == {key: text for key, text in theirs.items() if key in ours}


def test_every_row_that_only_go_has_is_in_one_of_the_files() -> None:
    assert set().union(*ONLY_IN_GO.values()) <= set().union(*map(go_rows, DUMPS))


@pytest.mark.parametrize("line", ONLY_IN_GO)
def test_every_difference_is_a_line_of_the_ledger(line: str) -> None:
    assert f"\n| {line} |" in (DATA.parents[1] / "docs" / "fidelity.md").read_text()
