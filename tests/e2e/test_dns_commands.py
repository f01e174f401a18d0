"""``edgecore dns query`` on a real node: what is answered, and why."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

NAME = "web.default.svc.cluster.local"


@pytest.fixture
def node(programs: Any, words: Any, backend: Callable[..., Any]) -> Any:
    """A node with one service."""
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    node.ready()
    cloud.send(*words.arrival("web", 12345, backend()))
    node.service("web")
    return node


def query(programs: Any, node: Any, *words: str) -> tuple[int, str]:
    done = programs.run("edgecore", "dns", "query", *words, "--config", node.config)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_question_asked_by_hand_gets_the_answer_and_where_it_is_from(programs: Any, node: Any) -> None:
    fake_ip = node.resolve(NAME)[1]

    assert query(programs, node, NAME, "--short") == (0, f"{fake_ip}\n")

    code, text = query(programs, node, NAME)
    assert code == 0
    assert text.startswith(f"{NAME}.  64  IN  A  {fake_ip}\n\n")
    assert "because:  the name is that of service default/web (rule service)" in text

    code, text = query(programs, node, "WEB.default", "--json")
    told = json.loads(text)
    assert (code, told["status"], told["name"], told["ready"]) == (0, "NOERROR", "WEB.default.", True)
    assert told["answer"] == [{"name": "WEB.default.", "ttl": 64, "type": "A", "data": fake_ip}]
    assert [row["row"] for row in told["rows"]] == ["default/service/web", "default/podlist/web"]
    service, pods = told["rows"]
    assert (service["source"], service["operation"]) == ("edgecontroller", "insert")
    assert (service["resource"], pods["resource"]) == ("default/service/web", "default/podlist/web")
    assert service["message_id"] != pods["message_id"]
    assert 0 <= service["age_s"] < 60


def test_what_has_no_records_is_exit_code_1_and_says_why(programs: Any, node: Any) -> None:
    code, text = query(programs, node, "none.default.svc.cluster.local")
    assert (code, "there is no service default/none" in text, "NXDOMAIN" in text) == (1, True, True)
    code, text = query(programs, node, NAME, "MX")
    assert (code, "has no record of type MX" in text, "NOERROR" in text) == (1, True, True)
    assert query(programs, node, NAME, "MX", "--short") == (1, "")


def test_an_empty_name_is_wrong_usage(programs: Any) -> None:
    done = programs.run("edgecore", "dns", "query", "")
    assert (done.returncode, "cannot ask for a name: it is empty" in done.stderr) == (2, True)


def test_a_name_that_no_name_server_answers_is_exit_code_3(programs: Any, node: Any) -> None:
    code, text = query(programs, node, "www.example.com")
    assert code == 3
    assert "SERVFAIL" in text
    assert re.search(r"upstream: no answer: no_reply: 127\.0\.0\.1:9 \w+ after \d+ ms", text)


def test_a_node_that_is_not_there_is_exit_code_9(programs: Any) -> None:
    done = programs.run("edgecore", "dns", "query", NAME, "--control", programs.directory("none") / "none.sock")
    assert (done.returncode, done.stdout) == (9, "")
    assert done.stderr.startswith("edgecore: cannot reach the node at ")


@pytest.mark.parametrize(("name", "qtype"), [("a..b", "A"), (NAME, "NOSUCH")])
def test_a_question_that_cannot_be_asked_is_wrong_usage(programs: Any, name: str, qtype: str) -> None:
    done = programs.run("edgecore", "dns", "query", name, qtype)
    assert done.returncode == 2
    assert "cannot ask for" in done.stderr
