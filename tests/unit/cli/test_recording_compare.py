"""``edgecore recording compare`` and ``rules``: verdicts and rules as the shell sees them."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from edgecore.cli import main

EXAMPLES = Path(__file__).parents[3] / "examples" / "recordings"
B = EXAMPLES / "b_services_endpoints_pods.jsonl"


def recording(*arguments: object) -> int:
    return main(["recording", *map(str, arguments)])


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """B, but for one word."""
    path = tmp_path / "changed.jsonl"
    lines = B.read_text().splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if '\\"source\\":\\"edged\\"' in line and "podstatus/" in line)
    lines[place] = lines[place].replace('\\"phase\\":\\"Running\\"', '\\"phase\\":\\"Failing\\"')
    path.write_text("".join(lines))
    return path


def test_a_recording_compared_with_itself_is_equal(capsys: pytest.CaptureFixture[str]) -> None:
    assert recording("compare", B, B) == 0
    assert capsys.readouterr().out.startswith("b_services_endpoints_pods: equal\n")


def test_what_changed_is_shown_with_its_field_and_ends_with_1(
    changed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recording("compare", B, changed) == 1
    shown = capsys.readouterr().out
    for words in ("b_services_endpoints_pods: different", "content.Status.phase", '- "Running"', '+ "Failing"'):
        assert words in shown
    assert "\x1b" not in shown


def test_a_verdict_is_json_and_junit_for_programs(
    changed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recording("compare", B, changed, "--json", "--junit", tmp_path / "v.xml") == 1
    told = json.loads(capsys.readouterr().out)
    (verdict,) = told["verdicts"]
    assert told["is_equal"] is verdict["is_equal"] is False
    assert [one["path"] for one in verdict["differences"]] == ["content.Status.phase"]
    assert ET.parse(tmp_path / "v.xml").getroot().get("failures") == "1"


def test_rules_of_a_users_own_file_count(changed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "known: [{ledger: OURS-1, kind: pod status, field: content.Status.phase, recorded: text, ours: text}]\n"
    )
    assert recording("compare", B, changed, "--rules", rules) == 0
    assert "known differences met: OURS-1 ×1" in capsys.readouterr().out  # noqa: RUF001


@pytest.mark.parametrize("what", ["recording", "rules", "junit"])
def test_what_cannot_run_ends_with_2(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "no" / "such"
    flags = {"recording": (), "rules": ("--rules", missing), "junit": ("--junit", missing)}[what]
    assert recording("compare", missing if what == "recording" else B, B, *flags) == 2
    assert str(missing) in capsys.readouterr().err


def test_the_rules_are_listed_with_their_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    assert recording("rules") == 0
    shown = capsys.readouterr().out
    for words in ("header.msg_id", "each message has an id of its own", "ED5", "nothing -> address", "keepalive"):
        assert words in shown


def test_rules_are_json_with_those_of_a_users_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("not_compared: [{kind: mqtt, resource: debug/*, why: nobody reads it}]\n")
    assert recording("rules", "--rules", rules, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["not_compared"][0] == {"kind": "mqtt", "resource": "debug/*", "why": "nobody reads it"}
    assert any(one["ledger"] == "EH8" and one["side"] == "ours" for one in told["known"])


def test_the_file_that_the_help_shows_can_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recording", "rules", "--help"]) == 0
    shown = capsys.readouterr().out
    example = shown[shown.index("  checks:") : shown.index("examples:")]
    path = tmp_path / "rules.yaml"
    path.write_text("".join(f"{line[2:]}\n" for line in example.splitlines()))
    assert recording("rules", "--rules", path) == 0
    assert "TEAM-18" in capsys.readouterr().out
