"""A node that records: what stands in the file, that no planted secret does, and how it is begun and ended."""

import base64
import signal
from pathlib import Path
from typing import Any

import pytest

from edgecore.errors import ControlError
from edgecore.recording.entries import (
    BusMessage,
    CloudFrame,
    ConnectionEvent,
    Direction,
    Entry,
    Note,
    SessionHead,
    Snapshot,
)
from edgecore.recording.lines import parse_entry
from edgecore.recording.reader import read_entries

CANARY = "canary-7f3a-hunter2"
PEM = f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def of_kind(entries: list[Entry], kind: type) -> list[Any]:
    return [one for one in entries if isinstance(one, kind)]


def secrets(words: Any) -> list[Any]:
    """Return messages of the cloud with the canary wherever a secret may be."""
    secret = {"metadata": {"name": "s", "namespace": "default"}, "data": {"pw": encoded(CANARY)}, "type": "Opaque"}
    data = {"DB_PASSWORD": CANARY, "tls.key": PEM, "app.yaml": f"token: {CANARY}\n"}
    config = {"metadata": {"name": "c", "namespace": "default"}, "data": data}
    call = {"header": {"Authorization": [f"Bearer {CANARY}"], "Cookie": [f"a={CANARY}"]}, "body": encoded(PEM)}
    return [
        words.message("insert", "default/secret/s", secret),
        words.message("insert", "default/configmap/c", config),
        words.message("insert", "default/other/call", call),
    ]


def test_a_recorded_session_holds_everything_but_secrets(programs: Any, words: Any, tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    node.wait_for("link", lambda status: status["state"] == "ok")
    control = node.control
    begun = programs.run("edgecore", "record", "start", path, "--kinds", "all", "--config", node.config)
    assert begun.stdout.startswith(f"recording into {path}")
    cloud.send(*secrets(words), words.put(words.service("web")))
    node.wait_for("service", lambda _status: node.find("web"))
    control.post("/v1/recording/note", {"text": f"password={CANARY}"})
    status = node.status()["recording"]
    assert (status["recording"], status["lost"], status["path"]) == (True, 0, str(path))
    with pytest.raises(ControlError, match="end that first"):
        control.post("/v1/recording/start", {"path": str(tmp_path / "other.jsonl")})
    ended = programs.run("edgecore", "record", "stop", "--config", node.config)
    assert ended.stdout.startswith(f"ended: {path}")
    with pytest.raises(ControlError, match="remove it"):
        control.post("/v1/recording/start", {"path": str(path)})
    with pytest.raises(ControlError, match="convert"):
        control.post("/v1/recording/start", {"path": str(tmp_path / "x.mcap")})
    assert programs.run("edgecore", "record", "status", "--config", node.config).returncode == 3

    text = path.read_text()
    digits = [encoded(" " * pad + CANARY)[4 if pad else 0 : 20] for pad in range(3)]
    assert not [form for form in (CANARY, *digits) if form in text]
    entries = list(read_entries(path))
    head, last = entries[0], entries[-1]
    assert isinstance(head, SessionHead)
    assert (head.node, head.redacted) == ("edge-1", True)
    assert isinstance(last, Snapshot)
    assert [one["name"] for one in last.state["services"]] == ["web"]
    assert of_kind(entries, Note)[0].text.startswith("password=redacted-")
    frames = [one for one in of_kind(entries, CloudFrame) if '"default/service/web"' in one.text]
    came, acknowledged = frames
    assert (came.direction, acknowledged.direction) == (Direction.TO_EDGE, Direction.TO_CLOUD)
    followers = [one for one in entries if came.n in one.causes]
    assert {one.receiver for one in of_kind(followers, BusMessage)} == {"metaManager"}
    assert acknowledged.causes


def test_a_node_records_from_its_start_to_its_end(programs: Any, tmp_path: Path) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud, flags=["--record", tmp_path])
    node.wait_for("link", lambda status: status["state"] == "ok")
    node.stop()
    (path,) = tmp_path.glob("edge-1-*.jsonl")
    entries = list(read_entries(path))
    events = of_kind(entries, ConnectionEvent)
    assert [(one.direction, one.event) for one in events] == [(Direction.TO_CLOUD, "open"), (Direction.TO_CLOUD, "eof")]
    assert events[1].causes == (events[0].n,)
    (snapshot,) = of_kind(entries, Snapshot)
    assert events[0].n < snapshot.n < events[1].n, "it is looked at while its modules run"


def test_a_node_that_is_killed_leaves_whole_entries(programs: Any, words: Any, tmp_path: Path) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud, flags=["--record", tmp_path / "s.jsonl", "--record-kinds", "all"])
    node.wait_for("link", lambda status: status["state"] == "ok")
    cloud.send(*(words.put(words.service(f"web-{number}")) for number in range(20)))
    node.wait_for("entries", lambda status: status["recording"]["entries"] > 20)
    node.stop(signal.SIGKILL)
    *whole, last = (tmp_path / "s.jsonl").read_bytes().splitlines(keepends=True)
    entries = [parse_entry(line, number) for number, line in enumerate(whole, 1)]
    assert len(entries) >= 10
    assert last.endswith(b"\n") or b"\n" not in last


def test_a_place_that_cannot_be_written_is_named_before_the_node_runs(programs: Any, tmp_path: Path) -> None:
    node = programs.node(flags=["--record", tmp_path / "none" / "s.jsonl"])
    assert node.ended(20) == 1
    assert "cannot write recording" in node.log


def test_a_recording_of_a_node_that_knew_things_replays_equal_with_its_database(
    programs: Any, words: Any, tmp_path: Path
) -> None:
    path, was = tmp_path / "session.jsonl", tmp_path / "was.db"
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    node.wait_for("link", lambda status: status["state"] == "ok")
    cloud.send(words.put(words.service("before")))
    node.wait_for("service", lambda _status: node.find("before"))
    taken = tmp_path / "taken.db"
    taken.touch()
    refused = programs.run("edgecore", "record", "start", path, "--database", taken, "--config", node.config)
    assert (refused.returncode, node.status()["recording"]["recording"]) == (1, False)
    path.unlink()

    begun = programs.run("edgecore", "record", "start", path, "--database", was, "--config", node.config)
    cloud.send(words.put(words.service("web")))
    node.wait_for("service", lambda _status: node.find("web"))
    programs.run("edgecore", "record", "stop", "--config", node.config)

    assert (begun.returncode, was.stat().st_mode & 0o777) == (0, 0o600)
    assert programs.run("edgecore", "replay", path).returncode == 1
    replayed = programs.run("edgecore", "replay", path, "--db", was, "--config", node.config)
    assert replayed.returncode == 0, replayed.stdout
