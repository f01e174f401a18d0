"""What two nodes published, topic by topic, in order."""

import json
from typing import Any

from edgecore.recording.entries import MqttDirection, MqttMessage, SessionHead
from edgecore.recording.session import Recording
from edgecore.verdict.checks import ABSENT
from edgecore.verdict.judge import judge
from edgecore.verdict.mqtt import NOT_PLAYED
from edgecore.verdict.rules import Rules


def session(*messages: tuple[str, Any], kinds: tuple[str, ...] = ("text", "mqtt")) -> Recording:
    entries = [
        MqttMessage(n, n, MqttDirection.OUT, "external", topic, said if isinstance(said, bytes) else encoded(said), n=n)
        for n, (topic, said) in enumerate(messages, 2)
    ]
    return Recording("x", (SessionHead(1, 0, 2, "edgecore 0.9.0", kinds=kinds), *entries))


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_topics_may_mix_but_each_keeps_its_order(rules: Rules) -> None:
    recorded = session(("a", 1), ("a", 2), ("b", 3))
    assert judge(recorded, session(("b", 3), ("a", 1), ("a", 2)), rules=rules).is_equal
    found = judge(recorded, session(("b", 3), ("a", 2), ("a", 1)), rules=rules).differences
    assert [(one.what, one.path, one.recorded, one.ours) for one in found] == [
        ("a", "payload", 1, 2),
        ("a", "payload", 2, 1),
    ]


def test_the_exact_field_of_a_payload_is_told_with_both_entries(rules: Rules) -> None:
    topic = "$hw/events/device/led/twin/update/document"
    twin = {"power": {"current": {"actual": {"value": "on", "metadata": {"timestamp": 1795169928620}}}}}
    recorded = {"event_id": "", "timestamp": 1795169928621, "twin": twin}
    ours = json.loads(json.dumps(recorded).replace("1795169", "1895169"))
    assert judge(session((topic, recorded)), session((topic, ours)), rules=rules).is_equal
    ours["twin"]["power"]["current"]["actual"]["value"] = "off"
    (found,) = judge(session((topic, recorded)), session(("b", 1), (topic, ours)), rules=rules).differences[:1]
    differences = judge(session((topic, recorded)), session((topic, ours)), rules=rules).differences
    assert [(one.kind, one.what, one.path) for one in differences] == [
        ("mqtt", topic, "payload.twin.power.current.actual.value")
    ]
    assert (found.recorded_entry, found.our_entry) == (2, 3)


def test_a_message_that_is_missing_in_the_middle_is_told_and_no_other(rules: Rules) -> None:
    recorded = session(("a", 1), ("a", 2), ("a", 3))
    (found,) = judge(recorded, session(("a", 1), ("a", 3)), rules=rules).differences
    assert (found.path, found.recorded, found.ours, found.recorded_entry) == ("message", "2", ABSENT, 3)


def test_a_message_too_many_is_told(rules: Rules) -> None:
    (found,) = judge(session(("a", 1)), session(("a", 1), ("c", {"x": 1})), rules=rules).differences
    assert (found.what, found.recorded, found.ours) == ("c", ABSENT, '{"x": 1}')


def test_payloads_that_are_no_json_are_compared_as_they_are(rules: Rules) -> None:
    assert judge(session(("a", b"\xff\x00")), session(("a", b"\xff\x00")), rules=rules).is_equal
    (found,) = judge(session(("a", b"\xff\x00")), session(("a", b"\xff\x01")), rules=rules).differences
    assert (found.path, found.ours) == ("payload", "\\xff\x01")


def test_the_mirror_of_the_bus_is_not_compared(rules: Rules) -> None:
    assert judge(session(), session(("edgecore/n/bus/edged/metaManager/insert/x", 1)), rules=rules).is_equal


def test_a_replay_that_holds_no_mqtt_is_not_judged_by_it(rules: Rules) -> None:
    verdict = judge(session(("a", 1)), session(kinds=("text",)), rules=rules)
    assert (verdict.is_equal, verdict.passed_over) == (True, {NOT_PLAYED: 1})
