"""Files that others wrote: configurations, rules, recordings in all their packings, the database, exports of it."""

import io
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

from edgecore.config.addresses import parse_broker, parse_host_port, parse_port_target, parse_server, parse_zone_servers
from edgecore.config.changes import changes
from edgecore.config.host import Environment, default_config, node_name
from edgecore.config.load import parse
from edgecore.config.render import full_text
from edgecore.control.ages import duration_ms
from edgecore.errors import ConfigError, ContentError, StoreError
from edgecore.metadata.diff import path_changes
from edgecore.metadata.export import export_lines, kubernetes_objects, rows_of_export
from edgecore.metadata.lint import check_rows
from edgecore.metadata.row import MetaRow, NoJson, parsed_text, row_document, row_of_document
from edgecore.recording.editing.minimizing import _message_of
from edgecore.recording.editing.streams import changed, upgraded
from edgecore.recording.editing.summary import Summary
from edgecore.recording.frames import kind_of, read_frame
from edgecore.recording.lines import line_of, parse_entry
from edgecore.recording.outline import outline_of
from edgecore.recording.packing import Source, packing_of
from edgecore.recording.redaction import Redactor
from edgecore.recording.selection import parse_bound, parse_filter
from edgecore.recording.session import Recording
from edgecore.recording.suspicion import is_suspect
from edgecore.replay.mapping import Mapper, parse_mapping
from edgecore.store import header
from edgecore.store.inspection import describe, findings
from edgecore.store.repair import repair
from edgecore.verdict.judge import judge
from edgecore.verdict.rules import Rules
from edgecore.verdict.rulesfile import _rules, read_rules
from tests.fuzz.recorded import contents, lines, texts, to_cloud
from tests.fuzz.target import target

MACHINE = Environment("edge-1", "192.0.2.1")
_SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, type TEXT, value TEXT)",
    "CREATE TABLE device (id TEXT PRIMARY KEY, name TEXT)",
)


@target(
    "edgecore.config.load",
    "edgecore.config.document",
    "edgecore.config.decode",
    "edgecore.config.scalars",
    "edgecore.config.changes",
    "edgecore.config.rules",
    "edgecore.reloading",
    faces="who writes edgecore.yaml, at the start and on reload",
    seeds=lambda: [
        full_text(default_config(MACHINE)).encode(),
        *texts(
            "modules: {edgeHub: {heartbeat: 0x0f, websocket: {server: '[::1]:10000'}}}",
            "a: &a {b: &b [1, *a]}\nmodules:\n  <<: *b\n",
            "modules:\n  edged: {hostnameOverride: on}\n---\nx: 1\n",
            "%YAML 1.1\n---\n? {a: b}\n: !!binary aGk=\n",
        )(),
    ],
)
def configuration(data: bytes) -> None:
    """It is a configuration, or an error that says where and what to do; written and read it stays the same."""
    text = data.decode(errors="replace")
    try:
        loaded = parse(text, "edgecore.yaml", env=MACHINE)
    except ConfigError as error:
        assert str(error).startswith("cannot ")
        return
    changes(default_config(MACHINE), loaded.config)
    again = parse(full_text(loaded.config), "edgecore.yaml", env=MACHINE)
    assert again.config == loaded.config


@target(
    "edgecore.config.addresses",
    "edgecore.recording.selection",
    "edgecore.control.ages",
    faces="settings and flags: addresses, names, places",
    seeds=texts(
        "tcp://u:p@127.0.0.1:1883",
        "wss://[::1]:10000/e/n/events",
        "80=10.0.0.1:8080",
        "example.org=10.0.0.1,10.0.0.2:54",
        ":53",
        "Edge_1.example",
        "2026-01-02T03:04:05.5Z",
        "+1.5",
        "#7",
        "note:a",
        "to=a,b",
        "kind!=bus",
        "node=n,namespace=a:b,10.0.0.1=10.0.0.2",
    ),
)
def setting_texts(data: bytes) -> None:
    """Each reader takes a text, or says what is wrong with it."""
    text = data.decode(errors="replace")
    readers: tuple[tuple[Callable[[str], object], type[Exception]], ...] = (
        (parse_host_port, ValueError),
        (parse_broker, ValueError),
        (parse_port_target, ValueError),
        (parse_zone_servers, ValueError),
        (lambda given: parse_server(given, "https"), ValueError),
        (duration_ms, ValueError),
        (parse_bound, ContentError),
        (parse_filter, ContentError),
        (lambda given: parse_mapping((given,)), ContentError),
    )
    for read, refusal in readers:
        try:
            read(text)
        except refusal:
            continue
    assert node_name(text)


@target(
    "edgecore.verdict.rulesfile",
    faces="who writes rules for the verdict on recordings",
    seeds=texts(
        "recorded_by: any\nchecks: {port: '[0-9]+'}\nvolatile:\n- {kind: pod status, field: Status.hostIP, "
        "check: port, why: x}\nknown: []\nnot_compared: [{kind: '*', resource: a, why: b}]\n",
        "paced:\n- {kind: keepalive, why: x, optional: true}\n",
        "a: &a [1, *a]\n",
    ),
)
def verdict_rules(data: bytes) -> None:
    """They are rules, or refused with the place."""
    try:
        _rules("rules.yaml", data.decode(errors="replace"))
    except ConfigError as error:
        assert "rules.yaml" in str(error)


@target(
    "edgecore.recording.lines",
    "edgecore.recording.outline",
    "edgecore.recording.redaction",
    "edgecore.recording.editing.minimizing",
    "edgecore.recording.suspicion",
    "edgecore.recording.editing.streams",
    "edgecore.replay.mapping",
    faces="recordings of others: a line",
    seeds=lines,
)
def recording_line(data: bytes) -> None:
    """An entry written is the entry that was read; its outline says the same; nothing that is done with it fails."""
    try:
        entry = parse_entry(data, 1)
    except ContentError:
        entry = None
    try:
        outline = outline_of(data, 1)
    except ContentError:
        assert entry is None
        return
    outline.route()
    Summary().add(outline, len(data))
    _upgrade(data)
    if entry is None:
        return
    assert parse_entry(line_of(entry), 1) == entry
    _message_of(entry)
    is_suspect(data.decode(errors="replace"))
    redacted = Redactor(b"key").entry(entry)
    assert parse_entry(line_of(redacted), 1) == redacted
    mapped = Mapper(parse_mapping(("node=other,namespace=default:x,10.66.0.2=10.0.0.9",)), "edge-1").entry(entry)
    line_of(mapped)


def _upgrade(data: bytes) -> None:
    for work in (upgraded, lambda path, given: changed(path, given, lambda one: one)):
        try:
            list(work(Path("x.jsonl"), [(1, data)]))
        except ContentError:
            continue


@target(
    "edgecore.recording.frames",
    "edgecore.recording.redaction",
    "edgecore.verdict.unpaired",
    "edgecore.verdict.mqtt",
    faces="recordings of others: a session that is judged",
    seeds=lines,
)
def recorded_session(data: bytes) -> None:
    """Judged against itself, every session is as it was."""
    entries = []
    for number, line in enumerate(data.splitlines()[:8], 1):
        try:
            entries.append(parse_entry(line, number))
        except ContentError:
            continue
    recorded = Recording("x", tuple(entries))
    for frame in recorded.frames.values():
        kind_of(frame)
        assert frame.short
    judge(recorded, Recording("x", tuple(entries)), rules=_own_rules())
    read_frame(data.decode(errors="replace"), 1)


@cache
def _own_rules() -> Rules:
    return read_rules()


def _packed(suffix: str) -> Callable[[], Iterator[bytes]]:
    def some() -> Iterator[bytes]:
        packing = packing_of(suffix)
        assert packing is not None
        with tempfile.TemporaryFile() as file:
            sink = packing.open_sink(_Kept(file))
            for line in lines():
                sink.write(line if line.endswith(b"\n") else line + b"\n")
            sink.close()
            file.seek(0)
            yield file.read()
        yield b""

    return some


class _Kept(io.BufferedRandom):
    """A file that stays open when whoever writes it closes it."""

    def __init__(self, file: io.BufferedRandom) -> None:
        super().__init__(file.raw)  # type: ignore[attr-defined]
        self._file = file

    def close(self) -> None:
        self.flush()


def _unpack(suffix: str, data: bytes) -> None:
    packing = packing_of(suffix)
    assert packing is not None
    source: Source = packing.open_source(io.BufferedReader(io.BytesIO(data)))
    with closing(source):
        try:
            for _ in range(10_000):
                line = source.readline(1 << 20)
                assert len(line) <= 1 << 20
                if not line:
                    return
        except (ContentError, EOFError):
            return


@target("edgecore.recording.packing.gz", faces="recordings of others, packed with gzip", seeds=_packed(".gz"))
def recording_gz(data: bytes) -> None:
    """It has lines, or ends too early, or is none."""
    _unpack(".gz", data)


@target("edgecore.recording.packing.zst", faces="recordings of others, packed with Zstandard", seeds=_packed(".zst"))
def recording_zst(data: bytes) -> None:
    """It has lines, or ends too early, or is none."""
    _unpack(".zst", data)


@target("edgecore.recording.packing.mcapfile", faces="recordings of others, as MCAP", seeds=_packed(".mcap"))
def recording_mcap(data: bytes) -> None:
    """It has lines, or ends too early, or is none."""
    _unpack(".mcap", data)


def _databases() -> Iterator[bytes]:
    for wal in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.db"
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA page_size = 1024")
                connection.execute(f"PRAGMA journal_mode = {'WAL' if wal else 'DELETE'}")
                for statement in _SCHEMA:
                    connection.execute(statement)
                connection.execute("INSERT INTO meta VALUES ('default/pod/p', 'pod', '{\"metadata\":{}}')")
                connection.commit()
            yield path.read_bytes()


@target(
    "edgecore.store.header",
    "edgecore.store.databasefile",
    "edgecore.store.salvage",
    faces="the database file, whoever wrote or broke it",
    seeds=_databases,
)
def database_file(data: bytes) -> None:
    """It is looked at, and repaired as far as it goes, or refused with a way out."""
    found = header.parse(data[: header.HEADER_BYTES])
    assert found is None or found.page_bytes in header.PAGE_SIZES
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edgecore.db"
        path.write_bytes(data)
        for work in (
            lambda: describe(path, _SCHEMA),
            lambda: findings(path, _SCHEMA),
            lambda: repair(path, _SCHEMA, 1),
        ):
            try:
                work()
            except StoreError as error:
                assert "; " in str(error), error


@target(
    "edgecore.metadata.row",
    "edgecore.metadata.shape",
    "edgecore.metadata.diff",
    "edgecore.metadata.lint",
    faces="the database file: values of the table meta",
    seeds=lambda: [*contents()(), *to_cloud()],
)
def stored_rows(data: bytes) -> None:
    """Whatever stands there is told in findings."""
    value = parsed_text(data)
    types = ("pod", "service", "endpoints", "podlist", "podstatus", "nodestatus", "listener", "configmap", "x")
    rows = [MetaRow(f"default/{kind}/x", kind, data, len(data)) for kind in types]
    check_rows(rows)
    list(kubernetes_objects(rows))
    for row in rows[:2]:
        assert row_of_document(row_document(row)).key == row.key
    if not isinstance(value, NoJson):
        list(path_changes(value, {"metadata": {"name": "x"}, "spec": [{"name": "a"}, 1]}))
        assert not list(path_changes(value, value))
    list(export_lines(rows[:3], {}))


@target(
    "edgecore.metadata.export",
    faces="exports of a database, to be compared or imported",
    seeds=lambda: [
        "\n".join(
            export_lines(
                [MetaRow("default/pod/p", "pod", data, len(data)) for data in contents("pod")()], {"node": "n"}
            )
        ).encode(),
        b'{"format":"edgecore-meta/1","rows":[{"key":"a","type":"b","size":1,"origin":null,"text":"x"}]}',
    ],
)
def exported_rows(data: bytes) -> None:
    """It has rows, each with a key, or is refused."""
    try:
        rows = rows_of_export(data)
    except ContentError:
        return
    check_rows(rows)
    again = rows_of_export("\n".join(export_lines(rows, {})).encode())
    assert [row.key for row in again] == [row.key for row in rows]
