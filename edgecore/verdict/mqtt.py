"""What two nodes published over MQTT, topic by topic, in order (pure)."""

import json
from collections import defaultdict
from typing import Any

from edgecore.recording.entries import KEYS, MqttDirection, MqttMessage, SessionHead
from edgecore.recording.session import Recording
from edgecore.verdict.checks import ABSENT
from edgecore.verdict.fields import differences, form_of, paired
from edgecore.verdict.rules import MQTT, Rules
from edgecore.verdict.verdict import MESSAGE, Difference, Verdict

NOT_PLAYED = "mqtt: the replay has no record of it"
_SHOWN = 200
"""So much of a payload is shown of a message that is missing or too many."""


def compare_mqtt(found: Verdict, rules: Rules, recorded: Recording, replayed: Recording) -> None:
    """Compare what the nodes published, if both sessions hold it."""
    theirs = _published(recorded, rules)
    if not _has_mqtt(recorded) and not theirs:
        return
    if not _has_mqtt(replayed):
        found.passed_over[NOT_PLAYED] += sum(map(len, theirs.values()))
        return
    own = _published(replayed, rules)
    for topic in sorted(theirs.keys() | own.keys()):
        for was, our in paired(theirs[topic], own[topic], lambda one: form_of(rules, MQTT, _document(one))):
            _compare(found, rules, was, our)


def _has_mqtt(recording: Recording) -> bool:
    mqtt = next(key for key, kind in KEYS.items() if kind is MqttMessage)
    return any(isinstance(one, SessionHead) and mqtt in one.kinds for one in recording.entries[:1])


def _published(recording: Recording, rules: Rules) -> defaultdict[str, list[MqttMessage]]:
    topics: defaultdict[str, list[MqttMessage]] = defaultdict(list)
    for one in recording.entries:
        if isinstance(one, MqttMessage) and one.direction is MqttDirection.OUT:
            topics[one.topic].append(one)
    for topic in [topic for topic in topics if rules.is_uncompared(MQTT, topic)]:
        del topics[topic]
    return topics


def _compare(found: Verdict, rules: Rules, was: MqttMessage | None, our: MqttMessage | None) -> None:
    found.compared[MQTT] += was is not None
    if was is None or our is None:
        shown = ABSENT if was is None else _short(was), ABSENT if our is None else _short(our)
        found.differences.append(_difference(was, our, MESSAGE, *shown))
        return
    wrong = list(differences(rules, MQTT, _document(was), _document(our)))
    lines = [rules.known_field(MQTT, *one) for one in wrong]
    found.used.update(line.ledger for line in lines if line is not None)
    unknown = [one for one, line in zip(wrong, lines, strict=True) if line is None]
    found.differences += [_difference(was, our, *one) for one in unknown]
    found.equal[MQTT] += not wrong
    found.explained[MQTT] += bool(wrong) and not unknown


def _document(message: MqttMessage) -> dict[str, Any]:
    try:
        return {"payload": json.loads(message.payload)}
    except (ValueError, RecursionError):
        return {"payload": message.payload.decode(errors="backslashreplace")}


def _short(message: MqttMessage) -> str:
    return message.payload[:_SHOWN].decode(errors="backslashreplace")


def _difference(was: MqttMessage | None, our: MqttMessage | None, path: str, recorded: Any, ours: Any) -> Difference:
    one = was or our
    return Difference(
        kind=MQTT,
        what=one.topic if one else "",
        path=path,
        recorded=recorded,
        ours=ours,
        recorded_entry=(was.n or was.line) if was else None,
        our_entry=(our.n or our.line) if our else None,
    )
