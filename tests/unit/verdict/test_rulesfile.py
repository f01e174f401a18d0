"""Files of rules: what they say, and what is said of those that are wrong."""

from pathlib import Path

import pytest

from edgecore.errors import ConfigError
from edgecore.recording.entries import SessionHead
from edgecore.recording.frames import PERIODIC
from edgecore.recording.session import Recording
from edgecore.verdict.checks import ABSENT, CHECKS
from edgecore.verdict.rules import Rules, Side
from edgecore.verdict.rulesfile import MAX_BYTES, read_rules

GO = Recording("b2_deletes", ())
OURS = Recording("b2_deletes", (SessionHead(1, 0, 2, "edgecore 0.9.0"),))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    return path


def test_the_files_of_the_package_are_read(rules: Rules) -> None:
    assert {one.kind for one in rules.paced if not one.is_optional} == PERIODIC
    assert all(one.why for one in rules.volatile)
    volatile = rules.volatile_at("node status", "content.Status.conditions[3].lastHeartbeatTime")
    assert volatile is not None
    assert volatile.check.accepts("2020-05-09T04:54:54Z")
    assert rules.volatile_at("node status", "content.Status.phase") is None


def test_a_key_of_a_twin_is_any_key_but_no_path(rules: Rules) -> None:
    assert rules.volatile_at("twin", "content.twin.power-status.actual.metadata.timestamp") is not None
    assert rules.volatile_at("twin", "content.twin.a.b.actual.metadata.timestamp") is None


def test_differences_from_go_count_where_go_was_recorded(rules: Rules) -> None:
    known = ("registration", "content.status.nodeInfo.machineID", ABSENT, "0123")
    assert rules.fitting(GO).known_field(*known) is not None
    assert rules.fitting(OURS).known_field(*known) is None
    assert rules.fitting(Recording("another", ())).known_message(Side.OURS, "acknowledgement", "x") is None
    message = (Side.OURS, "acknowledgement", "default/service/nginx-svc")
    assert rules.fitting(GO).known_message(*message) is not None
    assert rules.fitting(Recording("another", ())).known_message(*message) is None


def test_a_users_file_adds_checks_rules_and_known_differences(tmp_path: Path) -> None:
    text = """\
checks: {serial: 'SN-\\d+'}
volatile:
  - {kind: [twin, row pod], field: [content.serial, "**.serial"], check: serial, why: each has its own}
known:
  - {ledger: T-1, kind: pod status, field: content.Status.phase, recorded: text, ours: nothing}
  - {ledger: T-2, kind: "*", field: message, side: ours, resource: debug/*}
not_compared:
  - {kind: mqtt, resource: debug/*, why: nobody reads it}
"""
    rules = read_rules([write(tmp_path, text)]).fitting(OURS)
    serial = rules.volatile_at("row pod", "value.metadata.serial")
    assert serial is not None
    assert [serial.check.accepts(one) for one in ("SN-12", "SN-", 12)] == [True, False, False]
    known = rules.known_field("pod status", "content.Status.phase", "Running", None)
    assert known is not None
    assert known.ledger == "T-1"
    assert rules.known_message(Side.OURS, "query", "debug/x") is not None
    assert rules.known_message(Side.RECORDED, "query", "debug/x") is None
    assert rules.is_uncompared("mqtt", "debug/a/b")
    assert rules.is_uncompared("mqtt", "edgecore/n/bus/x")
    assert not rules.is_uncompared("mqtt", "$hw/events/x")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("volatile: 5", "Expected `array`, got `int` - at `$.volatile`"),
        ("volatiles: []", "Object contains unknown field `volatiles`"),
        ("volatile: [{kind: twin, field: a, check: id}]", "missing required field `why` - at `$.volatile[0]`"),
        ("volatile: [{kind: twins, field: a, check: id, why: x}]", "volatile[0].kind: 'twins' is none of"),
        ("volatile: [{kind: twins, field: a, check: id, why: x}]", "(is 'twin' meant?)"),
        ("volatile: [{kind: twin, field: a, check: idd, why: x}]", "volatile[0].check: 'idd' is none of"),
        ("volatile: [{kind: twin, field: [], check: id, why: x}]", "volatile[0].field: it is empty"),
        ("known: [{ledger: A, kind: twin, field: a}]", "known[0]: a field needs the keys recorded and ours"),
        ("known: [{ledger: A, kind: twin, field: message}]", "known[0]: a message needs the key side"),
        ("known: [{ledger: A, kind: twin, field: [message, a]}]", "known[0].field: message and order stand alone"),
        ("known: [{ledger: A, kind: twin, field: message, side: them}]", "Invalid enum value 'them'"),
        ("known: [{ledger: A, kind: twin, field: order, when: unchanged}]", "known[0].when: only of what is recorded"),
        ("checks: {id: x}", "checks.id: there is a check of that name"),
        ("checks: {mine: '('}", "checks.mine: missing ), unterminated subpattern at position 0 in '('"),
        ("paced: [{kind: nobody, why: x}]", "paced[0].kind: 'nobody' is none of"),
        ("a: [", "while parsing"),
        ("[1]", "Expected `object`, got `array`"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        read_rules([path])
    assert str(raised.value).startswith(f"cannot read rules {path}: ")
    assert told in str(raised.value)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_rules([tmp_path / "none"])
    path = tmp_path / "rules.yaml"
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_rules([path])
    path.write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="longer than"):
        read_rules([path])


def test_an_empty_file_adds_nothing(tmp_path: Path, rules: Rules) -> None:
    assert len(read_rules([write(tmp_path, "# nothing yet\n")]).known) == len(rules.known)


def test_every_check_says_what_it_means() -> None:
    assert all(one.means for one in CHECKS.values())


def test_a_recorded_message_that_nobody_sends_need_not_be_awaited(rules: Rules) -> None:
    alone, again = ("edged secret query", "default/secret/nope"), ("twin", "device/led-1/twin/edge_updated")
    recorded = Recording("c_configmap_secret_pod", ())
    assert rules.is_recorded_alone(recorded, *alone, False)
    assert not rules.is_recorded_alone(Recording("another", ()), *alone, False)
    assert [rules.is_recorded_alone(recorded, *again, is_unchanged) for is_unchanged in (True, False)] == [True, False]
    ours = Recording(recorded.name, (SessionHead(1, 0, 2, "edgecore 0.9.0"),))
    assert not rules.is_recorded_alone(ours, *alone, False)
