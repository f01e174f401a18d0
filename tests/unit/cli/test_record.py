"""What ``edgecore record`` prints."""

from edgecore.cli.record import report

TOLD = {
    "path": "/tmp/s.jsonl",
    "kinds": ["text", "note"],
    "recording": True,
    "entries": 7,
    "bytes": 900,
    "lost": 0,
    "waiting": 1,
    "redacted": True,
    "error": "",
}


def test_a_recording_that_is_on_is_told_with_its_figures() -> None:
    assert report(TOLD).splitlines() == [
        "recording into /tmp/s.jsonl",
        "entries 7, bytes 900, lost 0, waiting 1",
        "kinds frames, notes; secrets are pseudonyms",
    ]


def test_one_that_failed_says_why() -> None:
    lines = report({**TOLD, "recording": False, "error": "cannot write: full"}).splitlines()
    assert lines[:2] == ["ended: /tmp/s.jsonl", "failed: cannot write: full"]


def test_secrets_that_are_kept_are_told() -> None:
    assert "secrets are as they are" in report({**TOLD, "redacted": False})


def test_a_node_that_records_nothing_says_so() -> None:
    assert report({"recording": False}).startswith("nothing is recorded")
