"""The cloud frames of the recordings, given to a whole node: it sends back what the Go edgecore sent.

The recordings are one node's life, and are played as such: one node, restarted where the Go edgecore was.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from fidelity import frames as f
from fidelity.compare import Comparison, compare
from fidelity.frames import kind_of
from fidelity.history import NAMES, Recording, read_life
from fidelity.replay import Played, Replay

pytestmark = pytest.mark.timeout(300)

SUBNET = "127.235.0.0/16"
"""Fake IPs that neither the default nor other tests use, nor those of the networks below, which further nodes get."""

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
def replayed(recordings: dict[str, Recording], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """What our node did in each recording."""
    replay = Replay(tmp_path_factory.mktemp("node"), SUBNET)
    return asyncio.run(replay.play(recordings.values()))


@pytest.fixture(scope="module")
def compared(recordings: dict[str, Recording], replayed: dict[str, Played]) -> dict[str, Comparison]:
    periodic = [frame for one in recordings.values() for frame in one.edge]
    found: dict[str, Comparison] = {}
    said: frozenset[str] = frozenset()
    for name, one in recordings.items():
        found[name] = compare(
            name,
            one.edge,
            replayed[name].ours,
            answers=one.answers,
            periodic=periodic,
            played=replayed[name].sent,
            repeats=one.repeats,
            said=said,
        )
        said |= {frame.id for frame in replayed[name].ours}
    return found


@pytest.mark.parametrize("name", NAMES)
def test_our_node_sends_what_the_go_edgecore_sent(
    name: str, compared: dict[str, Comparison], report: Callable[[str, Comparison], None]
) -> None:
    """Each message equal field by field but for the rules, none missing, none too many, in the recorded order."""
    report(f"edge, {name}", compared[name])
    assert not compared[name].differences, "\n" + "\n".join(map(str, compared[name].differences[:20]))


@pytest.mark.parametrize("name", NAMES)
def test_every_other_difference_has_its_line_in_the_ledger(name: str, compared: dict[str, Comparison]) -> None:
    found = {line: n for line, n in compared[name].named.items() if line not in ANY_NUMBER}
    assert found == NAMED[name]


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_message_is_accounted_for(
    name: str, recordings: dict[str, Recording], compared: dict[str, Comparison]
) -> None:
    one = compared[name]
    assert one.compared.total() + one.repeated + one.theirs_alone == len(recordings[name].edge)
    assert one.equal + one.explained == +one.compared


@pytest.mark.parametrize("name", NAMES)
def test_our_node_got_what_the_go_edgecore_got(
    name: str, recordings: dict[str, Recording], replayed: dict[str, Played]
) -> None:
    """All but what was lost on its way then, and answers to statuses that we sent less often, or cannot send yet."""
    played = replayed[name]
    lost = [frame.line for frame in played.lost]
    assert played.missing == []
    assert lost == LOST.get(name, [])
    assert set(+played.unasked) <= f.PERIODIC
    unasked = [frame for frame in recordings[name].cloud if not frame.parent and frame.line not in lost]
    assert [frame for frame in played.sent if not frame.parent] == unasked


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_of_ours_has_every_key(name: str, replayed: dict[str, Played]) -> None:
    """T1: a Go cloudcore would take the value of the frame before."""
    for frame in replayed[name].ours:
        document = json.loads(frame.text)
        assert list(document) == ["header", "route", "content"]
        assert list(document["header"]) == ["msg_id", "parent_msg_id", "timestamp", "resourceversion", "sync"]


def test_statuses_go_on_in_every_session(replayed: dict[str, Played]) -> None:
    for name, played in replayed.items():
        kinds = {kind_of(frame) for frame in played.ours}
        assert {f.KEEPALIVE, f.NODE_STATUS} <= kinds, name


def test_the_recordings_are_those_of_the_tables() -> None:
    assert set(NAMED) == set(NAMES)
    assert all(list(Path(__file__).parents[2].glob(f"data/{name}.jsonl*")) for name in NAMES)
