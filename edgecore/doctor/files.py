"""The node's own files: its database and its certificates, by what the file system says of them (pure)."""

import stat
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from edgecore.doctor.finding import Finding
from edgecore.modules.edgehub.certificates.x509 import facts_of, to_der

_DATABASE, _CERTIFICATES = "database", "certificates"
_SOON_DAYS = 30
_SHOWN = 3
SQLITE = b"SQLite format 3\0"


class FileFacts(NamedTuple):
    """What there is at a path."""

    path: str
    kind: str
    """``file``, ``directory``, ``other``, ``absent``, or ``unreadable``: the directory may not be looked into."""
    mode: int = 0
    uid: int = 0
    head: bytes | None = None
    """The beginning; ``None``: it may not be read."""
    closed: str = ""
    """Of what is absent: the directory that it would be made in, if this user may not write there."""


def check_database(file: FileFacts, user: int) -> list[Finding]:
    """Say whether the node, run by ``user``, can use its database."""
    if file.kind == "absent" and file.closed:
        text = f"{file.path} does not exist yet, and this user may make nothing in {file.closed}"
        advice = "run the node and this as another user, or set database.dataSource (edgecore config --min --user)"
        return [Finding("warning", _DATABASE, text, advice)]
    if file.kind == "absent":
        return [Finding("ok", _DATABASE, f"{file.path} does not exist yet: the first start makes it")]
    if file.kind == "unreadable":
        text = f"{file.path} cannot be looked at by this user"
        return [Finding("note", _DATABASE, text, "run edgecore doctor as the user who runs the node")]
    if file.kind != "file":
        text = f"{file.path} is not a file but {'a directory' if file.kind == 'directory' else 'something else'}"
        return [Finding("problem", _DATABASE, text, "set database.dataSource to another path")]
    return [*_database_faults(file, user)] or [Finding("ok", _DATABASE, f"{file.path} is there")]


def _database_faults(file: FileFacts, user: int) -> Iterator[Finding]:
    if user not in (file.uid, 0):
        text = f"{file.path} belongs to user {file.uid}, not to this one ({user})"
        yield Finding("problem", _DATABASE, text, f"sudo chown {user} {file.path}* (or run the node as its owner)")
    elif file.uid != user:
        text = f"{file.path} belongs to user {file.uid}: what root writes beside it, a node of that user cannot open"
        yield Finding("note", _DATABASE, text, f"run the node as user {file.uid}")
    if file.mode & (stat.S_IRWXG | stat.S_IRWXO):
        text = f"{file.path} has mode {file.mode & 0o777:04o}: others can read what the cloud sends, Secrets too"
        yield Finding("warning", _DATABASE, text, f"chmod 600 {file.path}")
    if file.head and not file.head.startswith(SQLITE):
        text = f"{file.path} is no SQLite database"
        yield Finding("problem", _DATABASE, text, "move it away, or set database.dataSource to another path")


def check_rows(path: str, found: Sequence[tuple[str, str]] | None) -> list[Finding]:
    """Say what SQLite finds wrong with the database: each with its way out; ``None``: nobody looked."""
    if found is None:
        text = f"{path} is large; its pages were not looked at"
        return [Finding("note", _DATABASE, text, "edgecore db check")]
    told = [
        Finding("problem", _DATABASE, f"{path}: {what}", way or "edgecore db repair") for what, way in found[:_SHOWN]
    ]
    if len(found) > _SHOWN:
        told.append(Finding("problem", _DATABASE, f"and {len(found) - _SHOWN} more faults", "edgecore db check"))
    return told


def check_certificates(
    ca: FileFacts, certificate: FileFacts, key: FileFacts, now: datetime, *, has_token: bool
) -> list[Finding]:
    """Say whether the node can show a certificate to its cloud, as far as files and dates tell."""
    return [
        *_dates(ca, "CA", now),
        *_dates(certificate, "certificate", now, renewed_by="edgecore join --force"),
        *_missing((ca, certificate, key), has_token),
        *_open_to_others(key),
    ]


def _missing(files: Sequence[FileFacts], has_token: bool) -> Iterator[Finding]:
    for file in files:
        if file.kind == "unreadable" or (file.kind == "file" and file.head is None):
            text = f"{file.path} cannot be read by this user"
            yield Finding("problem", _CERTIFICATES, text, "run edgecore doctor, and the node, as the owner of the file")
    absent = [file.path for file in files if file.kind == "absent"]
    if not absent:
        return
    listed = f"{', '.join(absent)} {'does' if len(absent) == 1 else 'do'} not exist"
    if has_token:
        yield Finding("note", _CERTIFICATES, f"{listed}: the node applies with its token when it starts")
    else:
        yield Finding("problem", _CERTIFICATES, f"{listed}: the cloud will refuse the node", "edgecore join --help")


def _dates(file: FileFacts, what: str, now: datetime, renewed_by: str = "") -> Iterator[Finding]:
    if file.kind != "file" or file.head is None:
        return
    try:
        lifetime = facts_of(to_der(file.head)).lifetime
    except ValueError:
        yield Finding(
            "problem", _CERTIFICATES, f"{file.path} holds no certificate", renewed_by or "edgecore join --force"
        )
        return
    days = (lifetime.not_after - now).days
    until = f"until {lifetime.not_after:%Y-%m-%d}"
    if lifetime.expired(now):
        text = f"the {what} {file.path} was good {until}"
        yield Finding(
            "problem", _CERTIFICATES, text, renewed_by or "join a cloud with a newer CA: edgecore join --force"
        )
    elif now < lifetime.not_before:
        text = f"the {what} {file.path} is good from {lifetime.not_before:%Y-%m-%d %H:%M} UTC on: is the clock right?"
        yield Finding("problem", _CERTIFICATES, text, "timedatectl set-ntp true")
    elif days < _SOON_DAYS:
        text = f"the {what} {file.path} is good for {days} days, {until}"
        yield Finding("warning", _CERTIFICATES, text, renewed_by)
    else:
        yield Finding("ok", _CERTIFICATES, f"the {what} {file.path} is good {until}")


def _open_to_others(key: FileFacts) -> Iterator[Finding]:
    if key.kind == "file" and key.mode & (stat.S_IRWXG | stat.S_IRWXO):
        text = f"the key {key.path} has mode {key.mode & 0o777:04o}: others can act as this node"
        yield Finding("warning", _CERTIFICATES, text, f"chmod 600 {key.path}")
