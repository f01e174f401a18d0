"""The command ``edgecore config``."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgecore.cli import config as command
from edgecore.config.host import default_config, this_machine
from edgecore.config.load import LoadedConfig, parse
from edgecore.config.reference import reference
from edgecore.config.render import below
from edgecore.errors import ConfigError

PROGRAM = "import sys; from edgecore.cli import main; sys.exit(main())"


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="edgecore")
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["config", *arguments])
    code: int = args.run(args)
    return code


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(*arguments) == 0
    return capsys.readouterr().out


def read(text: str) -> LoadedConfig:
    return parse(text, "printed", env=this_machine())


@pytest.mark.parametrize("form", ["--default", "--min"])
def test_what_is_printed_is_this_machines_configuration(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    loaded = read(printed(capsys, form))
    assert loaded.config == default_config(this_machine())
    assert loaded.warnings == ()


@pytest.mark.parametrize("form", ["--default", "--min"])
def test_user_puts_the_files_into_the_state_directory(
    form: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/srv/somebody/state")
    loaded = read(printed(capsys, form, "--user"))
    root = Path("/srv/somebody/state/edgecore")
    assert loaded.config == below(default_config(this_machine()), root, minimal=form == "--min")


def test_root_puts_the_files_below_it_with_or_without_user(capsys: pytest.CaptureFixture[str]) -> None:
    loaded = read(printed(capsys, "--default", "--root", "/srv/node"))
    assert loaded.config.database.data_source == "/srv/node/edgecore.db"
    assert read(printed(capsys, "--default", "--user", "--root", "/srv/node")).config == loaded.config


def test_a_relative_root_is_made_absolute(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"dataSource: {tmp_path}/var/edgecore.db" in printed(capsys, "--min", "--root", "var")


def test_reference_prints_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "--reference") == reference()


@pytest.mark.parametrize(
    "arguments", [[], ["--user"], ["--default", "--min"], ["--min", "--root"], ["--min", "--root", ""], ["--max"]]
)
def test_a_wrong_command_line_says_how_it_is_used(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert "usage: edgecore config" in capsys.readouterr().err


def test_user_without_a_home_is_an_error_with_a_way_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    with pytest.raises(ConfigError, match="name one with --root"):
        run("--min", "--user")
    assert capsys.readouterr().out == ""


def test_help_teaches_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("--help")
    text = capsys.readouterr().out
    assert "edgecore config --min --user > edgecore.yaml" in text
    assert "edgecore run --config edgecore.yaml" in text


def test_a_reader_that_had_enough_sees_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as gone:  # noqa: PTH123 - a descriptor, not a path
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "config", "--default"],
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr == ""
