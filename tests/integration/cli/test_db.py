"""``edgecore db`` without a node: what it prints, its exit codes, and what it says to bad input."""

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from edgecore.app import SCHEMA
from edgecore.cli import main
from edgecore.cli.meter import Meter
from edgecore.clock import VirtualClock
from edgecore.config.host import default_config, this_machine
from edgecore.config.render import full_text
from edgecore.store.store import Statement, open_store

Db = Callable[..., tuple[int, str, str]]
VERBS = ("info", "check", "backup", "restore", "repair")


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """The file of a node that has stopped."""
    path = tmp_path / "edgecore.db"
    store = open_store(path, SCHEMA)
    await store.write(
        *(
            Statement("INSERT INTO meta VALUES (?, 'pod', ?)", (f"default/pod/{number}", f'"{"x" * 900}"'))
            for number in range(100)
        )
    )
    await store.close()
    return path


@pytest.fixture
def db(path: Path, capsys: pytest.CaptureFixture[str]) -> Db:
    """``db(verb, ...)``: run the command on that file; exit code, output, complaint."""

    def run(verb: str, *arguments: object, on: tuple[object, ...] = ("--db", path)) -> tuple[int, str, str]:
        code = main(["db", verb, *map(str, (*arguments, *on))])
        return code, *capsys.readouterr()

    return run


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5 * 4096 : -4 * 4096] = b"\x5a" * 4096
    path.write_bytes(content)


def test_info_tells_size_schema_writer_rows_and_backups(db: Db, path: Path) -> None:
    assert db("backup")[0] == 0
    code, out, _ = db("info")
    assert code == 0
    assert re.search(rf"^file +{path}$", out, re.MULTILINE)
    assert re.search(r"^written by +edgecore \(schema 2, known up to 2\)$", out, re.MULTILINE)
    assert re.search(r"^used by +nobody$", out, re.MULTILINE)
    assert re.search(r"^last backup +edgecore.db.backup-\d{8}T\d{6}Z \(schema 2, ", out, re.MULTILINE)
    assert re.search(r"^meta +100 +KubeEdge$", out, re.MULTILINE)
    assert re.search(r"^outbox +0 +edgecore$", out, re.MULTILINE)


def test_info_as_json_is_the_same_for_programs(db: Db, path: Path) -> None:
    code, out, _ = db("info", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["path"], found["schema"], found["in_use"]) == (str(path), 2, False)
    assert {"name": "meta", "rows": 100, "of": "KubeEdge"} in found["tables"]


def test_a_file_of_the_go_edgecore_is_known_as_one(db: Db, tmp_path: Path) -> None:
    go = tmp_path / "go.db"
    with closing(sqlite3.connect(go)) as connection:
        connection.execute("CREATE TABLE meta (key varchar(256) PRIMARY KEY, type varchar(32), value text)")
        connection.execute("CREATE TABLE sub_topics (topic text PRIMARY KEY)")
        connection.execute("CREATE TABLE mine (topic text PRIMARY KEY)")
    before = go.read_bytes()
    code, out, _ = db("info", on=("--db", go))
    assert code == 0
    assert "Go edgecore (schema 0, known up to 2)" in out
    assert re.search(r"^sub_topics +0 +KubeEdge$", out, re.MULTILINE)
    assert re.search(r"^mine +0 +others$", out, re.MULTILINE)
    assert db("check", on=("--db", go))[0] == 0
    assert go.read_bytes() == before


def test_check_of_a_whole_file_is_0_and_of_a_damaged_one_3_with_what_to_do(db: Db, path: Path) -> None:
    code, out, _ = db("check")
    assert (code, out) == (0, f"{path} is whole: every page, every index, and the tables of edgecore\n")
    damage(path)
    code, out, _ = db("check")
    assert code == 3
    assert f"what to do: `edgecore db repair --db {path}` saves what can be read" in out
    code, out, _ = db("check", "--json")
    assert code == 3
    assert json.loads(out)[0]["way_out"]


def test_check_names_tables_of_another_shape_and_a_newer_schema(db: Db, path: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 9")
    assert "of a newer edgecore: schema 9, known up to 2" in db("check")[1]
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE meta (id integer)")
    code, out, _ = db("check", on=("--db", tmp_path / "other.db"))
    assert code == 3
    assert "not a table of edgecore: meta has no column key, type, value" in out


def test_info_of_a_damaged_file_tells_what_is_known_and_why_not_more(db: Db, path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])
    code, out, _ = db("info")
    assert code == 3
    assert re.search(r"^size +9 KiB$", out, re.MULTILINE)
    assert re.search(r"^problem +cannot open database .* cut short", out, re.MULTILINE)


def test_repair_names_what_is_lost_and_where_the_damaged_file_is(db: Db, path: Path) -> None:
    damage(path)
    before = path.read_bytes()
    code, out, _ = db("repair")
    assert code == 3
    assert re.search(r"^meta: 9\d rows saved, \d known to be lost$", out, re.MULTILINE)
    assert re.search(r"^  lost: default/pod/\d+$", out, re.MULTILINE)
    aside = out.rsplit("kept as it was: ", 1)[1].strip()
    assert Path(aside).read_bytes() == before
    assert db("check")[0] == 0


def test_a_backup_is_restored_and_the_former_kept(db: Db, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    code, out, _ = db("backup", copy)
    assert code == 0
    assert re.fullmatch(rf"{copy}: \d+ KiB, verified\n", out)
    damage(path)
    code, out, _ = db("restore", copy)
    assert code == 0
    assert f"{path} is now what {copy} was\nwhat was there before is kept as {path}.before-restore-" in out
    assert db("check")[0] == 0


def test_a_backup_does_not_overwrite(db: Db, path: Path) -> None:
    code, out, error = db("backup", path)
    assert (code, out) == (1, "")
    assert error == f"edgecore: cannot back up {path} to {path}: that file exists; name another, or move it away\n"


def test_the_file_is_found_in_the_configuration(db: Db, path: Path, tmp_path: Path) -> None:
    text = full_text(default_config(this_machine())).replace("/var/lib/kubeedge/edgecore.db", str(path))
    (tmp_path / "edgecore.yaml").write_text(text)
    code, out, _ = db("info", on=("--config", tmp_path / "edgecore.yaml"))
    assert code == 0
    assert str(path) in out


@pytest.mark.parametrize("content", [b"", b"\0", b"text", b"SQLite format 3\0", b"SQLite format 3\0" + b"\xff" * 200])
@pytest.mark.parametrize("verb", VERBS)
def test_no_content_of_a_file_ends_in_a_traceback(db: Db, tmp_path: Path, verb: str, content: bytes) -> None:
    bad = tmp_path / "bad.db"
    bad.write_bytes(content)
    arguments = {"backup": [tmp_path / "out"], "restore": [bad]}.get(verb, [])
    on = ("--db", tmp_path / "new.db") if verb == "restore" else ("--db", bad)
    code, out, error = db(verb, *arguments, on=on)
    assert code in ({0, 3} if verb in ("info", "check") else {0, 1, 3})
    assert str(bad) in out + error
    assert bad.read_bytes() == content
    assert error.count("\n") <= 1


@pytest.mark.parametrize("verb", VERBS)
def test_a_file_that_is_not_there_is_named(db: Db, tmp_path: Path, verb: str) -> None:
    missing = tmp_path / "none.db"
    arguments = [missing] if verb == "restore" else []
    code, out, error = db(verb, *arguments, on=("--db", missing))
    assert (code, out) == (1, "")
    assert re.match(rf"edgecore: cannot [a-z ]+ {missing}: ", error)
    assert not missing.exists()


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["restore"], ["info", "--db", "a", "--config", "b"], ["backup", "a", "b"]],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", *arguments]) == 2
    assert "usage: edgecore" in capsys.readouterr().err


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself_with_exit_codes_and_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", verb, "--help"]) == 0
    out = capsys.readouterr().out
    assert "exit code: 0" in out
    assert f"edgecore db {verb}" in out.split("examples:")[1]


async def test_progress_is_shown_on_a_terminal_after_a_second() -> None:
    class Terminal:
        def __init__(self) -> None:
            self.text = ""

        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> None:
            self.text += text

        def flush(self) -> None: ...

    terminal, clock = Terminal(), VirtualClock()
    meter = Meter("copying", terminal, clock)  # type: ignore[arg-type]
    meter.tell(1, 10)
    assert terminal.text == ""
    await clock.advance(1)
    meter.tell(5, 10)
    meter.tell(6, 10)
    assert terminal.text == "\r\x1b[Kcopying: 50 %"
    meter.end()
    assert terminal.text.endswith("\r\x1b[K")
