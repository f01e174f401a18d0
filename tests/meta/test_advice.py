"""Errors with which a program ends say what to try: in their text, by what the system said, or by their kind."""

import ast
from collections.abc import Iterator

import pytest

from edgecore.errors import EdgecoreError, ListenError, StoreError, listen_error, reason_of

KINDS = frozenset({"ConfigError", "ControlError", "EdgecoreError"})
"""Those whose class has no advice, as it depends; wrong bytes of a peer (``ContentError``) have none."""
EXPLAINED = {
    "cloudhub_stub/certificates/": "what is wrong with a file; load() puts the way out behind it",
    "cloudhub_stub/faults/scenario.py": "names the line of the file, and what may stand there",
    "edgecore/config/load.py": "names the line of the file, and what may stand there",
    "edgecore/control/client.py": "the words of the connection; whoever asked goes on or says more",
    "edgecore/demo/": "a step that did not hold: what was expected, what was found, the last lines of the program",
}


def test_every_error_that_ends_a_program_says_what_to_try(trees: dict[str, ast.Module]) -> None:
    poor = [
        f"{path}:{line}: {text}"
        for path, tree in trees.items()
        if not path.startswith(tuple(EXPLAINED))
        for line, text in _without_advice(tree)
    ]
    assert not poor, "\n" + "\n".join(poor)


def test_what_is_explained_is_still_needed(trees: dict[str, ast.Module]) -> None:
    poor = [path for path, tree in trees.items() if [*_without_advice(tree)]]
    assert [place for place in EXPLAINED if not any(path.startswith(place) for path in poor)] == []


@pytest.mark.parametrize(
    ("text", "poor"),
    [
        ("ConfigError('cannot use x: it is y')", 1),
        ("ConfigError('cannot use x: it is y; name another')", 0),
        ("ConfigError(f'cannot use {x}: ' f'it is y')", 1),
        ("EdgecoreError(f'cannot read {x}: {reason_of(error)}')", 0),
        ("EdgecoreError(str(error))", 0),
        ("ContentError('cannot decode x: no JSON')", 0),
        ("ConfigError(f'cannot use {x} alone: give y too')", 0),
    ],
)
def test_an_error_without_advice_is_found(text: str, poor: int) -> None:
    assert len([*_without_advice(ast.parse(text))]) == poor


def test_the_kind_of_an_error_says_what_to_try_where_the_text_does_not() -> None:
    assert StoreError("cannot read x: it is damaged; restore it").told == "cannot read x: it is damaged; restore it"
    assert StoreError("cannot read x").told == f"cannot read x; {StoreError.advice}"
    assert EdgecoreError("cannot go on").told == "cannot go on"
    told = listen_error("127.0.0.1:80", OSError(98, "in use")).told
    assert told == f"cannot listen on 127.0.0.1:80: address already in use; {ListenError.advice}"


def test_the_system_s_words_are_followed_by_what_to_try_where_that_is_plain() -> None:
    assert reason_of(OSError(28, "No space left on device")).startswith("No space left on device; make room")
    assert reason_of(OSError(5, "Input/output error")) == "Input/output error"
    assert reason_of(OSError("odd")) == "odd"


def _without_advice(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS and node.args:
            text = _text(node.args[-1])
            if " " in text and not any(sign in text for sign in ("; ", "reason_of(", ": give ", "; name ")):
                yield node.lineno, text


def _text(node: ast.expr) -> str:
    """Return a text with its values as they stand in the source; nothing where it is made elsewhere."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else ast.unparse(part) for part in node.values)
    return ""
