"""An explanation as people see it."""

from typing import Any

from edgecore.cli.explain_report import report

MESSAGE = {
    "kind": "message",
    "name": "default/service/web",
    "message_id": "8e2f",
    "source": "edgecontroller",
    "operation": "insert",
    "resource": "default/service/web",
    "at_ms": 1,
    "age_s": 7507.5,
}
LISTED = {**MESSAGE, "resource": "namespace/servicelist/service"}
SETTING = {"kind": "setting", "name": "modules.edgeMesh.lbStrategy", "value": "RoundRobin", "is_default": True}


def step(word: str, fact: str, state: str = "ok", **values: Any) -> dict[str, Any]:
    return {"step": word, "state": state, "fact": fact, "why": [], "port": "", "sources": [], "values": {}, **values}


def verdict(text: str, port: str = "", *, works: bool = True) -> dict[str, Any]:
    return {"word": "answered", "text": text, "works": works, "port": port}


def test_the_verdict_comes_first_then_each_step_with_reasons_and_sources() -> None:
    told = {
        "asked": "web:80",
        "verdicts": [verdict("would be answered by web-a at 10.0.0.1:31000", "80/tcp")],
        "steps": [
            step(
                "dns", "127.251.0.1 (A, TTL 64 s)", why=["the name is that of service default/web"], sources=[MESSAGE]
            ),
            step("service", "service default/web", sources=[MESSAGE]),
            step("policy", "RoundRobin", port="80/tcp", sources=[SETTING]),
        ],
    }
    assert (
        report(told)
        == """\
web:80 would be answered by web-a at 10.0.0.1:31000

   dns           127.251.0.1 (A, TTL 64 s)
                   the name is that of service default/web
                   by insert default/service/web of edgecontroller, 2 h 5 min ago, message 8e2f
   service       service default/web
                   by insert default/service/web, as above
   policy        RoundRobin
                   by setting modules.edgeMesh.lbStrategy: RoundRobin, as built in
"""
    )


def test_what_is_amiss_is_marked_and_the_marks_are_explained() -> None:
    told = {
        "asked": "web",
        "verdicts": [verdict("would be refused", works=False)],
        "steps": [step("cloud", "away for 3 min", "warning"), step("address", "none of ours", "broken")],
    }
    assert (
        report(told)
        == """\
web would be refused

!  cloud         away for 3 min
X  address       none of ours

(! worth a look, X does not work)
"""
    )


def test_several_ports_have_a_part_each() -> None:
    told = {
        "asked": "web",
        "verdicts": [verdict("would be answered by a", "80/tcp"), verdict("would be refused", "81/tcp", works=False)],
        "steps": [
            step("service", "service default/web"),
            step("port", "80/tcp http", port="80/tcp"),
            step("port", "81/tcp", "broken", port="81/tcp"),
        ],
        "tried": ["port 80/tcp: GET / was answered with 200 OK"],
    }
    assert (
        report(told)
        == """\
web: 1 of 2 ports would be served

   service       service default/web

port 80/tcp would be answered by a
   port          80/tcp http

port 81/tcp would be refused
X  port          81/tcp
   tried         port 80/tcp: GET / was answered with 200 OK

(X does not work)
"""
    )


def test_each_kind_of_source_is_named() -> None:
    sources = [
        {**LISTED, "stale_s": 180.0},
        {"kind": "annotation", "name": "edgemesh.kubeedge.io/retries", "value": "5"},
        {"kind": "setting", "name": "modules.edgeMesh.mode", "value": "auto"},
        {"kind": "field", "name": "spec.sessionAffinity"},
        {"kind": "node", "name": "default/pod/web-a", "value": "deleted"},
    ]
    told = {"asked": "web", "verdicts": [verdict("works")], "steps": [step("policy", "Random", sources=sources)]}
    row = "insert namespace/servicelist/service of edgecontroller (row default/service/web)"
    assert [line.strip() for line in report(told).splitlines()[3:]] == [
        f"by {row}, 2 h 5 min ago, unconfirmed for 3 min, message 8e2f",
        "by annotation edgemesh.kubeedge.io/retries: 5",
        "by setting modules.edgeMesh.mode: auto",
        "by the service's spec.sessionAffinity",
        "by this node: default/pod/web-a deleted",
    ]


def test_a_long_line_is_broken_between_words_and_moves_no_cursor() -> None:
    told = {
        "asked": "web\x1b[2J",
        "verdicts": [verdict("works")],
        "steps": [step("dns", "word " * 30 + "\x1b", why=["reason " * 20])],
    }
    lines = report(told).splitlines()
    assert lines[0] == "web\\x1b[2J works"
    assert max(map(len, lines)) <= 110
    assert lines[3].startswith(" " * 17 + "word")
