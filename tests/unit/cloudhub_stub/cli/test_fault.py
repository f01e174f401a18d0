"""What ``fault`` prints, and the command lines that it refuses."""

from typing import Any

import pytest

from cloudhub_stub.cli import main
from cloudhub_stub.cli.fault import table
from cloudhub_stub.faults.spec import KINDS

RULE: dict[str, Any] = {
    "id": "f1",
    "text": "drop: every 10 messages",
    "after": None,
    "matched": 25,
    "fired": 2,
    "live": True,
}
NOTHING: dict[str, Any] = {
    "rules": [],
    "counts": {},
    "recent": [],
    "steps": [],
    "half_open": [],
    "restarting": False,
}


def test_without_faults_a_word_says_so() -> None:
    assert table(NOTHING) == "no faults"


def test_rules_are_a_table() -> None:
    step = {**RULE, "id": "f12", "text": "cut", "after": "message 5", "live": False}
    head, first, second = table({**NOTHING, "rules": [RULE, step]}).splitlines()
    assert head.split() == ["ID", "STATE", "MATCHED", "FIRED", "FAULT"]
    assert first.split(maxsplit=4) == ["f1", "waiting", "25", "2", "drop: every 10 messages"]
    assert second.split(maxsplit=4) == ["f12", "done", "25", "2", "step: after message 5: cut"]


def test_what_is_wrong_now_and_what_was_is_below() -> None:
    step = {"step": "document 1, step 1", "when": "5 s after the start", "text": "cut", "state": "waiting"}
    view = {**NOTHING, "steps": [step], "half_open": ["a", "b"], "restarting": True, "counts": {"cut": 2, "drop": 1}}
    assert table(view).splitlines() == [
        "no faults",
        "",
        "scenario:",
        "  document 1, step 1: 5 s after the start: cut (waiting)",
        "",
        "half open now: a, b",
        "",
        "away now: a restart is under way",
        "",
        "fired since the start: cut 2, drop 1",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["snip"],
        ["delay"],
        ["delay", "-1"],
        ["delay", "90000"],
        ["cut", "--nth", "0"],
        ["cut", "--after", "3", "--every", "4"],
        ["drop", "--nth", "3", "--times", "4"],
        ["drop", "--direction", "left"],
        ["drop", "--resource-regex", "("],
        ["drop", "--resource", ""],
        ["restart", "--node", "n"],
        ["clear"],
        ["clear", "f1", "--all"],
        ["check"],
    ],
)
def test_wrong_usage_is_exit_code_2_with_the_reason(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fault", *arguments]) == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("fault", [*KINDS, "list", "clear", "check"])
def test_every_fault_explains_itself_with_an_example(fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fault", fault, "--help"]) == 0
    assert f"cloudhub-stub fault {fault}" in capsys.readouterr().out.partition("examples:")[2]
