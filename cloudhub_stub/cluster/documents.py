"""The text of a manifest file to JSON values, whether it is YAML or JSON, within the limits of ``yamltext.py``."""

from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder
from typing import Any

from cloudhub_stub.cluster.plain import refuse_unplain
from cloudhub_stub.cluster.scalars import shown, whole_number
from cloudhub_stub.cluster.yamltext import Document, DocumentError, yaml_documents
from cloudhub_stub.errors import Invalid

_SPACE = " \t\r\n"


def read_documents(text: str) -> list[Document]:
    """Return the documents of ``text``, empty ones as null. Raises ``DocumentError`` and nothing else.

    Text that begins with ``{`` is read as JSON, as many documents as follow each other, and as YAML if it is none.
    """
    documents = _documents(text)
    for document in documents:
        try:
            refuse_unplain(document.value)
        except Invalid as error:
            raise _error(document.line, str(error)) from None
    return documents


def _documents(text: str) -> list[Document]:
    if not text.lstrip(_SPACE).startswith("{"):
        return yaml_documents(text)
    try:
        return list(_json_documents(text))
    except JSONDecodeError as error:
        try:
            return yaml_documents(text)
        except DocumentError:
            raise DocumentError(f"line {error.lineno}: {error.msg[:1].lower()}{error.msg[1:]}") from None


def _json_documents(text: str) -> Iterator[Document]:
    decoder = JSONDecoder(object_pairs_hook=_unique, parse_int=whole_number, parse_constant=_refuse)
    at = _skip_space(text, 0)
    line, counted = 1, 0
    while at < len(text):
        line += text.count("\n", counted, at)
        counted = at
        try:
            value, end = decoder.raw_decode(text, at)
        except JSONDecodeError:
            raise
        except ValueError as error:
            raise _error(line, str(error)) from None
        except RecursionError:
            raise _error(line, "nested too deep") from None
        yield Document(value, line)
        at = _skip_space(text, end)


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {shown(name)} stands there twice")
        found[name] = value
    return found


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is no value in JSON")


def _error(line: int, reason: str) -> DocumentError:
    return DocumentError(f"in the document of line {line}: {reason}")
