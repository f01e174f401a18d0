"""What two nodes knew at the end: by key, with fake IPs by whose they are."""

import copy
from collections import Counter
from typing import Any

import pytest

from edgecore.recording.entries import CloudFrame, Direction, Entry, SessionHead, Snapshot
from edgecore.recording.session import Recording
from edgecore.verdict.checks import ABSENT
from edgecore.verdict.judge import judge
from edgecore.verdict.rules import Rules, Volatile
from edgecore.verdict.snapshots import NO_SNAPSHOT, NOT_ASKED
from edgecore.verdict.verdict import Difference, Verdict


def state(web: str = "127.250.0.1", db: str = "127.250.0.2") -> dict[str, Any]:
    return {
        "rows": [
            {"key": "shop/service/web", "type": "service", "value": {"spec": {"ports": [{"port": 80}]}}},
            {"key": "shop/listener/shop.web", "type": "listener", "value": web},
        ],
        "services": [
            {"namespace": "shop", "name": "web", "fake_ip": web, "ports": [{"port": 80}], "named_pods": []},
            {"namespace": "shop", "name": "db", "fake_ip": db, "named_pods": [{"hostname": "db-0", "fake_ip": ""}]},
        ],
        "dns": {"web.shop": {"status": "NOERROR", "answer": [f"web.shop. A 64 {web}"]}},
        "devices": [{"id": "led", "state": "online", "last_online": "2020-05-09 04:54:54"}],
        "link": {"is_up": True},
    }


def session(value: dict[str, Any] | None, n: int = 5) -> Recording:
    head = SessionHead(1, 0, 2, "edgecore 0.9.0", kinds=("text", "state"))
    entries: list[Entry] = [head] if value is None else [head, Snapshot(2, 1, value, n=n)]
    return Recording("x", tuple(entries))


def judged(recorded: dict[str, Any] | None, ours: dict[str, Any] | None, rules: Rules) -> Verdict:
    return judge(session(recorded), session(ours, 7), rules=rules)


def test_equal_states_are_equal_and_counted_by_kind(rules: Rules) -> None:
    verdict = judged(state(), state(), rules)
    assert verdict.is_equal
    assert verdict.equal == verdict.compared
    assert verdict.compared == {"row service": 1, "row listener": 1, "service": 2, "dns": 1, "device": 1, "link": 1}


def test_other_fake_ips_are_equal_while_each_is_its_owners(rules: Rules) -> None:
    assert judged(state(), state("127.9.0.8", "127.9.0.7"), rules).is_equal


def test_a_name_that_answers_with_the_address_of_another_service_is_told(rules: Rules) -> None:
    ours = state()
    ours["dns"]["web.shop"]["answer"] = ["web.shop. A 64 127.250.0.2"]
    (found,) = judged(state(), ours, rules).differences
    assert (found.kind, found.what, found.path) == ("dns", "web.shop", "answer[0]")
    assert (found.recorded, found.ours) == (
        "web.shop. A 64 <fake IP of shop/web>",
        "web.shop. A 64 <fake IP of shop/db>",
    )
    assert (found.recorded_entry, found.our_entry) == (5, 7)


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("rows", 0, "value", "spec", "ports", 0, "port"), 81, "row service shop/service/web value.spec.ports[0].port"),
        (("services", 0, "ports", 0, "port"), "80", "service shop/web ports[0].port"),
        (("dns", "web.shop", "status"), "NXDOMAIN", "dns web.shop status"),
        (("devices", 0, "state"), "offline", "device led state"),
        (("devices", 0, "last_online"), "today", "device led last_online"),
        (("link", "is_up"), False, "link link is_up"),
    ],
)
def test_a_field_that_changes_is_told(rules: Rules, place: tuple[Any, ...], value: Any, told: str) -> None:
    ours: Any = state()
    holder = ours
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    (found,) = judged(state(), ours, rules).differences
    assert f"{found.kind} {found.what} {found.path}" == told


def test_a_row_that_is_missing_and_one_too_many_are_told_whole(rules: Rules) -> None:
    ours = copy.deepcopy(state())
    ours["rows"][0]["key"] = "shop/service/web2"
    found: list[Difference] = judged(state(), ours, rules).differences
    assert [(one.what, one.path, one.ours == ABSENT) for one in found] == [
        ("shop/service/web", "whole", True),
        ("shop/service/web2", "whole", False),
    ]


def test_without_a_snapshot_of_ours_that_is_said(rules: Rules) -> None:
    verdict = judged(state(), None, rules)
    assert (verdict.is_equal, verdict.passed_over) == (True, {NO_SNAPSHOT: 1})
    assert judged(None, state(), rules).passed_over == {}


OUTSIDE = {"status": None, "rule": "outside", "answer": []}
LEFT = {"status": "NOERROR", "rule": "service", "answer": ["gone.shop. 64 A 127.250.0.9"]}


@pytest.mark.parametrize(
    ("name", "answer", "told", "passed_over"),
    [
        ("gone.shop", OUTSIDE, [], {}),
        ("gone.shop", LEFT, ["gone.shop"], {}),
        ("web.shop.svc", LEFT, [], {NOT_ASKED: 1}),
    ],
)
def test_a_question_of_one_side_alone_tells_a_service_that_should_be_gone(
    rules: Rules, name: str, answer: dict[str, Any], told: list[str], passed_over: dict[str, int]
) -> None:
    """The recorded node was asked for what it had; ours for all that the cloud spoke of, too."""
    text = '{"header":{"msg_id":"1"},"route":{"operation":"delete","resource":"shop/service/gone"}}'
    recorded, ours = session(state()), state()
    recorded = Recording("x", (*recorded.entries, CloudFrame(3, 1, Direction.TO_EDGE, 1, text, n=6)))
    ours["dns"][name] = answer
    verdict = judge(recorded, session(ours, 7), rules=rules)
    assert [one.what for one in verdict.differences] == told
    assert verdict.passed_over == Counter(passed_over)


def test_rules_about_rows_of_any_type_let_their_fields_differ(rules: Rules) -> None:
    check = rules.volatile[0].check._replace(accepts=lambda value: True)
    lenient = Rules([Volatile(("row *",), ("**.port",), check, "a test")])
    ours = state()
    ours["rows"][0]["value"]["spec"]["ports"][0]["port"] = 81
    assert judged(state(), ours, lenient).is_equal
