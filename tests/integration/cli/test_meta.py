"""``edgecore meta``, on files and against the routes of a node over a real store."""

import asyncio
import json
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgecore.cli import main
from edgecore.clock import SystemClock
from edgecore.control.server import ControlServer
from edgecore.modules.edgemesh import tables as mesh_tables
from edgecore.modules.metamanager import tables
from edgecore.modules.metamanager.steps import Put
from edgecore.modules.metamanager.tables import MetaTable, Origin
from edgecore.routes.meta import meta_routes
from edgecore.store.store import Store, open_store
from godatabase import DATA, write_go_database

WEB = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"ports": [{"port": 80}]}}
PASSWORD = {"metadata": {"name": "pw", "namespace": "default"}, "data": {"pw": "aHVudGVyMg=="}}


@pytest.fixture
def go_file(tmp_path: Path) -> Path:
    """The database of a Go edgecore."""
    path = tmp_path / "go.db"
    write_go_database(path, DATA / "b_edgecore_db.txt")
    return path


class FakeNode:
    """A store behind a control socket."""

    def __init__(self, store: Store, directory: Path) -> None:
        self.store = store
        self.socket = directory / "edgecore.sock"
        self.server = ControlServer(self.socket, meta_routes("edge-1", store, None, SystemClock()))

    async def put(self, key: str, value: Any, at_ms: int = 1_589_000_000_123) -> None:
        row_type = key.split("/")[1]
        text = value if isinstance(value, str) else json.dumps(value)
        origin = Origin("m-1", "edgecontroller", "insert", key, at_ms)
        await MetaTable(self.store).write([Put(key, row_type, text)], origin)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[FakeNode]:
    """With a service and a secret."""
    store = open_store(tmp_path / "edgecore.db", (*tables.SCHEMA, *mesh_tables.SCHEMA))
    node = FakeNode(store, tmp_path)
    await node.server.start()
    await node.put("default/service/web", WEB)
    await node.put("default/secret/pw", PASSWORD)
    yield node
    await node.server.stop()
    await store.close()


async def run(*arguments: object) -> int:
    return await asyncio.to_thread(main, ["meta", *map(str, arguments)])


def table(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


# Listing.


async def test_rows_are_listed_with_age_and_source(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("list", "--control", node.socket) == 0
    head, secret, service = table(capsys.readouterr().out)
    assert head == ["NAMESPACE", "TYPE", "NAME", "SIZE", "SINCE", "SOURCE"]
    assert secret[:4] == ["default", "secret", "pw", str(len(json.dumps(PASSWORD)))]
    assert service[2:] == ["web", str(len(json.dumps(WEB))), service[4], "edgecontroller"]
    assert service[4].endswith("d")


async def test_the_wide_table_has_the_message(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("list", "svc", "-o", "wide", "--control", node.socket) == 0
    assert table(capsys.readouterr().out)[1][-3:] == ["insert", "m-1", "default/service/web"]


async def test_rows_of_late_are_chosen_by_since(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    await node.put("default/service/new", WEB, SystemClock().now_ms())
    assert await run("list", "--since", "10m", "-o", "name", "--control", node.socket) == 0
    assert capsys.readouterr().out == "default/service/new\n"


def test_rows_of_a_go_edgecore_are_of_unknown_origin(go_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["meta", "list", "po,svc", "nginx*", "-n", "def*", "--db", str(go_file)]) == 0
    rows = table(capsys.readouterr().out)[1:]
    assert [row[1:3] + row[4:] for row in rows] == [
        ["pod", "nginx-0", "<unknown>", "<unknown>"],
        ["service", "nginx-svc", "<unknown>", "<unknown>"],
    ]


@pytest.mark.parametrize("words", [("all", "nginx-svc"), ("*/*/nginx-svc",), ("-n", "default", "*", "nginx-svc")])
def test_words_and_flags_stand_in_any_order(
    go_file: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert main(["meta", "list", "--db", str(go_file), *words, "-o", "name"]) == 0
    keys = capsys.readouterr().out.split()
    assert keys == ["default/endpoints/nginx-svc", "default/podlist/nginx-svc", "default/service/nginx-svc"]


def test_a_list_as_json_and_as_yaml_is_the_same_document(go_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["meta", "list", "--db", str(go_file), "-o", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 41
    assert rows[0]["value"]["metadata"]["name"] == rows[0]["name"]
    assert main(["meta", "list", "--db", str(go_file), "-o", "yaml"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == rows


@pytest.mark.parametrize(("output", "empty"), [("table", ""), ("json", "[]\n"), ("yaml", "[]\n"), ("name", "")])
def test_no_rows_are_no_error(go_file: Path, capsys: pytest.CaptureFixture[str], output: str, empty: str) -> None:
    assert main(["meta", "list", "nothing", "--db", str(go_file), "-o", output]) == 0
    assert capsys.readouterr().out == empty


def test_a_file_is_the_same_after_it_was_read(go_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = go_file.read_bytes()
    for verb in ("list", "check", "export"):
        main(["meta", verb, "--db", str(go_file)])
    assert go_file.read_bytes() == before
    assert list(go_file.parent.iterdir()) == [go_file]


# Getting.


async def test_a_row_is_shown_with_where_it_is_from(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("get", "default/service/web", "--control", node.socket) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[:3] == [
        f"# default/service/web, type service, {len(json.dumps(WEB))} bytes, in {node.store.path}",
        "# since 2020-05-09T04:53:20.123Z, by message m-1:",
        "#   insert of default/service/web from edgecontroller",
    ]
    assert yaml.safe_load(printed) == WEB


def test_a_row_of_a_go_edgecore_is_said_to_be_anothers(go_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["meta", "get", "listener", "default.nginx-svc", "--db", str(go_file)]) == 0
    assert "since when: unknown; another program wrote it" in capsys.readouterr().out


@pytest.mark.parametrize("output", ["json", "raw"])
async def test_a_row_is_shown_as_json_and_as_stored(
    node: FakeNode, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    assert await run("get", "svc", "web", "-o", output, "--control", node.socket) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document if output == "raw" else document["value"]) == WEB


async def test_a_value_that_is_no_json_is_shown_as_it_is(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    await node.put("default/pod/odd", "{\x1b[31m")
    assert await run("get", "pod", "odd", "--control", node.socket) == 0
    printed = capsys.readouterr().out
    assert "# the value is no JSON" in printed
    assert printed.endswith("{\\x1b[31m\n")


async def test_a_row_that_is_not_there_is_an_error_with_those_like_it(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run("get", "svc", "wep", "--control", node.socket) == 1
    error = capsys.readouterr().err
    assert error.startswith("edgecore: cannot get default/service/wep: there is no such row in node edge-1 (")
    assert error.rstrip().endswith("; there is default/service/web")


@pytest.mark.parametrize("words", [["web"], ["default/pod/web", "x"]])
def test_half_a_name_is_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["meta", "get", *words, "--db", "x"]) == 2
    assert "give a key such as default/pod/nginx, or a type and a name" in capsys.readouterr().err


# Secrets.


@pytest.mark.parametrize(
    "words", [("list", "-o", "json"), ("list", "-o", "yaml"), ("get", "secret", "pw"), ("export",)]
)
@pytest.mark.parametrize("live", [True, False])
async def test_a_secret_is_shown_to_those_who_ask_for_it_alone(
    node: FakeNode, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], live: bool
) -> None:
    source = ("--control", node.socket) if live else ("--db", node.store.path)
    assert await run(*words, *source) == 0
    assert "aHVudGVyMg" not in capsys.readouterr().out
    assert await run(*words, *source, "--show-secrets") == 0
    assert "aHVudGVyMg" in capsys.readouterr().out


async def test_manifests_have_no_secrets_unless_asked_for(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("export", "-o", "yaml", "--control", node.socket) == 0
    printed = capsys.readouterr().out
    assert [item["kind"] for item in yaml.safe_load(printed)["items"]] == ["Service"]
    assert "# left out: 1 secrets; --show-secrets prints them" in printed
    assert await run("export", "-o", "yaml", "--control", node.socket, "--show-secrets") == 0
    assert [item["kind"] for item in yaml.safe_load(capsys.readouterr().out)["items"]] == ["Secret", "Service"]


# Comparing.


async def test_what_changed_since_an_export_is_told(
    node: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tmp_path / "before.json"
    assert await run("export", "--show-secrets", "--output-file", before, "--control", node.socket) == 0
    assert stat.S_IMODE(before.stat().st_mode) == 0o600
    assert await run("diff", before, "--control", node.socket) == 0

    await node.put("default/service/web", {**WEB, "spec": {"ports": [{"port": 81}]}})
    await node.put("default/secret/pw", {**PASSWORD, "data": {"pw": "c3dvcmRmaXNo"}})
    await node.put("default/pod/new", WEB)
    capsys.readouterr()

    assert await run("diff", before, "--control", node.socket) == 1
    assert capsys.readouterr().out.splitlines() == [
        "+ default/pod/new",
        "~ default/secret/pw",
        "    data.pw: <hidden> -> <hidden>",
        "~ default/service/web",
        "    spec.ports[0].port: 80 -> 81",
    ]
    assert await run("diff", before, "--control", node.socket, "--type", "svc", "--ignore", "spec*") == 0


async def test_two_files_are_compared_as_json(
    node: FakeNode, go_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run("diff", go_file, go_file) == 0
    assert await run("diff", go_file, node.store.path, "--name", "nginx-svc", "-o", "json") == 1
    found = json.loads(capsys.readouterr().out.removeprefix("[]\n"))
    assert {one["change"] for one in found} == {"removed"}


async def test_a_secret_that_is_hidden_in_an_export_is_compared_by_its_size(
    node: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tmp_path / "before.json"
    assert await run("export", "--output-file", before, "--control", node.socket) == 0
    capsys.readouterr()
    assert await run("diff", before, "--control", node.socket) == 0
    assert "(secrets hidden in an export: 1; of them the sizes alone are compared)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        ("words", "it is neither a SQLite database nor an export"),
        ("{}", "its field format is not 'edgecore-meta/1'; make one with `edgecore meta export`"),
    ],
)
def test_a_state_that_cannot_be_read_is_exit_code_2(
    go_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, reason: str
) -> None:
    other = tmp_path / "other"
    if content is not None:
        other.write_text(content)
    assert main(["meta", "diff", str(other), str(go_file)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"edgecore: cannot read {other}: ")
    assert reason in error


def test_a_second_state_and_a_node_are_wrong_usage(go_file: Path) -> None:
    assert main(["meta", "diff", str(go_file), str(go_file), "--control", "x"]) == 2


def test_an_export_that_cannot_be_written_is_an_error_and_leaves_nothing(
    go_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").mkdir()
    assert main(["meta", "export", "--db", str(go_file), "--output-file", str(tmp_path / "there")]) == 1
    assert f"edgecore: cannot write {tmp_path / 'there'}: Is a directory" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["go.db", "there"]


# Checking.


def test_the_database_of_a_go_edgecore_is_in_order(go_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["meta", "check", "--db", str(go_file)]) == 0
    assert capsys.readouterr().out == f"41 rows of {go_file}: nothing is wrong\n"


def test_what_is_wrong_is_told_with_what_to_do(go_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(go_file)) as connection:
        connection.execute("""INSERT INTO meta VALUES ('default/node/edge-node1', 'node', '"OK"')""")
        connection.execute("DELETE FROM meta WHERE key = 'default/listener/default.nginx-svc'")
        connection.execute("""UPDATE meta SET value = '"9.251.0.1"' WHERE key = 'default/listener/default.tcp-svc'""")
        connection.commit()
    assert main(["meta", "check", "--db", str(go_file)]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[::2]] == [
        ["error", "default/service/tcp-svc:"],
        ["error", "default/node/edge-node1:"],
        ["warning", "default/service/nginx-svc:"],
        ["41", "rows"],
    ]
    assert all(line.startswith("         -> ") for line in lines[1::2])
    assert lines[-1].endswith(": 2 errors, 1 warning, 0 infos")


def test_of_many_alike_the_first_are_shown(go_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(go_file)) as connection:
        rows = [(f"a/podlist/{number:02}", "podlist", "[]") for number in range(13)]
        connection.executemany("INSERT INTO meta VALUES (?, ?, ?)", rows)
        connection.commit()
    assert main(["meta", "check", "--db", str(go_file)]) == 3
    short = capsys.readouterr().out
    assert "warning  ... and 3 more of podlist_without_service (--all shows them)" in short
    assert "a/podlist/12" not in short
    assert main(["meta", "check", "--db", str(go_file), "--all"]) == 3
    assert "a/podlist/12" in capsys.readouterr().out


async def test_a_running_node_is_checked_as_its_file_is(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    await node.put("default/pod/odd", "{")
    assert await run("check", "-o", "json", "--control", node.socket) == 3
    live = json.loads(capsys.readouterr().out)
    assert await run("check", "-o", "json", "--db", node.store.path) == 3
    file = json.loads(capsys.readouterr().out)
    assert live == {"node": "edge-1", **file}
    assert [finding["code"] for finding in live["findings"]][:1] == ["no_json"]


@pytest.mark.parametrize("verb", ["list", "check", "export", "get", "watch"])
@pytest.mark.parametrize("content", [None, b"no database at all" * 50])
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str, content: bytes | None
) -> None:
    path = tmp_path / "edgecore.db"
    if content is not None:
        path.write_bytes(content)
    words = ["a/b/c"] if verb == "get" else []
    assert main(["meta", verb, *words, "--db", str(path)]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"edgecore: cannot read database {path}: ")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("path", ["", "/", "/dev/null"])
def test_a_path_that_is_no_file_is_one_line(capsys: pytest.CaptureFixture[str], path: str) -> None:
    for words in (["meta", "list"], ["meta", "check"], ["db", "info"], ["db", "check"]):
        assert main([*words, "--db", path]) == 1
        printed = capsys.readouterr()
        assert printed.err.startswith("edgecore: cannot read database "), words
        assert printed.err.count("\n") == 1


def test_a_node_that_has_stopped_is_asked_by_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "edgecore.yaml"
    assert main(["config", "--min", "--root", str(tmp_path)]) == 0
    config.write_text(capsys.readouterr().out)
    assert main(["meta", "list", "--config", str(config)]) == 1
    assert f"; --db {tmp_path}/edgecore.db reads its file while it is stopped\n" in capsys.readouterr().err


async def test_a_node_without_metamanager_says_why_it_cannot_be_watched(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run("watch", "--control", node.socket) == 1
    assert "cannot watch: MetaManager is off" in capsys.readouterr().err


async def test_a_reader_that_has_seen_enough_gets_no_complaint(node: FakeNode, go_file: Path) -> None:
    for source in (f"--control {node.socket}", f"--db {go_file}"):
        command = f"{sys.executable} -m edgecore meta export {source} | head -c 10"
        done = await asyncio.to_thread(subprocess.run, ["/bin/sh", "-c", command], capture_output=True, check=True)
        assert (len(done.stdout), done.stderr) == (10, b"")


# Watching a file.


def test_changes_of_a_file_are_told_as_they_are_committed(go_file: Path) -> None:
    command = [sys.executable, "-m", "edgecore", "meta", "watch", "--db", str(go_file), "-o", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        try:
            assert watching.stderr.readline() == f"watching {go_file}, until Ctrl-C\n"
            with closing(sqlite3.connect(go_file, isolation_level=None)) as writer:
                writer.execute("INSERT INTO meta VALUES ('a/secret/b', 'secret', '\"hunter2\"')")
                added = json.loads(watching.stdout.readline())
                writer.execute("DELETE FROM meta WHERE key = 'a/secret/b'")
                removed = json.loads(watching.stdout.readline())
            watching.send_signal(2)
            assert watching.wait(10) == 130
            assert watching.stderr.read() == ""
        finally:
            watching.kill()
    assert [one["change"] for one in (added, removed)] == ["added", "removed"]
    assert added["row"] == {"key": "a/secret/b", "type": "secret", "size": 9, "hidden": True, "origin": None}


@pytest.mark.parametrize("verb", ["list", "get", "watch", "diff", "export", "check"])
def test_every_command_explains_itself_with_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["meta", verb, "--help"]) == 0
    printed = capsys.readouterr().out
    assert "exit code" in printed
    assert f"examples:\n  edgecore meta {verb}" in printed
