"""The command line of edgecore: verbs, and the flags of the Go program."""

import importlib
import subprocess
import sys

import pytest

from edgecore.cli import VERBS, main, with_verb


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["--config", "f.yaml"], ["run", "--config", "f.yaml"]),
        (["--config=f.yaml"], ["run", "--config=f.yaml"]),
        (["--defaultconfig"], ["config", "--default"]),
        (["--minconfig"], ["config", "--min"]),
        (["--minconfig=true"], ["config", "--min"]),
        (["--defaultconfig", "--user"], ["config", "--default", "--user"]),
        (["--version"], ["--version"]),
        (["--config", "f.yaml", "--version=raw"], ["--version=raw"]),
        (["status", "--config", "f.yaml"], ["status", "--config", "f.yaml"]),
        (["--help"], ["--help"]),
        ([], []),
    ],
)
def test_flags_of_the_go_program_mean_a_verb(given: list[str], meant: list[str]) -> None:
    assert with_verb(given) == meant


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_the_help_of_a_verb_describes_it_and_shows_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    printed = capsys.readouterr().out
    assert f"edgecore {verb}" in printed.split("examples:")[1]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_a_verb_has_a_file_of_its_name(verb: tuple[str, str, str]) -> None:
    name, module, _ = verb
    assert module == f"edgecore.cli.{name}"
    assert callable(importlib.import_module(module).add_parser)


def test_the_help_of_the_program_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(verb.summary.split()[0] in printed for verb in VERBS)
    assert printed.split("examples:")[1].count("\n  edgecore ") == 4


@pytest.mark.parametrize("arguments", [["--help"], ["status", "--help"], ["env", "--control", "/nowhere/x.sock"]])
def test_a_quick_verb_loads_nothing_heavy(arguments: list[str]) -> None:
    code = "import sys; from edgecore.cli import main; main(sys.argv[1:]); print('LOADED', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.partition("LOADED")[2].split())
    assert "edgecore.cli" in loaded
    assert loaded & {"aiohttp", "asyncio", "uvloop", "websockets", "peewee", "structlog", "yaml", "msgspec"} == set()


def test_python_m_edgecore_is_the_command() -> None:
    command = [sys.executable, "-m", "edgecore", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("edgecore ")
