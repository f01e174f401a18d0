"""Command lines that are refused, or explained, before anything is asked or started."""

from pathlib import Path

import pytest

from cloudhub_stub.cli import VERBS, main

RECORDING = "examples/recordings/b2_deletes.jsonl"


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay"],
        ["replay", RECORDING, "--map", "10.66.0.2"],
        ["replay", RECORDING, "--map", "10.66.0.2=host"],
        ["replay", RECORDING, "--from", "0"],
        ["replay", RECORDING, "--from", "5", "--to", "4"],
        ["replay", RECORDING, "--to", "x"],
        ["replay", RECORDING, "--only", "("],
        ["replay", RECORDING, "--wait", "inf"],
        ["replay", RECORDING, "--control", "a", "--state-dir", "b"],
        ["run", "--listen", "10000"],
        ["run", "--observe", "sometimes"],
        ["run", "--keepalive-timeout", "0"],
        ["run", "--max-message-bytes", "-1"],
        ["run", "--resend-every", "0"],
        ["run", "--give-up-after", "soon"],
        ["run", "--in-flight", "1001"],
        ["run", "--answer-delay", "2"],
        ["run", "--node-limit", "0"],
        ["send"],
        ["send", "x.jsonl", "--wait", "5"],
        ["run", "--log-level", "loud"],
        ["run", "--https", "10002"],
        ["run", "--cert-days", "0"],
        ["run", "--cert-days", "nan"],
        ["run", "--cert-days", "36501"],
        ["run", "--token-lifetime", "0"],
        ["token", "--json", "--file"],
        ["apply"],
        ["get"],
        ["get", "whatever"],
        ["delete", "pod"],
        ["describe"],
        ["scale", "deployment", "d"],
        ["scale", "pod", "p", "--replicas", "2"],
        ["messages"],
        ["call", "edge-1"],
        ["call", "edge-1", "8080"],
        ["call", "edge-1", "http:/x"],
        ["call", "edge-1", "8080:/x", "-H", "no colon"],
        ["call", "edge-1", "8080:/x", "--timeout", "0"],
        ["publish", "edge-1", "a/b"],
        ["publish", "edge-1", "a/+", "x"],
        ["publish", "edge-1", "", "x"],
        ["uploads"],
        ["what"],
    ],
)
def test_wrong_usage_is_exit_code_2_with_the_reason(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage: cloudhub-stub" in capsys.readouterr().err


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_the_help_of_each_verb_teaches_with_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert "examples:" in text
    assert f"cloudhub-stub {verb}" in text.partition("examples:")[2]


@pytest.mark.parametrize(
    "arguments",
    [
        ["nodes"],
        ["status"],
        ["token"],
        ["ledger"],
        ["send", "/dev/null"],
        ["replay", RECORDING],
        ["apply", "-f", "examples/manifests/config"],
        ["get", "pods"],
        ["describe", "pod", "p"],
        ["delete", "pod", "p"],
        ["scale", "deployment", "d", "--replicas", "2"],
        ["messages", "edge-1"],
    ],
)
def test_without_a_running_stub_the_way_to_start_one_is_named(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--state-dir", str(tmp_path)]) == 1
    complaint = capsys.readouterr().err
    assert str(tmp_path / "control.sock") in complaint
    assert "cloudhub-stub run" in complaint


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{}\n{", "line 2: "),
        ("[]", "line 1: a message is a JSON object"),
        ("\xff", "not UTF-8"),
        (None, "No such file"),
    ],
)
def test_what_is_no_message_is_named_before_anything_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, why: str
) -> None:
    path = tmp_path / "m.jsonl"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    assert main(["send", str(path), "--state-dir", str(tmp_path)]) == 1
    complaint = capsys.readouterr().err
    assert complaint.startswith(f"cloudhub-stub: cannot read {path}: ")
    assert why in complaint
