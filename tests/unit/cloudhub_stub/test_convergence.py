"""Whatever happens, in the end every edge has in its store what the stub says that it is to have.

The cases are sequences that once did not end so.
"""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from world.manifests import DELETABLE, NODES, THINGS
from world.steps import (
    Apply,
    CrashStub,
    Cut,
    Delete,
    DeleteSomePod,
    FullDisk,
    KillEdge,
    LoseAcks,
    Scale,
    SlowDisk,
    Step,
    Wait,
)
from world.world import Rules, World


class Case(NamedTuple):
    """A sequence that the property test found, shrunk."""

    name: str
    steps: list[Step]
    rules: Rules = Rules()


CASES = [
    Case("nothing_happens", []),
    Case(
        "objects_come_and_go",
        [
            Apply("ConfigMap/settings", 0),
            Apply("Deployment/web", 1),
            Apply("Service/web", 0),
            Apply("Device/lamp", 1),
            Wait(6.0),
            Apply("ConfigMap/settings", 1),
            Delete("Deployment/web"),
            Wait(0.5),
            Delete("Device/lamp"),
        ],
    ),
    Case(
        "a_device_goes_while_its_node_is_deleted_and_away",
        [
            KillEdge("east", away_s=3.0),
            Apply("Device/lamp", 2),
            Delete("Node/east"),
            Wait(0.01),
            Apply("Device/lamp", 5),
        ],
    ),
    Case("a_device_comes_while_its_node_is_deleted", [Apply("Device/lamp", 2), Delete("Node/east")]),
    Case(
        "a_service_is_made_anew_with_an_empty_list_of_pods",
        [
            Apply("Service/web", 11),
            SlowDisk(0.03),
            Delete("ConfigMap/other"),
            Delete("Service/web"),
            Apply("Service/web", 5),
        ],
    ),
    Case(
        "the_news_of_an_older_list_comes_last",
        [
            LoseAcks("west", 60.0),
            Apply("Deployment/web", 7),
            Apply("Service/both", 6),
            Apply("Service/web", 10),
        ],
    ),
    Case(
        "a_device_that_is_on_its_way_loses_a_property",
        [
            KillEdge("east", away_s=0.5),
            Apply("Device/lamp", 10),
            Wait(0.05),
            Apply("Device/lamp", 6),
        ],
    ),
    Case(
        "the_link_breaks_while_an_object_that_was_asked_for_is_on_its_way",
        [
            Apply("ConfigMap/settings", 2),
            Apply("Deployment/web", 1),
            Wait(0.03),
            Cut("east", down=2, up=2),
        ],
        Rules(latency_s=0.02, asks=True),
    ),
    Case(
        "the_acknowledgement_of_an_object_that_was_asked_for_is_lost",
        [Apply("Secret/key", 10), Apply("Deployment/web", 11), LoseAcks("west", 60.0), Wait(45.0)],
        Rules(asks=True),
    ),
    Case(
        "there_is_no_room_for_the_lists_of_an_edge_that_has_lost_everything",
        [
            Apply("Service/both", 6),
            Delete("Node/west"),
            Wait(310.0),
            Apply("Service/web", 2),
            Cut("west", up=8, away_s=20.0, noticed=False),
            KillEdge("west", away_s=0.5, loses_disk=True),
        ],
        Rules(max_messages=4),
    ),
    Case(
        "a_commit_fails_and_the_stub_ends_before_the_next_try",
        [FullDisk(1), Apply("Service/both", 5), Scale("web", 2), CrashStub(0.1)],
    ),
    Case(
        "a_device_goes_behind_a_commit_that_failed",
        [SlowDisk(0.03), FullDisk(4), Apply("Device/valve", 10), Delete("Device/valve"), Wait(6.0)],
    ),
    Case(
        "a_service_goes_behind_a_commit_that_failed",
        [SlowDisk(0.03), FullDisk(3), Apply("Service/both", 0), Delete("Service/both"), Wait(6.0)],
    ),
    Case(
        "a_change_of_a_device_is_on_its_way_to_an_edge_that_loses_everything",
        [Apply("Device/valve", 3), Wait(6.0), Apply("Device/valve", 7), KillEdge("west", 0.5, loses_disk=True)],
        Rules(latency_s=0.02),
    ),
    Case(
        "there_is_no_room_for_a_device_behind_a_change_of_it",
        [
            Apply("Device/lamp", 2),
            SlowDisk(1.0),
            Wait(310.0),
            KillEdge("east", away_s=50.0, loses_disk=True),
            Apply("Service/both", 0),
            Wait(6.0),
            Apply("Device/lamp", 6),
        ],
        Rules(max_messages=4),
    ),
    Case(
        "an_edge_that_lost_everything_registers_while_a_change_of_its_device_waits_for_the_disk",
        [
            Apply("Device/lamp", 0),
            Wait(6.0),
            KillEdge("east", away_s=0.5, loses_disk=True),
            Wait(0.2),
            Apply("Device/lamp", 6),
            SlowDisk(0.03),
            Wait(15.0),
        ],
    ),
    Case(
        "there_is_room_for_the_removal_of_a_device_and_not_for_the_device",
        [
            Apply("Device/lamp", 1),
            Wait(310.0),
            Apply("Deployment/api", 7),
            LoseAcks("west", 8.0),
            Apply("Device/lamp", 2),
            Apply("Service/both", 4),
            Apply("Device/lamp", 11),
            Delete("Node/west"),
            Wait(6.0),
        ],
        Rules(latency_s=0.02, max_messages=4),
    ),
    Case("a_pod_comes_while_its_node_is_deleted", [Delete("Node/west"), Apply("Pod/bare", 3)]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_every_store_is_as_the_stub_says(case: Case) -> None:
    await World.play(case.rules, case.steps)


_nodes = st.sampled_from(NODES)
_away = st.sampled_from((0.5, 3.0, 20.0, 50.0, 400.0))
_grace = st.sampled_from((None, 0, 5))
_applied = st.builds(Apply, st.sampled_from(THINGS), st.integers(0, 11))
_STEPS = st.one_of(
    _applied,
    _applied,
    _applied,
    st.builds(Scale, st.sampled_from(("web", "api")), st.integers(0, 4)),
    st.builds(Delete, st.sampled_from(DELETABLE), _grace),
    st.builds(DeleteSomePod, st.integers(0, 5), _grace),
    st.builds(Wait, st.sampled_from((0.01, 0.05, 0.5, 3.0, 6.0, 11.0, 30.0, 45.0, 310.0))),
    st.builds(Wait, st.sampled_from((0.01, 0.05, 0.5, 3.0, 6.0, 11.0))),
    st.builds(Cut, _nodes, st.integers(0, 12), st.integers(0, 12), _away, st.booleans()),
    st.builds(LoseAcks, _nodes, st.sampled_from((1.0, 8.0, 28.0, 60.0))),
    st.builds(KillEdge, _nodes, _away, st.booleans()),
    st.builds(CrashStub, st.sampled_from((0.1, 2.0, 60.0))),
    st.builds(SlowDisk, st.sampled_from((0.0, 0.03, 1.0))),
    st.builds(FullDisk, st.integers(1, 4)),
)
_RULES = st.builds(
    Rules,
    latency_s=st.sampled_from((0.0, 0.02)),
    max_messages=st.sampled_from((10_000, 4, 9)),
    in_flight=st.sampled_from((1, 3)),
    asks=st.booleans(),
)


@given(_RULES, st.lists(_STEPS, max_size=40))
async def test_any_sequence_ends_so(rules: Rules, sequence: list[Step]) -> None:
    await World.play(rules, sequence)
