"""Putting a backup back in the place of the node's database, which is kept aside."""

from collections.abc import Sequence
from pathlib import Path

from edgecore.errors import StoreError
from edgecore.store.backup import Told, back_up, backup_name
from edgecore.store.databasefile import DatabaseFile, header_of
from edgecore.store.lockfile import hold, note_made, refuse_if_open
from edgecore.store.migrations import MIGRATIONS
from edgecore.store.opening import look, look_at_tables
from edgecore.store.refusals import FAULTS, refused
from edgecore.store.swap import put_in_place, remove_with_logs

ASIDE = "before-restore"


def restore(path: Path, backup: Path, schema: Sequence[str], now_ms: int, told: Told) -> Path | None:
    """Put a copy of ``backup`` at ``path``, and return what was there by its new name, ``None`` if nothing was.

    Raises ``StoreError``: a node uses ``path``, ``backup`` is no whole database of ours, or there is no room; then
    ``path`` is as it was.
    """
    if not backup.exists():
        raise StoreError(f"cannot restore {backup}: there is no such file; `edgecore db info` lists the backups")
    if header_of(backup, "restore") is None:
        raise StoreError(f"cannot restore {backup}: file is not a database; `edgecore db info` lists the backups")
    if path.exists() and backup.samefile(path):
        raise StoreError(f"cannot restore {backup}: it is the database itself; name a backup")
    look_at_backup(backup, schema)
    lock = hold(path, "restore database")
    new = path.with_name(path.name + ".restoring")
    try:
        refuse_if_open(path, "restore database")
        remove_with_logs(new)
        back_up(backup, new, told)
        aside = backup_name(path, now_ms, ASIDE)
        put_in_place(path, aside, new)
        note_made(lock)
    except FAULTS as error:
        raise refused("restore database", path, error) from error
    finally:
        remove_with_logs(new)
        lock.close()
    return aside if aside.exists() else None


def look_at_backup(backup: Path, schema: Sequence[str]) -> None:
    """Raise ``StoreError`` where ``backup`` is not a database that this edgecore opens."""
    look(backup, was_made=True)
    with DatabaseFile(backup) as file:
        has_tables = file.use(lambda connection: look_at_tables(connection, backup, schema, MIGRATIONS))
    if not has_tables:
        raise StoreError(f"cannot restore {backup}: it has no tables; name another")
