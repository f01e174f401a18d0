"""The broker of the tests itself: it starts, hands out, ends, and comes back on its port."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mosquitto import Mosquitto, Recorder, Seen, Tls

pytestmark = pytest.mark.needs_mosquitto

Start = Callable[..., Mosquitto]


def test_what_is_published_is_recorded(mosquitto_at: Start) -> None:
    broker = mosquitto_at()

    with Recorder(broker, "a/#") as recorder:
        recorder.publish("a/b", b"\xff", qos=1)

        assert recorder.until(len) == [Seen("a/b", b"\xff", 1, False)]


def test_a_broker_that_was_killed_comes_back_on_its_port(mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    broker.kill()
    broker.start()

    with Recorder(broker, "a/#") as recorder:
        recorder.publish("a/b", "x")
        recorder.until(len)


def test_users_and_tls_are_asked_for(mosquitto_at: Start, authority: Any, tmp_path: Path) -> None:
    tls = Tls(*authority.server_files(tmp_path))
    ca = tmp_path / "ca.crt"
    ca.write_bytes(authority.pem)
    broker = mosquitto_at(tls=tls, users={"edge": "secret"})

    with Recorder(broker, "a/#", user=("edge", "secret"), ca=ca) as recorder:
        recorder.publish("a/b", "x")
        recorder.until(len)
