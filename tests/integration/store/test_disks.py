"""Disks without room (at opening, in a commit, in a checkpoint) and for reading; each a file system of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.needs_root

Outcome = dict[str, Any]

PRELUDE = """
import asyncio, json, os, sqlite3, sys
from pathlib import Path
from structlog.testing import capture_logs
from edgecore.app import SCHEMA
from edgecore.errors import StoreError
from edgecore.store.store import Statement, open_store

PATH = Path(sys.argv[1])
FILLER = PATH.with_name("filler")

def fill(leave=0):
    with FILLER.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
        if leave:
            file.truncate(file.tell() - leave)

def put(key, value="x" * 3000):
    return Statement("INSERT OR REPLACE INTO meta VALUES (?, 'pod', ?)", (key, value))

async def attempt(store, *statements):
    try:
        await store.write(*statements)
    except StoreError as error:
        return str(error)
    return ""

def opening():
    try:
        return open_store(PATH, SCHEMA)
    except StoreError as error:
        return str(error)

def keys(store):
    return [key for (key,) in store.rows("SELECT key FROM meta ORDER BY key")]
"""


@pytest.fixture
def on_small_disk(tmp_path: Path) -> Callable[..., Outcome]:
    """``on_small_disk(script)``: run a script on a file system of 2 MiB that nobody else sees; what it prints last."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this root may not make a mount namespace")

    def run(script: str, *, before: Path | None = None, then: str = "true") -> Outcome:
        disk = tmp_path / "disk"
        disk.mkdir()
        path = disk / "edgecore.db"
        copy = f"cp {before} {path} && " if before is not None else ""
        command = f"mount -t tmpfs -o size=2m tmpfs {disk} && {copy}{then} {disk} && exec {sys.executable} - {path}"
        text = f"{PRELUDE}\n{script}"
        done = subprocess.run(
            [unshare, "-m", "sh", "-c", command], input=text, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        outcome: Outcome = json.loads(done.stdout.splitlines()[-1])
        outcome["path"] = str(path)
        return outcome

    return run


COMMIT = """
async def main():
    store = open_store(PATH, SCHEMA)
    await store.write(put("before"))
    fill()
    with capture_logs():
        refused = [await attempt(store, put(f"{number:03}")) for number in range(200)]
        acknowledged = [f"{number:03}" for number, error in enumerate(refused) if not error]
        stored = keys(store)
        troubles = dict(store.condition.troubles)
        failing = store.statistics().failing
        FILLER.unlink()
        after = await attempt(store, put("with room"))
    whole = store.rows("PRAGMA integrity_check") == [("ok",)]
    now = keys(store)
    await store.close()
    again = open_store(PATH, SCHEMA)
    print(json.dumps({
        "errors": sorted({error for error in refused if error}), "acknowledged": acknowledged, "stored": stored,
        "after": after, "whole": whole, "now": now, "again": keys(again), "troubles": troubles, "failing": failing,
    }))
    await again.close()

asyncio.run(main())
"""


def test_a_full_disk_refuses_writes_with_the_way_out_and_the_store_goes_on_once_there_is_room(
    on_small_disk: Callable[..., Outcome],
) -> None:
    found = on_small_disk(COMMIT)

    assert found["errors"]
    for error in found["errors"]:
        assert error.startswith(f"cannot write {found['path']}: ")
        assert f"make room in {os.path.dirname(found['path'])}" in error  # noqa: PTH120 - it is text
    assert found["failing"] in found["errors"]
    assert found["troubles"].keys() == {"no_room"}
    assert found["stored"] == sorted(["before", *found["acknowledged"]])
    assert (found["after"], found["whole"]) == ("", True)
    assert found["now"] == found["again"] == sorted([*found["stored"], "with room"])


CHECKPOINT = """
async def main():
    store = open_store(PATH, SCHEMA)
    await asyncio.gather(*(store.write(put(f"{number:03}")) for number in range(100)))
    fill()
    log = PATH.with_name(PATH.name + "-wal").stat().st_size
    busy, _, done = (0, 0, 0)
    try:
        busy, _, done = store.rows("PRAGMA wal_checkpoint(TRUNCATE)")[0]
        error = ""
    except StoreError as refusal:
        error = str(refusal)
    during = keys(store)
    FILLER.unlink()
    with capture_logs():
        after = await attempt(store, put("with room"))
    whole = store.rows("PRAGMA integrity_check") == [("ok",)]
    await store.close()
    again = open_store(PATH, SCHEMA)
    print(json.dumps({
        "error": error, "during": during, "after": after, "whole": whole, "again": keys(again),
    }))
    await again.close()

asyncio.run(main())
"""


def test_a_checkpoint_without_room_loses_nothing(on_small_disk: Callable[..., Outcome]) -> None:
    found = on_small_disk(CHECKPOINT)

    assert "make room in" in found["error"]
    assert found["during"] == [f"{number:03}" for number in range(100)]
    assert (found["after"], found["whole"]) == ("", True)
    assert found["again"] == [*found["during"], "with room"]


NEW = """
async def main():
    fill()
    refused = opening()
    there = PATH.exists() and PATH.stat().st_size
    FILLER.unlink()
    store = open_store(PATH, SCHEMA)
    rows = keys(store)
    await store.close()
    print(json.dumps({"refused": refused, "there": there, "rows": rows}))

asyncio.run(main())
"""


def test_a_new_file_without_room_is_refused_and_made_once_there_is_some(on_small_disk: Callable[..., Outcome]) -> None:
    found = on_small_disk(NEW)

    assert found["refused"].startswith(f"cannot open database {found['path']}: ")
    assert "make room in" in found["refused"]
    assert found["rows"] == []


MIGRATED = """
async def main():
    before = PATH.read_bytes()
    fill(leave=64 * 1024)
    refused = opening()
    is_as_before = PATH.read_bytes() == before
    beside = sorted(each.name for each in PATH.parent.glob("*.backup-*"))
    FILLER.unlink()
    with capture_logs() as logs:
        store = open_store(PATH, SCHEMA)
    rows = len(keys(store))
    await store.close()
    print(json.dumps({
        "refused": refused, "is_as_before": is_as_before, "beside": beside, "rows": rows,
        "events": [entry["event"] for entry in logs],
    }))

asyncio.run(main())
"""


def test_a_migration_without_room_for_its_backup_changes_nothing(
    on_small_disk: Callable[..., Outcome], go_database: Callable[..., Path]
) -> None:
    found = on_small_disk(MIGRATED, before=go_database())

    assert found["refused"].startswith(f"cannot back up {found['path']} to {found['path']}.backup-")
    assert "make room there" in found["refused"]
    assert found["is_as_before"]
    assert found["beside"] == []
    assert found["rows"] == 41
    assert found["events"] == ["database_backed_up", "database_migrated", "database_migrated"]


READ_ONLY = """
from edgecore.store.inspection import describe, findings
from edgecore.store.databasefile import peek

async def main():
    refused = opening()
    print(json.dumps({
        "refused": refused,
        "rows": peek(PATH, "SELECT count(*) FROM meta")[0][0],
        "written_by": describe(PATH, SCHEMA).written_by,
        "findings": len(findings(PATH, SCHEMA)),
    }))

asyncio.run(main())
"""


def test_a_file_on_a_disk_for_reading_is_refused_to_a_node_and_read_by_commands(
    on_small_disk: Callable[..., Outcome], made: Path
) -> None:
    found = on_small_disk(READ_ONLY, before=made, then="mount -o remount,ro")

    assert found["refused"].startswith(f"cannot open database {found['path']}: Read-only file system; make ")
    assert (found["rows"], found["written_by"], found["findings"]) == (300, "edgecore", 0)
