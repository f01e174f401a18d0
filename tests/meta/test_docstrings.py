"""Every source file opens with one sentence that says what it is, and none is long."""

import ast
import re

LIMIT_LINES = 400
_SENTENCE_ENDS = re.compile(r"[.!?](?=\s+[A-Z])")


def test_every_file_opens_with_one_sentence(trees: dict[str, ast.Module]) -> None:
    wrong = [f"{path}: {fault}" for path, tree in trees.items() if (fault := _fault(tree))]
    assert not wrong, "\n" + "\n".join(wrong)


def test_no_file_is_longer_than_the_limit(texts: dict[str, str]) -> None:
    long = [f"{path}: {lines} lines" for path, text in texts.items() if (lines := text.count("\n")) > LIMIT_LINES]
    assert not long, "\n" + "\n".join(long)


def test_a_file_without_docstring_is_found() -> None:
    assert _fault(ast.parse("x = 1")) == "no docstring"


def test_a_docstring_of_two_sentences_is_found() -> None:
    assert _fault(ast.parse('"""One thing. Another thing."""')) == "more than one sentence before the first empty line"


def test_a_docstring_without_end_is_found() -> None:
    assert _fault(ast.parse('"""One thing"""')) == "no full stop"


def test_one_sentence_and_more_below_is_as_it_should_be() -> None:
    assert _fault(ast.parse('"""Bytes of RFC 1035 (v1.3.1): what ``x.y`` is.\n\nMore. And more."""')) == ""


def _fault(tree: ast.Module) -> str:
    docstring = ast.get_docstring(tree)
    if docstring is None:
        return "no docstring"
    first = docstring.split("\n\n")[0].removesuffix("::").strip()
    if not first.endswith((".", ":", "!", "?")):
        return "no full stop"
    return "more than one sentence before the first empty line" if _SENTENCE_ENDS.search(first) else ""
