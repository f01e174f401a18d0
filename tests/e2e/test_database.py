"""``edgecore db`` on the file of a node: while it runs, after it was killed, and after its file was damaged."""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

Json = dict[str, Any]


@pytest.fixture
def node(programs: Any, words: Any) -> Any:
    """A running node that has three services."""
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    for number in range(3):
        cloud.send(words.put(words.service(f"web-{number}", ("http", 8000 + number))))
    node.wait_for("services", lambda status: len(status["mesh"].get("services", ())) == 3)
    return node


@pytest.fixture
def db(programs: Any, node: Any) -> Any:
    """``db(verb, ...)``: run the command for that node; exit code, output, complaint."""

    def run(verb: str, *arguments: object) -> tuple[int, str, str]:
        done = programs.run("edgecore", "db", verb, *arguments, "--config", node.config)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


def rows_of(db: Any) -> Json:
    code, out, _ = db("info", "--json")
    assert code == 0
    return {table["name"]: table["rows"] for table in json.loads(out)["tables"]}


def test_the_file_of_a_running_node_is_described_checked_and_copied_and_not_replaced(node: Any, db: Any) -> None:
    code, out, _ = db("info")
    assert code == 0
    assert re.search(rf"^used by +a running node \(process {node.process.pid}\)$", out, re.MULTILINE)
    assert re.search(r"^written by +edgecore \(schema 2, known up to 2\)$", out, re.MULTILINE)
    assert db("check")[0] == 0
    code, out, _ = db("backup")
    assert code == 0
    backup = Path(out.split(": ")[0])
    assert backup.parent == node.directory

    for verb, arguments in (("restore", [backup]), ("repair", [])):
        code, out, error = db(verb, *arguments)
        assert (code, out) == (1, "")
        assert f"another edgecore uses it (process {node.process.pid}); stop that one" in error
    assert node.status()["store"]["troubles"] == {}
    assert not [reason for reason in node.status()["reasons"] if "database" in reason]


def test_a_node_starts_with_what_was_put_back(programs: Any, node: Any, db: Any) -> None:
    before = {each["name"]: each["fake_ip"] for each in node.status()["mesh"]["services"]}
    copy = node.directory / "copy.db"
    assert db("backup", copy)[0] == 0
    node.stop(signal.SIGKILL)
    database = node.directory / "edgecore.db"
    os.truncate(database, database.stat().st_size // 2)
    database.with_name("edgecore.db-wal").unlink()

    assert programs.node().ended() == 1
    log = (node.directory / "log.txt").read_text()
    assert f"edgecore: cannot open database {database}: " in log
    assert "edgecore db repair --db" in log
    code, out, _ = db("check")
    assert code == 3
    assert "what to do: " in out
    code, out, _ = db("restore", copy)
    assert code == 0
    assert "what was there before is kept as" in out
    again = programs.node()
    services = again.ready()["mesh"]["services"]
    assert {each["name"]: each["fake_ip"] for each in services} == before


def test_what_a_repair_saves_is_served_again(programs: Any, node: Any, db: Any) -> None:
    before = {each["name"]: each["fake_ip"] for each in node.status()["mesh"]["services"]}
    rows = rows_of(db)
    assert node.stop() == 0
    database = node.directory / "edgecore.db"
    with database.open("r+b") as file:
        file.write(b"garbage" * 14)

    assert programs.node().ended() == 1
    code, out, _ = db("repair")
    assert code == 0
    assert re.search(r"^the damaged one is kept as it was: .*\.damaged-\d{8}T\d{6}Z$", out, re.MULTILINE)
    # What EdgeHub and Edged do while they stop may change a row; none of the cloud's is missing.
    assert rows_of(db)["edgemesh_address"] == rows["edgemesh_address"]
    again = programs.node()
    assert {each["name"]: each["fake_ip"] for each in again.ready()["mesh"]["services"]} == before


def test_a_node_whose_file_is_deleted_says_so(node: Any) -> None:
    (node.directory / "edgecore.db").rename(node.directory / "gone")
    status = node.wait_for("a reason", lambda status: status if "deleted" in str(status["reasons"]) else None)
    assert status["state"] == "degraded"
    assert f"{node.directory / 'edgecore.db'} was deleted under the running node" in str(status["reasons"])
    (node.directory / "gone").rename(node.directory / "edgecore.db")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty, and was not"),
        (b"no database", "file is not a database"),
    ],
)
def test_a_node_does_not_start_with_a_file_that_is_none(programs: Any, node: Any, content: bytes, said: str) -> None:
    assert node.stop() == 0
    database = node.directory / "edgecore.db"
    database.write_bytes(content)
    assert programs.node().ended() == 1
    log = (node.directory / "log.txt").read_text()
    assert f"edgecore: cannot open database {database}: {said}" in log
    assert "Traceback" not in log
    assert database.read_bytes() == content
