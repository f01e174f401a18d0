"""What the node tells of itself, against what the recorded Go edgecore told (recordings a and b)."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive import wire
from edgecore.beehive.message import Message, content_value
from edgecore.modules.edged.nodestatus import HostFacts, NodeIdentity, registration, rfc3339, status_request
from edgecore.recording.entries import CloudFrame, Direction
from edgecore.recording.reader import read_entries

DATA = Path(__file__).parents[2] / "data"
FACTS = HostFacts(2, 24105, "6.18.44-fc-v595", "Debian GNU/Linux 12 (bookworm)", "linux", "amd64")
IDENTITY = NodeIdentity("edge-node1", "default", "10.66.0.2", "1.3.1")


def _recorded(name: str, operation: str) -> Iterator[Message]:
    for entry in read_entries(DATA / f"{name}.jsonl"):
        if isinstance(entry, CloudFrame) and entry.direction is Direction.TO_CLOUD:
            message = wire.decode(entry.text)
            if (message.route.operation, message.route.resource) == (operation, "default/nodestatus/edge-node1"):
                yield message


def test_the_registration_is_the_recorded_one_to_the_byte() -> None:
    (recorded,) = _recorded("a_connect_first_sync", "insert")
    assert msgspec.json.encode(registration(IDENTITY, FACTS)) == bytes(recorded.content)


def test_the_pods_that_a_node_takes_are_its_capacity() -> None:
    identity = IDENTITY._replace(max_pods=1500)
    assert registration(identity, FACTS)["status"]["allocatable"]["pods"] == "1500"
    assert status_request(identity, FACTS, 0)["Status"]["capacity"]["pods"] == "1500"


GO_UID = "38796d14-1df3-11e8-8e5a-286ed488f209"


@pytest.mark.parametrize("name", ["a_connect_first_sync", "b_services_endpoints_pods"])
def test_the_status_is_the_recorded_one_to_the_byte_but_for_uid_and_time(name: str) -> None:
    for recorded in _recorded(name, "update"):
        (condition,) = content_value(recorded)["Status"]["conditions"]
        at = condition["lastHeartbeatTime"]
        built = msgspec.json.encode(status_request(IDENTITY, FACTS, 1_589_000_000_123)).decode()
        built = built.replace(IDENTITY.uid, GO_UID)
        assert built.replace("2020-05-09T04:53:20Z", at) == bytes(recorded.content).decode()


def test_d2_each_node_has_a_uid_of_its_own_that_stays() -> None:
    """Go has one for all nodes."""
    others = [IDENTITY._replace(name="edge-node2"), IDENTITY._replace(namespace="other")]
    uids = {identity.uid for identity in (IDENTITY, *others)}
    assert len(uids) == 3
    assert {uuid.UUID(uid).variant for uid in uids} == {uuid.RFC_4122}
    assert IDENTITY._replace(ip="10.0.0.1", max_pods=5).uid == IDENTITY.uid
    assert status_request(IDENTITY, FACTS, 0)["UID"] == IDENTITY.uid


def test_the_machine_is_named_by_its_ids_and_its_storage_told_as_by_the_kubelet() -> None:
    facts = FACTS._replace(machine_id="m", system_uuid="s", boot_id="b", storage_kib=1000)
    for status in (registration(IDENTITY, facts)["status"], status_request(IDENTITY, facts, 0)["Status"]):
        info = status["nodeInfo"]
        assert (info["machineID"], info["systemUUID"], info["bootID"]) == ("m", "s", "b")
        assert list(status["capacity"]) == ["cpu", "ephemeral-storage", "memory", "pods"]
        assert status["capacity"]["ephemeral-storage"] == "1000Ki"
        assert status["allocatable"]["ephemeral-storage"] == "921600"


def test_the_registration_is_that_of_the_worked_example_of_spec_14_1() -> None:
    facts = HostFacts(2, 7820, "5.4.0", "Ubuntu 20.04", "linux", "amd64")
    identity = NodeIdentity("edge-node", "default", "10.0.0.5", "1.40.0")
    node: dict[str, Any] = json.loads(msgspec.json.encode(registration(identity, facts)))
    assert node["status"]["allocatable"] == {"cpu": "2", "memory": "7720Mi", "pods": "110"}
    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "edge-node"
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"] == "remote://1.40.0"
    assert "name" not in node["metadata"]  # the cloud takes it from the resource


@given(st.builds(HostFacts, st.integers(1, 512), st.integers(0, 10**7), st.text(), st.text(), st.text(), st.text()))
def test_a_node_never_has_less_than_no_memory(facts: HostFacts) -> None:
    allocatable = registration(IDENTITY, facts)["status"]["allocatable"]["memory"]
    assert int(allocatable.removesuffix("Mi")) == max(0, facts.memory_mib - 100)


@pytest.mark.parametrize(
    ("unix_ms", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_589_000_000_999, "2020-05-09T04:53:20Z"),
        (1_589_000_001_000, "2020-05-09T04:53:21Z"),
    ],
)
def test_an_instant_is_written_in_utc_to_the_second(unix_ms: int, text: str) -> None:
    assert rfc3339(unix_ms) == text
