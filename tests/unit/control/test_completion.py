"""Completion: bash is asked itself; of zsh and fish, whose programs are not everywhere, the text is looked at."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cloudhub_stub.cli import PROGRAM as STUB
from edgecore.cli import PROGRAM as NODE
from edgecore.control.commands import command_tree
from edgecore.control.completion import SHELLS, Shell, completion

ASK = """
source "$1"; function=$2; shift 2
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
"$function"; printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completion")
    for program in (NODE, STUB):
        (folder / program.name).write_text(completion("bash", command_tree(program)))
    return folder


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["edgecore", "re"], "record recording reload replay"),
        (["edgecore", "db", ""], "backup check info repair restore"),
        (["edgecore", "run", "--conf"], "--config"),
        (["edgecore", "run", "--config", "edge"], "edge-a edgecore.yaml"),
        (["edgecore", "join", "--root", "edge"], "edge-a"),
        (["edgecore", "lab", "--mode", ""], "intercept rootless"),
        (["edgecore", "lab", "--mode", "=", "ro"], "rootless"),
        (["edgecore", "lab", "--nodes", ""], ""),
        (["edgecore", "lab", "--nodes", "db", ""], "cut down heal restart shell status up walk"),
        (["edgecore", "completion", "z"], "zsh"),
        (["edgecore", "recording", "cut", "edge"], "edge-a edgecore.yaml"),
        (["cloudhub-stub", "fault", "drop", "--direction", ""], "down up"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "offers",
)
def test_bash_offers_what_may_stand_there(scripts: Path, tmp_path: Path, words: list[str], offered: str) -> None:
    (tmp_path / "edgecore.yaml").touch()
    (tmp_path / "edge-a").mkdir()
    function = f"_{words[0].replace('-', '_')}"
    command = ["bash", "--norc", "-c", ASK, "bash", str(scripts / words[0]), function, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=20, check=True)
    assert sorted(done.stdout.split()) == sorted(offered.split())


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("program", [NODE, STUB], ids=lambda program: program.name)
def test_a_script_has_every_verb_and_every_flag(shell: Shell, program: type) -> None:
    tree = command_tree(program)  # type: ignore[arg-type]
    script = completion(shell, tree)
    flags = {flag for one in tree.all() for option in one.options for flag in option.flags if flag.startswith("--")}
    written = {flag.removeprefix("--") if shell == "fish" else flag for flag in flags}
    assert [command.name for command in tree.all() if command.name not in script] == []
    assert [flag for flag in written if flag not in script] == []
