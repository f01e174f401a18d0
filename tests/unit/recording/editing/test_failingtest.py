"""The pytest file for a recording on which something fails."""

import ast
from pathlib import PurePath

import pytest

from edgecore.recording.editing.failingtest import name_of, text_of


@pytest.mark.parametrize(
    ("recording", "name"),
    [
        ("bad.min.jsonl", "test_bad_min.py"),
        ("/x/B2 deletes.jsonl.zst", "test_b2_deletes.py"),
        ("7.jsonl", "test_7.py"),
        (".jsonl", "test_recording.py"),
    ],
)
def test_the_file_is_named_after_the_recording(recording: str, name: str) -> None:
    assert name_of(PurePath(recording)) == name


@pytest.mark.parametrize(
    "command", ["edgecore replay", "edgecore replay {file}", " .venv/bin/edgecore  replay {file} "]
)
def test_a_replay_becomes_a_test_of_the_plugin(command: str) -> None:
    text = text_of(PurePath("x/bad.min.jsonl"), "bad.jsonl", command, 1)
    ast.parse(text)
    assert text.endswith('def test_bad_min(edgecore_replay):\n    edgecore_replay("bad.min.jsonl")\n')


@pytest.mark.parametrize("command", ["./check.sh", "edgecore replay {file} --speed 1", "grep 'it''s' {file} \\"])
def test_any_other_command_is_run_by_the_test(command: str) -> None:
    text = text_of(PurePath("bad.min.jsonl"), "bad.jsonl", command, 7)
    ast.parse(text)
    assert "edgecore_replay(" not in text
    assert "returncode != 7" in text
    assert "{file}" in text


@pytest.mark.parametrize("command", ["edgecore replay", "./check.sh"])
def test_a_name_with_marks_of_python_in_it_stays_that_name(command: str) -> None:
    name = 'a"b\\c """ \u00fc.jsonl'
    tree = ast.parse(text_of(PurePath(name), name, command, 1))
    assert name in [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
