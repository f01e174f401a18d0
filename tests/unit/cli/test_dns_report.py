"""The answer to a question for a name, as people see it."""

from typing import Any

import pytest

from edgecore.cli.dns_report import exit_code, report, short_lines

ROW = {
    "row": "default/service/web",
    "message_id": "8e2f",
    "source": "edgecontroller",
    "operation": "insert",
    "resource": "default/service/web",
    "at_ms": 1,
    "age_s": 7507.5,
}
UPSTREAM = {
    "outcome": "miss",
    "zone": "",
    "server": None,
    "age_s": None,
    "reason": "",
    "tried": [
        {"server": "192.0.2.1:53", "word": "silent", "after_s": 1.5},
        {"server": "192.0.2.2:53", "word": "refused", "after_s": 0.0204},
    ],
}
TRIED = "192.0.2.1:53 silent after 1500 ms, 192.0.2.2:53 refused after 20 ms"


def told(**changes: Any) -> dict[str, Any]:
    """Return what a node says of the service ``web``, but for ``changes``."""
    answer = [
        {"name": "web.default.", "ttl": 64, "type": "A", "data": "127.251.0.1"},
        {"name": "web.default.", "ttl": 5, "type": "CNAME", "data": "x."},
    ]
    usual = {
        "name": "web.default.",
        "type": "A",
        "status": "NOERROR",
        "flags": ["aa", "rd", "ra"],
        "bytes": 56,
        "answer": answer,
        "authority": [],
        "additional": [],
        "rule": "service",
        "why": "the name is that of service default/web",
        "ready": True,
        "upstream": None,
        "rows": [ROW],
    }
    return usual | changes


def test_records_come_first_then_status_reason_and_message() -> None:
    assert report(told()).splitlines() == [
        "web.default.  64  IN  A      127.251.0.1",
        "web.default.   5  IN  CNAME  x.",
        "",
        "status:   NOERROR, A of web.default. (flags aa rd ra; 56 bytes)",
        "because:  the name is that of service default/web (rule service)",
        "          from the table of ready answers",
        "known by: default/service/web, for 2 h 5 min, from insert default/service/web of edgecontroller, message 8e2f",
    ]


def test_other_sections_have_headings() -> None:
    soa = [{"name": "cluster.local.", "ttl": 5, "type": "SOA", "data": "ns.dns.cluster.local. ..."}]
    text = report(told(answer=[], authority=soa))
    assert text.startswith("authority:\ncluster.local.  5  IN  SOA  ns.dns")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, f"a name server answered just now ({TRIED})"),
        ({"server": "192.0.2.1:53", "tried": []}, "192.0.2.1:53 answered just now"),
        (
            {"server": "10.0.0.53:53", "zone": "corp.example", "tried": []},
            "10.0.0.53:53 (of the zone corp.example) answered just now",
        ),
        (
            {"outcome": "hit", "age_s": 90.5, "server": "192.0.2.1:53"},
            "from the cache, 1 min 30 s old, by 192.0.2.1:53",
        ),
        (
            {"outcome": "stale", "age_s": 90},
            "from the cache, 1 min 30 s old, by a name server, its time over, as no name server answers",
        ),
        ({"outcome": "failed", "reason": "no_reply"}, f"no answer: no_reply: {TRIED}"),
        ({"outcome": "busy", "tried": []}, "no answer: busy"),
        ({"outcome": "failed", "reason": "no_upstream", "tried": []}, "there is no name server to ask"),
    ],
)
def test_the_report_says_which_name_server_answered(changes: dict[str, Any], line: str) -> None:
    assert report(told(rows=[], upstream=UPSTREAM | changes)).splitlines()[-1] == f"upstream: {line}"


def test_short_is_the_data_alone() -> None:
    assert short_lines(told()) == ["127.251.0.1", "x."]
    assert short_lines(told(answer=[])) == []


@pytest.mark.parametrize(
    ("status", "answer", "code"),
    [("NOERROR", [{}], 0), ("NOERROR", [], 1), ("NXDOMAIN", [], 1), ("SERVFAIL", [], 3), ("REFUSED", [], 3)],
)
def test_the_exit_code_tells_records_from_none_and_from_no_answer(status: str, answer: list[Any], code: int) -> None:
    assert exit_code(told(status=status, answer=answer)) == code


def test_what_a_terminal_would_obey_is_written_out() -> None:
    record = {"name": "x.", "ttl": 1, "type": "TXT", "data": "\x1b[2J"}
    assert "\x1b" not in report(told(answer=[record], why="\x1b[2J"))


def test_a_reply_that_cannot_be_read_says_why() -> None:
    assert "the reply cannot be read: too short" in report(told(answer=[], unreadable="too short"))


def test_the_report_says_whose_questions_are_led_to_the_node() -> None:
    led = {"servers": ["192.0.2.1"], "listener": "169.254.96.16:53", "text": ""}
    line = "asked by: questions to 192.0.2.1 are led to 169.254.96.16:53"
    assert report(told(led=led)).splitlines()[-1] == line
    assert not any(line.startswith("asked by") for line in report(told(led=None)).splitlines())
