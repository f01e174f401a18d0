"""The commands for what is behind an edge, against a stub that answers as a test says."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgecore.control.routes import ControlRefused

ANSWER = {"node": "edge-1", "id": "m", "ms": 3.5, "status_code": 200, "header": {"A": ["1"]}, "body": "aGVsbG8="}
ACCEPTED = {"event": "accepted", "node": "edge-1", "ids": ["m"], "connected": True, "known": True}
UPLOAD = {"topic": "a/b", "size_bytes": 7, "at_ms": 36_000_000, "operation": "response", "shown": "hel\nlo"}


async def test_a_call_is_handed_in_and_its_body_printed(stub: Any, run: Any) -> None:
    stub.answers["calls"] = ANSWER
    done = await run("call", "edge-1", "8080:/a:b?c=d", "-H", "A: 1", "-H", "A:2")
    assert (done.code, done.out, done.err) == (0, "hello", "")
    asked = {"node": "edge-1", "resource": "8080:a:b?c=d", "method": "GET", "header": {"A": ["1", "2"]}}
    assert stub.asked == [("calls", {**asked, "body": "", "timeout_s": 15.0})]


async def test_a_body_makes_a_post_of_it(stub: Any, run: Any, tmp_path: Path) -> None:
    stub.answers["calls"] = ANSWER
    (tmp_path / "body").write_bytes(b"\xff\x00")
    await run("call", "edge-1", "80:x", "-d", "hi")
    await run("call", "edge-1", "80:x", "-d", f"@{tmp_path / 'body'}", "-X", "PUT")
    assert [(body["method"], body["body"]) for _, body in stub.asked] == [("POST", "aGk="), ("PUT", "/wA=")]


async def test_a_body_that_cannot_be_read_is_exit_code_1(stub: Any, run: Any) -> None:
    done = await run("call", "edge-1", "80:x", "-d", "@/nowhere/file")
    assert (done.code, stub.asked) == (1, [])
    assert "cannot read /nowhere/file: No such file or directory" in done.err


async def test_the_whole_answer_is_json(stub: Any, run: Any) -> None:
    stub.answers["calls"] = {**ANSWER, "status_code": 500}
    done = await run("call", "edge-1", "80:x", "--json")
    assert (done.code, json.loads(done.out)["header"], done.err) == (3, {"A": ["1"]}, "")


@pytest.mark.parametrize(
    ("header", "said"),
    [({}, "the answer has status 404"), ({"Server": ["kubeedge-edgecore"]}, "edge-1 itself answers with status 404")],
)
async def test_a_bad_status_is_exit_code_3_and_said(stub: Any, run: Any, header: Any, said: str) -> None:
    stub.answers["calls"] = {**ANSWER, "status_code": 404, "header": header}
    done = await run("call", "edge-1", "80:x")
    assert (done.code, done.out, done.err.strip()) == (3, "hello", said)


async def test_no_answer_is_exit_code_1_with_the_reason(stub: Any, run: Any) -> None:
    stub.answers["calls"] = ControlRefused(504, "cannot call edge-1: no answer within 15 s")
    done = await run("call", "edge-1", "80:x")
    assert (done.code, done.out) == (1, "")
    assert "no answer within 15 s" in done.err


async def test_a_publication_is_handed_in(stub: Any, run: Any) -> None:
    stub.answers["messages"] = ACCEPTED
    done = await run("publish", "edge-1", "a/b", "hello")
    assert (done.code, done.out) == (0, "1 message accepted for edge-1\n")
    ((_, body),) = stub.asked
    assert (body["node"], body["wait"], body["messages"][0]["content"]) == ("edge-1", False, "hello")


async def test_uploads_are_a_table_without_control_characters(stub: Any, run: Any) -> None:
    stub.answers["uploads"] = [UPLOAD, {**UPLOAD, "operation": "upload"}]
    done = await run("uploads", "edge-1")
    assert [line.split(maxsplit=4) for line in done.out.splitlines()] == [
        ["TIME", "FORM", "BYTES", "TOPIC", "BEGINS"],
        ["10:00:00.000", "1.3", "7", "a/b", "hel lo"],
        ["10:00:00.000", "1.6", "7", "a/b", "hel lo"],
    ]
    assert stub.asked == [("uploads", {"node": "edge-1"})]


async def test_uploads_are_json_or_none(stub: Any, run: Any) -> None:
    stub.answers["uploads"] = [UPLOAD]
    assert json.loads((await run("uploads", "edge-1", "-o", "json")).out) == [UPLOAD]
    stub.answers["uploads"] = []
    done = await run("uploads", "edge-1")
    assert (done.code, done.out, done.err) == (0, "", "devices of edge-1 sent nothing up yet\n")
