"""The documents that can be checked: READMEs of the modules, the commands, the change log, the fidelity ledger."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

LISTED_COMMAND = re.compile(r"^\| \[`((?:edgecore|cloudhub-stub) [a-z-]+)`\]", re.MULTILINE)
TEST_SPAN = re.compile(r"`((?:unit|integration|e2e|meta)/[^` ]+\.py|test_[^` /.]+)`")
LEDGER_CELLS = 5


def test_every_module_has_a_readme_with_its_messages_settings_and_state(root: Path) -> None:
    folders = [path.parent for path in (root / "edgecore/modules").glob("*/__init__.py")]
    assert folders
    thin = [
        f"{folder.name}: {', '.join(missing)}" for folder in folders if (missing := _missing_in(folder / "README.md"))
    ]
    assert not thin, "\n" + "\n".join(thin)


def test_the_reference_lists_the_commands_of_both_programs_and_no_others(
    root: Path, trees: dict[str, ast.Module]
) -> None:
    commands = [*_verbs(trees, "edgecore/cli/", "edgecore"), *_verbs(trees, "cloudhub_stub/cli/", "cloudhub-stub")]
    listed = "".join((root / f"docs/reference/{page}.md").read_text("utf-8") for page in ("cli", "cloudhub-stub"))
    assert sorted(LISTED_COMMAND.findall(listed)) == sorted(commands)


def test_the_readme_says_what_each_verb_of_make_does_and_no_others(root: Path) -> None:
    verbs = re.findall(r"^([a-z-]+):.*## ", (root / "Makefile").read_text("utf-8"), re.MULTILINE)
    listed = re.findall(r"^\| `make ([a-z-]+)` \|", (root / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted({*verbs} - {"help", "demo", "clean"}) == sorted(listed)


def test_there_is_a_change_log(root: Path) -> None:
    assert "## " in (root / "CHANGELOG.md").read_text("utf-8")


def test_every_line_of_the_fidelity_ledger_names_tests_that_exist(root: Path) -> None:
    wrong = [
        f"docs/fidelity.md:{line}: {why}"
        for line, why in _ledger_faults((root / "docs/fidelity.md").read_text("utf-8"), root / "tests")
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_every_claim_of_the_security_page_names_tests_that_exist(root: Path) -> None:
    lines = (root / "SECURITY.md").read_text("utf-8").splitlines()
    missing = [
        f"SECURITY.md:{n}: {why}" for n, line in enumerate(lines, 1) for why in _missing_tests(line, root / "tests")
    ]
    claims = [
        line for line in lines if line.startswith("| ") and not line.startswith(("| ---", "| claim |", "| what "))
    ]
    unheld = [line for line in claims if not TEST_SPAN.search(line.strip("|").split("|")[-1])]
    assert claims
    assert missing + unheld == []


def test_every_bug_of_the_go_code_has_its_line(root: Path) -> None:
    """Spec 13.1 to 13.6."""
    parts = {"T": 10, "H": 18, "E": 9, "B": 8, "M": 11, "D": 5, "V": 5, "W": 12, "S": 3, "X": 23, "C": 11}
    bugs = {f"{part}{number}" for part, most in parts.items() for number in range(1, most + 1)}
    assert bugs - set(_ledger_ids(root)) == set()


def test_no_two_lines_of_the_ledger_have_the_same_id_of_ours(root: Path) -> None:
    ours = [one for one in _ledger_ids(root) if re.match(r"(EH|MM|LC|ED|EB|DT|SB|EM|DN|PX|HL|CS|DB)\d", one)]
    assert [one for one, number in Counter(ours).items() if number > 1] == []


def test_a_command_is_listed_at_the_beginning_of_a_table_row() -> None:
    text = "see `edgecore env`\n| [`edgecore run`](#run) | runs |\n| [`cloudhub-stub nodes`](#nodes) | lists |\n"
    assert LISTED_COMMAND.findall(text) == ["edgecore run", "cloudhub-stub nodes"]


def test_a_verb_is_a_file_that_adds_a_parser() -> None:
    trees = {
        "edgecore/cli/run.py": ast.parse("def add_parser(subparsers): ..."),
        "edgecore/cli/target.py": ast.parse("def add_target(parser): ..."),
        "edgecore/app.py": ast.parse("def add_parser(subparsers): ..."),
    }
    assert _verbs(trees, "edgecore/cli/", "edgecore") == ["edgecore run"]


ROW = "| X1 | this | that | for | {} |"


@pytest.mark.parametrize(
    "tests",
    [
        "`unit/a/test_x.py` `test_one`",
        "`unit/a/test_x.py` `test_on…`, `test_two`; `unit/test_y.py` `test_three`",
        "`unit/test_y.py`",
    ],
)
def test_a_line_that_names_tests_that_exist_has_no_fault(tests_folder: Path, tests: str) -> None:
    assert list(_ledger_faults(ROW.format(tests), tests_folder)) == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (ROW.format("`unit/a/test_z.py` `test_one`"), "no file unit/a/test_z.py"),
        (ROW.format("`unit/a/test_x.py` `test_three`"), "no test_three in unit/a/test_x.py"),
        (ROW.format("`unit/a/test_x.py` `test_on`"), "no test_on in unit/a/test_x.py"),
        (ROW.format("`unit/a/test_x.py` `test_oz…`"), "no test_oz… in unit/a/test_x.py"),
        (ROW.format("`test_one`"), "test_one is in no file"),
        (ROW.format("none"), "the last cell names no test"),
        ("| X1 | a | b | c | d | `unit/test_y.py` |", "6 cells, not 5"),
        ("Not in a table: `unit/test_y.py` `test_one`.", "no test_one in unit/test_y.py"),
    ],
)
def test_a_line_that_names_what_is_not_there_is_named(tests_folder: Path, line: str, why: str) -> None:
    head = "| id | Go does | we do | why | test |\n| --- | --- | --- | --- | --- |\n"
    assert list(_ledger_faults(head + line, tests_folder)) == [(3, why)]


@pytest.fixture
def tests_folder(tmp_path: Path) -> Path:
    (tmp_path / "unit/a").mkdir(parents=True)
    (tmp_path / "unit/a/test_x.py").write_text("def test_one(): ...\nclass C:\n    async def test_two(self): ...\n")
    (tmp_path / "unit/test_y.py").write_text("def test_three(): ...\n")
    return tmp_path


def _ledger_ids(root: Path) -> list[str]:
    """Return the ids of all lines; one may have several."""
    rows = [
        line.split("|")[1] for line in (root / "docs/fidelity.md").read_text("utf-8").splitlines() if line[:1] == "|"
    ]
    return [one.strip() for cell in rows for one in cell.split(",")]


def _ledger_faults(text: str, folder: Path) -> Iterator[tuple[int, str]]:
    """Yield line number and fault of each line that names a test that ``folder`` does not have, or a row without any.

    A file goes for the tests behind it, up to the next file; one alone stands for all its tests.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("|") and not line.startswith(("| id |", "| --- |")):
            cells = line.strip("|").split("|")
            if len(cells) != LEDGER_CELLS:
                yield number, f"{len(cells)} cells, not {LEDGER_CELLS}"
                continue
            if not TEST_SPAN.search(cells[-1]):
                yield number, "the last cell names no test"
        yield from ((number, why) for why in _missing_tests(line, folder))


def _missing_tests(line: str, folder: Path) -> Iterator[str]:
    path = ""
    names: frozenset[str] = frozenset()
    for span in TEST_SPAN.findall(line):
        if span.endswith(".py"):
            path = span
            names = _test_names(folder / path)
            if not names:
                yield f"no file {path}"
        elif not path:
            yield f"{span} is in no file"
        elif names and not any(name == span or _is_short_for(span, name) for name in names):
            yield f"no {span} in {path}"


def _test_names(path: Path) -> frozenset[str]:
    """Return the names of the tests in a file; none if there is no such file."""
    if not path.is_file():
        return frozenset()
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return frozenset(
        node.name
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def _is_short_for(span: str, name: str) -> bool:
    return span.endswith("…") and name.startswith(span.removesuffix("…"))


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
