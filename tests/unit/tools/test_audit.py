"""What becomes of the reports of pip-audit."""

import json
import subprocess
from typing import Any

import pytest

from tools import audit
from tools.audit import Findings, Flaw, findings, look, together, verdict

GOOD = {"name": "good", "version": "1.0", "vulns": []}
BAD = {"name": "bad", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1", "3.0"]}]}
SKIPPED = {"name": "odd", "skip_reason": "not found on PyPI"}
OURS = {"name": "edgecore", "skip_reason": "editable"}


def report(*packages: Any) -> Any:
    return {"dependencies": [*packages], "fixes": []}


def test_a_report_tells_what_was_looked_at_and_what_is_known() -> None:
    assert findings(report(GOOD, BAD, SKIPPED, OURS)) == Findings(
        frozenset({"good", "bad"}), frozenset({"odd"}), (Flaw("bad 2.0", "PYSEC-1", ("2.1", "3.0")),)
    )


def test_what_one_service_does_not_know_another_may() -> None:
    both = together([findings(report(SKIPPED, BAD)), findings(report({**SKIPPED, "version": "1", "vulns": []}))])
    assert both.unknown == {"odd"}, "a reason to skip is none to believe"
    both = together([findings(report(SKIPPED, BAD)), findings(report({"name": "odd", "version": "1", "vulns": []}))])
    assert (both.unknown, len(both.flaws)) == (frozenset(), 1)


@pytest.mark.parametrize(
    ("packages", "code"),
    [((GOOD, OURS), 0), ((GOOD, BAD), 1), ((BAD, SKIPPED), 1), ((GOOD, SKIPPED), 2), ((SKIPPED,), 2), ((), 2)],
)
def test_only_a_look_at_everything_that_found_nothing_is_a_success(packages: Any, code: int) -> None:
    assert verdict("the set", findings(report(*packages)))[1] == code


def test_a_flaw_says_which_version_has_it_no_more() -> None:
    lines, _ = verdict("the set", findings(report(BAD)))
    assert lines == ["the set: 1 packages looked at, 1 advisories", "  bad 2.0: PYSEC-1; take 2.1 or 3.0"]


@pytest.mark.parametrize("printed", ["", "{}", "no network"])
def test_a_service_that_cannot_be_asked_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], printed: str
) -> None:
    asked = []

    def run(command: list[str], **_how: Any) -> Any:
        asked.append(command[-2:])
        return subprocess.CompletedProcess(command, 1, printed, "a trace\nConnectionError: no way there\n")

    monkeypatch.setattr(subprocess, "run", run)
    assert look("the set", ["--path", "x"]) == 2
    said = capsys.readouterr().out
    assert "ConnectionError: no way there" in said
    assert "run make audit where https://pypi.org" in said
    assert len(asked) == len(audit.SERVICES)


def test_the_second_service_is_not_asked_where_the_first_knows_all(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def run(command: list[str], **_how: Any) -> Any:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, json.dumps(report(GOOD)), "")

    monkeypatch.setattr(subprocess, "run", run)
    assert look("the set", []) == 0
    assert len(asked) == 1
