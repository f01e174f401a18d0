"""What must hold of a node's file at any moment, and once the node has come to rest."""

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from crash.model import Expected, Rows, meaning
from crash.process import heard
from edgecore.modules.metamanager.tables import fingerprint

Dump = dict[str, list[tuple[Any, ...]]]
"""Every table with its rows, sorted."""


@contextmanager
def opened_copy(directory: Path) -> Iterator[sqlite3.Connection]:
    """Open the file as the next process would find it, and leave it as it is."""
    folder = directory / "copy"
    folder.mkdir()
    try:
        for name in ("edgecore.db", "edgecore.db-wal"):
            if (directory / name).exists():
                shutil.copyfile(directory / name, folder / name)
        with closing(sqlite3.connect(folder / "edgecore.db")) as connection:
            yield connection
    finally:
        shutil.rmtree(folder)


def dump(directory: Path) -> Dump:
    """Return all that a file holds."""
    with opened_copy(directory) as file:
        tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(file.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}


def check(directory: Path, expected: Sequence[Expected], *, window: int, at_rest: bool) -> int:
    """Raise ``AssertionError`` where something that must hold does not; return how many steps are stored.

    ``window`` is how many messages of the cloud may be stored and not yet acknowledged. ``at_rest`` says that the node
    stopped by itself, with nothing left to do.
    """
    if not (directory / "edgecore.db").exists():  # killed before it was made
        assert not heard(directory / "cloud.txt", "done")
        return 0
    with opened_copy(directory) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []
        tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "meta" not in tables:  # killed before the tables were made, which is one transaction
            assert not heard(directory / "cloud.txt", "done")
            return 0
        steps = _steps_stored(directory, file, expected, 0 if at_rest else window)
        _check_fake_ips(file, at_rest=at_rest)
        _check_provenance(file, expected[steps].origins)
        if at_rest:
            assert file.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
    return steps


def _steps_stored(directory: Path, file: sqlite3.Connection, expected: Sequence[Expected], further: int) -> int:
    """Return how many steps the file holds: all that are done, perhaps some that follow, and nothing else."""
    done = list(map(int, heard(directory / "cloud.txt", "done")))
    assert done == list(range(len(done))), "steps are done in their order, each once"
    rows: Rows = {
        key: (kind, meaning(kind, json.loads(value)))
        for key, kind, value in file.execute("SELECT key, type, value FROM meta WHERE type != 'listener'")
    }
    applied = tuple(applied_id for (applied_id,) in file.execute("SELECT id FROM applied ORDER BY seq"))
    for candidate in expected[len(done) : len(done) + further + 1]:
        if (candidate.rows, candidate.applied) == (rows, applied):
            told = heard(directory / "cloud.txt", "gone") + _kept(file)
            assert set(told) == set(candidate.gone_pods), "the cloud hears of each pod that edged deleted"
            return candidate.steps
    raise AssertionError(_difference(rows, applied, expected[len(done)]))


def _kept(file: sqlite3.Connection) -> list[str]:
    return [json.loads(text)["route"]["resource"] for (text,) in file.execute("SELECT message FROM outbox")]


def _difference(rows: Rows, applied: tuple[str, ...], expected: Expected) -> str:
    missing = sorted(key for key in expected.rows if key not in rows)
    surplus = sorted(key for key in rows if key not in expected.rows)
    other = sorted(key for key in rows if key in expected.rows and rows[key] != expected.rows[key])
    ids = set(expected.applied).symmetric_difference(applied)
    return (
        f"after {expected.steps} steps that are done: missing {missing}, not expected {surplus}, other {other}; "
        f"ids that are applied or not, against what is expected: {sorted(ids)}"
    )


def _check_fake_ips(file: sqlite3.Connection, *, at_rest: bool) -> None:
    """Every service but an ExternalName has a fake IP once at rest, none has two, and no two have the same."""
    live = file.execute("SELECT namespace, name, address FROM edgemesh_address WHERE released_at_ms IS NULL").fetchall()
    by_service = {f"{namespace}.{name}": address for namespace, name, address in live}
    assert len(by_service) == len(live), "no service has two addresses"
    assert len(set(by_service.values())) == len(live), "no two services have the same address"
    found = file.execute("SELECT key, value FROM meta WHERE type = 'listener'").fetchall()
    listeners = {key.removeprefix("default/listener/"): json.loads(value) for key, value in found}
    doubled = [address for address, count in Counter(listeners.values()).items() if count > 1]
    assert not doubled, f"listener rows say the same: {doubled}"
    both = by_service.keys() & listeners.keys()
    other = [key for key in both if by_service[key] != listeners[key]]
    assert not other, f"listener rows say another address than the table: {other}"
    if at_rest:
        rows = file.execute("SELECT key, value FROM meta WHERE type = 'service'").fetchall()
        keys = (key.split("/") for key, value in rows if json.loads(value)["spec"].get("type") != "ExternalName")
        services = {f"{namespace}.{name}" for namespace, _, name in keys}
        assert by_service.keys() == services, f"address without service, or none: {by_service.keys() ^ services}"
        assert listeners.keys() == services, f"listener row without service, or none: {listeners.keys() ^ services}"


def _check_provenance(file: sqlite3.Connection, origins: dict[str, str]) -> None:
    """Every row has its origin, no origin is without its row, and each is that of the value."""
    rows = {key: fingerprint(kind, value) for key, kind, value in file.execute("SELECT key, type, value FROM meta")}
    assert dict(file.execute("SELECT key, sum FROM provenance")) == rows
    told = dict(file.execute("SELECT key, message_id FROM provenance WHERE source = 'edgecontroller'"))
    other = {
        key: (told.get(key), origins.get(key)) for key in told.keys() | origins if told.get(key) != origins.get(key)
    }
    assert not other, f"rows are not there by the message that they should be: {other}"
