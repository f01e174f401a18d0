"""The states that brokers keep: published when they are new, taken away when they are gone."""

import json

from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.eventbus.mirror import states

SERVICE = {
    "namespace": "default",
    "name": "web",
    "fake_ip": "9.251.0.1",
    "ready": True,
    "ports": [{"name": "http", "port": 80, "transport": "tcp", "requests": 5}],
    "backends": {"in": 1, "all": 2},
    "requests": 7,
    "errors": 1,
}
STATES = st.dictionaries(st.sampled_from("abcd"), st.binary(min_size=1, max_size=2))


def test_a_service_is_told_with_its_fake_ip_and_without_figures() -> None:
    (topic, payload), (fake, whose) = states.of_service("n", SERVICE)

    assert topic == "edgecore/n/state/services/default/web"
    told = json.loads(payload)
    assert told["fake_ip"] == "9.251.0.1"
    assert told["backends"] == {"in": 1, "all": 2}
    assert told["ports"] == [{"name": "http", "port": 80, "transport": "tcp"}]
    assert "requests" not in told
    assert fake == "edgecore/n/state/fakeips/9.251.0.1"
    assert json.loads(whose) == {"namespace": "default", "name": "web"}


def test_a_service_without_a_fake_ip_is_told_alone() -> None:
    assert len([*states.of_service("n", {**SERVICE, "fake_ip": None})]) == 1


def test_the_link_and_a_pod_are_told_without_what_changes_all_the_time() -> None:
    assert states.of_link("n", {"state": "connected", "since_s": 5.1}) == (
        "edgecore/n/state/link",
        b'{"state":"connected"}',
    )
    topic, payload = states.of_pod("n", {"namespace": "default", "name": "p", "phase": "Running", "uid": "u"})
    assert topic == "edgecore/n/state/pods/default/p"
    assert json.loads(payload) == {"namespace": "default", "name": "p", "phase": "Running"}


def test_a_state_that_is_gone_is_taken_away_first() -> None:
    changes = [*states.changes({"a": b"1", "b": b"1"}, {"b": b"2"}, found={"z"})]

    assert changes == [("a", b""), ("z", b""), ("b", b"2")]


@given(STATES, STATES, st.sets(st.sampled_from("abcdz")))
def test_after_the_changes_all_is_as_wanted(
    published: dict[str, bytes], wanted: dict[str, bytes], found: set[str]
) -> None:
    kept = {**dict.fromkeys(found, b"old"), **published}
    for topic, payload in states.changes(published, wanted, found):
        if payload:
            kept[topic] = payload
        else:
            kept.pop(topic, None)

    assert kept == wanted
    assert not [*states.changes(wanted, wanted)]
