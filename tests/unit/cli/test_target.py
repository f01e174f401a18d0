"""What a command is about, where the flags do not say it."""

import argparse
from pathlib import Path

import pytest

from edgecore.cli.target import configuration_of
from edgecore.config import load
from edgecore.errors import ConfigError


def named(path: Path | None) -> argparse.Namespace:
    return argparse.Namespace(config=path, control=None)


def test_without_a_configuration_it_is_said_which_flags_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "DEFAULT_PATH", tmp_path / "edgecore.yaml")
    with pytest.raises(ConfigError, match="does not exist; name the node's configuration with --config"):
        configuration_of(named(None))


def test_a_configuration_in_a_folder_that_may_not_be_looked_into_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "edgecore.yaml"

    def refuse(self: Path, *_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(load, "DEFAULT_PATH", path)
    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ConfigError, match=f"cannot read config file {path}: "):
        configuration_of(named(None))
