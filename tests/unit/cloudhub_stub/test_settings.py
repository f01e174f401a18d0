"""Where the stub keeps its files."""

from pathlib import Path

import pytest

from cloudhub_stub.settings import Settings, default_state_dir
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
