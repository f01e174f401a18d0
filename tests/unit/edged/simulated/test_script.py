"""The annotation that says what becomes of a simulated container."""

import math
import re
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edged.simulated.script import (
    ANNOTATION,
    LONGEST_S,
    Script,
    ScriptError,
    annotations_of,
    parse,
    script_of,
)


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("", Script()),
        (" , ", Script()),
        ("runs=20s", Script(runs_s=20)),
        ("exit=1", Script(runs_s=0, exit_code=1, reason="Error")),
        ("exit=0", Script(runs_s=0)),
        ("runs=1m30s, exit=3, times=2", Script(runs_s=90, exit_code=3, reason="Error", times=2)),
        ("oom,runs=500ms", Script(runs_s=0.5, exit_code=137, reason="OOMKilled")),
        ("create=2", Script(create_s=2)),
        ("pull-fails", Script(pull_fails=math.inf)),
        ("pull-fails=2", Script(pull_fails=2)),
        ("ready=1h", Script(ready_s=3600)),
        ("ready=never", Script(ready_s=math.inf)),
        ("stop = 0.5s", Script(stop_s=0.5)),
        ("runs=9999999h", Script(runs_s=LONGEST_S)),
    ],
)
def test_a_script_says_what_becomes_of_a_container(text: str, script: Script) -> None:
    assert parse(text) == script


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fly", "there is no step 'fly'; use one of create, "),
        ("oom=1", "there is no step 'oom'"),
        ("runs", "runs='' is no time; write one such as 20s or 1m30s"),
        ("runs=soon", "runs='soon' is no time"),
        ("runs=-1s", "runs='-1s' is no time"),
        ("exit=256", "exit='256' is no number from 0 to 255; write one"),
        ("exit=²", "is no number"),
        ("times=x", "times='x' is no number"),
        ("runs=1,runs=2", "there are two steps 'runs'; leave one out"),
        (",".join(["stop=1"] * 200), "it has 1399 characters; the limit is 1000"),
    ],
)
def test_what_is_no_script_says_why_and_what_to_write(text: str, says: str) -> None:
    with pytest.raises(ScriptError, match=re.escape(says)):
        parse(text)


def test_a_containers_own_script_comes_before_that_of_all() -> None:
    scripts = {ANNOTATION: "exit=1", f"{ANNOTATION}.a": "exit=2", f"{ANNOTATION}.init": "exit=3"}
    codes = [script_of(scripts, name, is_init=name == "init").exit_code for name in ("a", "b", "init")]
    assert codes == [2, 1, 3]
    assert script_of({ANNOTATION: "exit=1"}, "init", is_init=True) == Script()


def test_the_annotation_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ScriptError, match=f"cannot read annotation {ANNOTATION}.a: there is no step 'x'"):
        script_of({f"{ANNOTATION}.a": "x"}, "a", is_init=False)


def test_scripts_are_found_among_the_annotations_of_a_pod() -> None:
    pod = {"metadata": {"name": "p", "annotations": {"other": "x", ANNOTATION: "exit=1"}}, "spec": {}}
    assert annotations_of(msgspec.json.encode(pod)) == {ANNOTATION: "exit=1"}


@pytest.mark.parametrize("data", [b"", b"[]", b'{"metadata":{"annotations":{"a":1}}}', b'{"metadata":{}}', b"\xff"])
def test_what_is_no_pod_has_no_scripts(data: bytes) -> None:
    assert annotations_of(data) == {}


@given(st.text(max_size=60) | st.from_regex(r"\A(runs|exit|ready|stop|times)=[0-9hms.]{1,12}\Z"))
def test_no_text_does_more_than_raise_a_script_error(text: str) -> None:
    with suppress(ScriptError):
        script = parse(text)
        assert 0 <= script.exit_code <= 255
        assert script.runs_s is None or 0 <= script.runs_s <= LONGEST_S
