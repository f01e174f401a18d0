"""The cloud frames of the recordings, given to a whole node: it sends back what the Go edgecore sent.

The recordings are one node's life, and are played as such: one node, restarted where the Go edgecore was.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecore.recording import frames as f
from edgecore.recording.frames import kind_of
from edgecore.recording.lines import line_of
from edgecore.recording.session import Recording
from edgecore.replay.judged import replay_and_judge, verdicts_of
from edgecore.replay.options import ReplayOptions
from edgecore.replay.replayed import Replayed
from edgecore.replay.run import replay
from edgecore.verdict.rulesfile import read_rules
from edgecore.verdict.verdict import Verdict
from fidelity.history import DATA, NAMES, read_life

pytestmark = pytest.mark.timeout(300)

NAMED = {
    "a_connect_first_sync": Counter(B4=3),
    "b_services_endpoints_pods": Counter(B4=4, ED5=8),
    "e0_both_restarted_with_existing_objects": Counter(B4=5),
    "b2_deletes": Counter(B4=2, MM7=1, ED5=15),
    "b3_service_endpoints_delete": Counter(B4=2),
    "c_configmap_secret_pod": Counter(ED2=4, ED5=17, ED8=2),
    "d_devices_twins": Counter(DT1=1, DT3=1),
    "e_disconnect_reconnect_resync": Counter(ED3=1, ED5=4),
    "f_burst_1000_services_3000_pods": Counter(B4=44, DT15=1),
}
"""How often which line of docs/fidelity.md explains a difference. Transport pings come and go with the machine."""

LOST = {"e_disconnect_reconnect_resync": [10, 11, 12, 13, 14]}
"""The lines of what the cloud sent into a connection that was cut."""

ANY_NUMBER = frozenset({"EH8", "D2", "ED9"})
"""Those of what is sent as often as there is time: pings, and the statuses of the node with the ids of its machine."""


@pytest.fixture(scope="module")
def recordings() -> dict[str, Recording]:
    return read_life()


@pytest.fixture(scope="module")
def replayed() -> dict[str, Replayed]:
    """What our node did in each recording."""
    files = tuple(path for name in NAMES for path in DATA.glob(f"{name}.jsonl*"))
    options = ReplayOptions(files=files)
    done = asyncio.run(replay(options, is_alone=read_rules().is_recorded_alone))
    return {one.name: one for one in done}


@pytest.fixture(scope="module")
def compared(replayed: dict[str, Replayed]) -> dict[str, Verdict]:
    verdicts = verdicts_of(list(replayed.values()), read_rules())
    return dict(zip(replayed, verdicts, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_our_node_sends_what_the_go_edgecore_sent(
    name: str, compared: dict[str, Verdict], report: Callable[[str, Verdict], None]
) -> None:
    """Each message equal field by field but for the rules, none missing, none too many, in the recorded order."""
    report(f"edge, {name}", compared[name])
    assert not compared[name].differences, "\n" + "\n".join(map(str, compared[name].differences[:20]))


@pytest.mark.parametrize("name", NAMES)
def test_every_other_difference_has_its_line_in_the_ledger(name: str, compared: dict[str, Verdict]) -> None:
    found = {line: n for line, n in compared[name].used.items() if line not in ANY_NUMBER}
    assert found == NAMED[name]


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_message_is_accounted_for(
    name: str, recordings: dict[str, Recording], compared: dict[str, Verdict]
) -> None:
    one = compared[name]
    assert one.compared.total() + one.repeated + one.theirs_alone == len(recordings[name].edge)
    assert one.equal + one.explained == +one.compared


@pytest.mark.parametrize("name", NAMES)
def test_our_node_got_what_the_go_edgecore_got(
    name: str, recordings: dict[str, Recording], replayed: dict[str, Replayed]
) -> None:
    """All but what was lost on its way then, and answers to statuses that we sent less often, or cannot send yet."""
    played = replayed[name]
    lost = [frame.line for frame in played.lost]
    assert not played.missing
    assert lost == LOST.get(name, [])
    assert set(played.unasked) <= f.PERIODIC
    unasked = [frame for frame in recordings[name].cloud if not frame.parent and frame.line not in lost]
    assert [frame for frame in played.sent if not frame.parent] == unasked


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_of_ours_has_every_key(name: str, replayed: dict[str, Replayed]) -> None:
    """T1: a Go cloudcore would take the value of the frame before."""
    for frame in replayed[name].session.edge:
        document = json.loads(frame.text)
        assert list(document) == ["header", "route", "content"]
        assert list(document["header"]) == ["msg_id", "parent_msg_id", "timestamp", "resourceversion", "sync"]


def test_what_our_node_did_replays_equal_without_a_known_difference(
    replayed: dict[str, Replayed], tmp_path: Path
) -> None:
    """One life again, of sessions in which a node is started anew; rows, services, DNS, devices and MQTT too."""
    files = []
    for name in NAMES[:-1]:  # the burst takes as long as all others
        files.append(tmp_path / f"{name}.jsonl")
        files[-1].write_bytes(b"".join(map(line_of, replayed[name].ours)))
    verdicts = asyncio.run(replay_and_judge(ReplayOptions(files=tuple(files), seed=2), read_rules()))
    assert [str(one) for verdict in verdicts for one in verdict.differences] == []
    assert [verdict.used for verdict in verdicts] == [{}] * len(files)
    assert {f.REGISTRATION, "mqtt", "service", "row pod"} <= {kind for one in verdicts for kind in one.equal}


def test_statuses_go_on_in_every_session(replayed: dict[str, Replayed]) -> None:
    for name, played in replayed.items():
        kinds = {kind_of(frame) for frame in played.session.edge}
        assert {f.KEEPALIVE, f.NODE_STATUS} <= kinds, name


def test_the_recordings_are_those_of_the_tables() -> None:
    assert set(NAMED) == set(NAMES)
    assert all(list(Path(__file__).parents[2].glob(f"data/{name}.jsonl*")) for name in NAMES)
