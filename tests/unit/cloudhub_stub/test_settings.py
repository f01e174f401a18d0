"""Where the stub keeps its files."""

from pathlib import Path

import pytest

from cloudhub_stub.settings import Settings
from cloudhub_stub.statedir import default_state_dir
from edgecore.errors import ConfigError


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/people/a"}, "/people/a/.local/state/cloudhub-stub"),
        ({"HOME": "/people/a", "XDG_STATE_HOME": "/var/a"}, "/var/a/cloudhub-stub"),
        ({"HOME": "/people/a", "XDG_STATE_HOME": "relative"}, "/people/a/.local/state/cloudhub-stub"),
    ],
)
def test_the_state_directory_follows_the_environment(environ: dict[str, str], expected: str) -> None:
    assert default_state_dir(environ) == Path(expected)


def test_without_a_home_the_flag_is_named() -> None:
    with pytest.raises(ConfigError, match="--state-dir"):
        default_state_dir({})


def test_the_control_socket_is_in_the_state_directory_unless_set() -> None:
    assert Settings(Path("/s")).control_path == Path("/s/control.sock")
    assert Settings(Path("/s"), control=Path("/c")).control_path == Path("/c")


def test_the_defaults_are_those_of_cloudhub_on_this_machine() -> None:
    settings = Settings(Path("/s"))
    assert (settings.listen, settings.keepalive_timeout_s) == ("127.0.0.1:10000", 30.0)
    assert settings.max_message_bytes == 67_108_864


@pytest.mark.parametrize(
    ("asked", "faithful", "to_go", "to_ours"),
    [(None, False, 1, 64), (None, True, 1, 1), (5, False, 5, 5), (5, True, 5, 5)],
)
def test_how_many_objects_are_in_flight(asked: int | None, faithful: bool, to_go: int, to_ours: int) -> None:
    timing = Settings(Path("/s"), in_flight=asked, faithful=faithful).queue_rules.timing
    assert (timing.window(is_ours=False), timing.window(is_ours=True)) == (to_go, to_ours)
