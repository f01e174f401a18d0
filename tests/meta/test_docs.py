"""The documents that can be checked against the source: READMEs of the modules, the commands, the change log."""

import ast
import re
from pathlib import Path

LISTED_COMMAND = re.compile(r"^\| `((?:edgecore|cloudhub-stub) [a-z-]+)`", re.MULTILINE)


def test_every_module_has_a_readme_with_its_messages_settings_and_state(root: Path) -> None:
    folders = [path.parent for path in (root / "edgecore/modules").glob("*/__init__.py")]
    assert folders
    thin = [
        f"{folder.name}: {', '.join(missing)}" for folder in folders if (missing := _missing_in(folder / "README.md"))
    ]
    assert not thin, "\n" + "\n".join(thin)


def test_the_readme_lists_the_commands_of_both_programs_and_no_others(root: Path, trees: dict[str, ast.Module]) -> None:
    commands = [*_verbs(trees, "edgecore/cli/", "edgecore"), *_verbs(trees, "cloudhub_stub/cli/", "cloudhub-stub")]
    assert sorted(LISTED_COMMAND.findall((root / "README.md").read_text("utf-8"))) == sorted(commands)


def test_there_is_a_change_log(root: Path) -> None:
    assert "## " in (root / "CHANGELOG.md").read_text("utf-8")


def test_a_command_is_listed_at_the_beginning_of_a_table_row() -> None:
    text = "see `edgecore env`\n| `edgecore run` | runs |\n| `cloudhub-stub nodes` | lists |\n"
    assert LISTED_COMMAND.findall(text) == ["edgecore run", "cloudhub-stub nodes"]


def test_a_verb_is_a_file_that_adds_a_parser() -> None:
    trees = {
        "edgecore/cli/run.py": ast.parse("def add_parser(subparsers): ..."),
        "edgecore/cli/target.py": ast.parse("def add_target(parser): ..."),
        "edgecore/app.py": ast.parse("def add_parser(subparsers): ..."),
    }
    assert _verbs(trees, "edgecore/cli/", "edgecore") == ["edgecore run"]


def _missing_in(readme: Path) -> list[str]:
    """Return what rule 8 of ARCHITECTURE.md asks for and the file does not speak of."""
    if not readme.exists():
        return ["README.md"]
    text = readme.read_text("utf-8").lower()
    topics = {"messages in": "in", "messages out": "out", "settings": "setting", "what it keeps on disk": "disk"}
    return [topic for topic, word in topics.items() if not re.search(rf"\b{word}", text)]


def _verbs(trees: dict[str, ast.Module], folder: str, program: str) -> list[str]:
    return [
        f"{program} {Path(path).stem}"
        for path, tree in trees.items()
        if path.startswith(folder)
        and any(isinstance(node, ast.FunctionDef) and node.name == "add_parser" for node in tree.body)
    ]
