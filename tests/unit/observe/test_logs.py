"""What a log line looks like, and what never gets into one."""

import io
import json
import logging
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from edgecore.errors import ConfigError
from edgecore.observe.logs import configure_logging, mask_secrets


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


def _line(out: io.StringIO) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(out.getvalue())
    return line


def test_a_json_line_begins_with_time_level_logger_and_event(out: io.StringIO) -> None:
    configure_logging("info", "json", out)
    structlog.get_logger("edgehub").info("link_made", url="ws://127.0.0.1:10000")
    assert list(_line(out)) == ["timestamp", "level", "logger", "event", "url"]
    assert _line(out)["logger"] == "edgehub"


def test_times_are_iso_8601_in_utc(out: io.StringIO) -> None:
    configure_logging("info", "json", out)
    structlog.get_logger().info("tick")
    assert _line(out)["timestamp"].endswith("Z")


def test_events_below_the_level_are_not_written(out: io.StringIO) -> None:
    configure_logging("warning", "json", out)
    structlog.get_logger().info("tick")
    assert out.getvalue() == ""


def test_a_logger_made_before_follows_the_configuration(out: io.StringIO) -> None:
    log = structlog.get_logger("early")
    configure_logging("error", "json", io.StringIO())
    log.info("tick")
    configure_logging("info", "json", out)
    log.info("tick")
    assert _line(out)["event"] == "tick"


def test_the_console_form_is_plain_where_there_is_no_terminal(out: io.StringIO) -> None:
    configure_logging("info", "console", out)
    structlog.get_logger("dns").info("dns_listening", port=53)
    assert "\x1b" not in out.getvalue()
    assert "dns_listening" in out.getvalue()
    assert "port=53" in out.getvalue()


def test_the_console_form_is_coloured_on_a_terminal() -> None:
    out = FakeTerminal()
    configure_logging("info", "console", out)
    structlog.get_logger("dns").info("dns_listening")
    assert "\x1b[" in out.getvalue()


def test_auto_is_json_where_there_is_no_terminal(out: io.StringIO) -> None:
    configure_logging("info", "auto", out)
    structlog.get_logger().info("tick")
    assert _line(out)["event"] == "tick"


def test_auto_is_console_on_a_terminal() -> None:
    out = FakeTerminal()
    configure_logging("info", "auto", out)
    structlog.get_logger().info("tick")
    assert "\x1b[" in out.getvalue()


@pytest.mark.parametrize(("level", "fmt", "named"), [("loud", "json", "'loud'"), ("info", "xml", "'xml'")])
def test_an_unknown_level_or_format_is_refused(level: str, fmt: str, named: str) -> None:
    with pytest.raises(ConfigError, match=rf"{named}.*choose one of"):
        configure_logging(level, fmt)


@pytest.mark.parametrize("key", ["token", "authorization", "password", "secret", "Authorization", "TOKEN"])
def test_a_secret_is_masked(out: io.StringIO, key: str) -> None:
    configure_logging("info", "json", out)
    structlog.get_logger().info("asked", **{key: "hunter2"})
    assert "hunter2" not in out.getvalue()
    assert _line(out)[key] == "***"


def test_a_secret_in_a_mapping_is_masked_and_its_neighbours_are_not(out: io.StringIO) -> None:
    configure_logging("info", "json", out)
    structlog.get_logger().info("asked", headers={"Authorization": "Bearer hunter2", "Host": "cloud"})
    assert _line(out)["headers"] == {"Authorization": "***", "Host": "cloud"}


def test_masking_leaves_the_callers_mapping_alone() -> None:
    headers = {"token": "hunter2"}
    mask_secrets(None, "info", {"headers": headers})
    assert headers == {"token": "hunter2"}


def test_that_there_is_no_secret_may_be_seen(out: io.StringIO) -> None:
    configure_logging("info", "json", out)
    structlog.get_logger().info("asked", token="")
    assert _line(out)["token"] == ""


def test_a_word_that_only_contains_a_secret_word_is_shown(out: io.StringIO) -> None:
    configure_logging("info", "json", out)
    structlog.get_logger().info("stored", secrets_kept=3)
    assert _line(out)["secrets_kept"] == 3


def test_an_exception_is_part_of_its_line(out: io.StringIO) -> None:
    configure_logging("info", "json", out)
    try:
        raise KeyError("lost")
    except KeyError:
        structlog.get_logger().exception("crashed")
    assert _line(out)["level"] == "error"
    assert "KeyError: 'lost'" in _line(out)["exception"]


def test_control_characters_of_a_peer_do_not_reach_a_terminal(out: io.StringIO) -> None:
    configure_logging("info", "console", out)
    try:
        raise ValueError("\x1b[2Jgone")
    except ValueError:
        structlog.get_logger().exception("crashed", name="evil\x1b]0;title\x07")
    assert "\x1b" not in out.getvalue()
    assert "\\x1b[2Jgone" in out.getvalue()


def test_a_value_that_json_has_no_form_for_is_shown_as_python_does(out: io.StringIO) -> None:
    configure_logging("info", "json", out)
    structlog.get_logger().info("read", frame=b"\xff", error=ValueError("x"))
    assert _line(out)["frame"] == "b'\\xff'"
    assert _line(out)["error"] == "ValueError('x')"


@given(st.dictionaries(st.text().filter(lambda key: key.isidentifier() and key != "event"), st.text()))
@pytest.mark.parametrize("fmt", ["json", "console"])
def test_whatever_is_logged_is_one_line(fmt: str, values: dict[str, str]) -> None:
    out = io.StringIO()
    configure_logging("info", fmt, out)
    structlog.get_logger().info("seen", **{f"x_{key}": value for key, value in values.items()})
    assert len(out.getvalue().splitlines()) == 1


def test_warnings_of_libraries_are_heard_under_their_own_name(out: io.StringIO) -> None:
    configure_logging("info", "json", out)
    logging.getLogger("websockets.server").warning("connection %s", "rejected")
    line = _line(out)
    assert (line["logger"], line["level"], line["event"]) == ("websockets.server", "warning", "library_message")
    assert line["text"] == "connection rejected"


def test_errors_of_libraries_come_with_their_traceback(out: io.StringIO) -> None:
    configure_logging("info", "json", out)
    try:
        raise OSError("gone")
    except OSError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved")
    assert _line(out)["level"] == "error"
    assert "OSError: gone" in _line(out)["exception"]


def test_what_libraries_only_mention_is_not_written(out: io.StringIO) -> None:
    configure_logging("debug", "json", out)
    logging.getLogger("asyncio").info("using selector")
    assert out.getvalue() == ""


def test_at_level_error_warnings_of_libraries_are_not_written(out: io.StringIO) -> None:
    configure_logging("error", "json", out)
    logging.getLogger("asyncio").warning("slow")
    assert out.getvalue() == ""


def test_a_broken_record_of_a_library_is_shown_as_it_is(out: io.StringIO) -> None:
    configure_logging("info", "json", out)
    logging.getLogger("asyncio").warning("%d", "one")
    assert _line(out)["text"] == "'%d' ('one',)"


def test_a_closed_stream_does_not_hurt_who_logs() -> None:
    out = io.StringIO()
    configure_logging("info", "json", out)
    out.close()
    structlog.get_logger().info("tick")
