"""Label selectors: the text behind ``-l``, and those that stand in objects.

Source: kubernetes staging/src/k8s.io/apimachinery/pkg/labels/selector.go, and pkg/apis/core/v1/helper for node
selector terms. ``!=``, ``NotIn`` and ``DoesNotExist`` take an object that lacks the label; all others do not.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cloudhub_stub.cluster.names import label_value_fault, qualified_name_fault
from cloudhub_stub.errors import Invalid

IN = "In"
NOT_IN = "NotIn"
EXISTS = "Exists"
DOES_NOT_EXIST = "DoesNotExist"
GREATER = "Gt"
LESS = "Lt"

MAX_CHARS = 16_384
_INT64 = re.compile(r"[+-]?[0-9]{1,19}")
_TOKEN = re.compile(r"(?P<word>[^\s,()!=<>]+)|(?P<sign>==|!=|[=!<>(),])")  # blanks are passed over by the search
_COMPARISONS = {"=": IN, "==": IN, "!=": NOT_IN, ">": GREATER, "<": LESS}
_SETS = {"in": IN, "notin": NOT_IN}


class Requirement(NamedTuple):
    """What one label must be; ``operator`` is one of the words above, as objects spell them."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels meet it; no operator that is not known does."""
        value = labels.get(self.key)
        if value is None:
            return self.operator in (NOT_IN, DOES_NOT_EXIST)
        if self.operator in (IN, NOT_IN):
            return (value in self.values) == (self.operator == IN)
        if self.operator in (GREATER, LESS):
            return self._compares(value)
        return self.operator == EXISTS

    def _compares(self, value: str) -> bool:
        limit = _int64(self.values[0]) if len(self.values) == 1 else None
        number = _int64(value)
        if number is None or limit is None:
            return False
        return number > limit if self.operator == GREATER else number < limit


class Selector(NamedTuple):
    """What all labels together must be; without requirements, every object matches."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels meet every requirement."""
        return all(each.matches(labels) for each in self.requirements)


def parse_selector(text: str) -> Selector:
    """Return what ``-l`` says: ``a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1``; an empty text selects all.

    Raises ``Invalid`` without a field.
    """
    if len(text) > MAX_CHARS:
        raise Invalid("", f"a selector has at most {MAX_CHARS} characters, this one {len(text)}")
    return Selector(_Parser(text).requirements())


def matches_expressions(expressions: Iterable[Mapping[str, Any]], labels: Mapping[str, str]) -> bool:
    """Whether labels (or fields) meet all ``{key, operator, values}``; no expressions at all are met.

    A node selector term that is empty matches no node, though: whoever reads terms decides that.
    """
    return all(
        Requirement(each["key"], each["operator"], tuple(each.get("values") or ())).matches(labels)
        for each in expressions
    )


def label_selector_matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether labels meet ``{matchLabels, matchExpressions}``: an empty selector takes all, a missing one none."""
    if selector is None:
        return False
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    if not wanted.items() <= labels.items():
        return False
    expressions = selector.get("matchExpressions")
    return not expressions or matches_expressions(expressions, labels)


def is_int64(text: str) -> bool:
    """Whether ``Gt`` and ``Lt`` can compare with this."""
    return _int64(text) is not None


def _int64(text: str) -> int | None:
    if not _INT64.fullmatch(text):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


class _Parser:
    """Reads the words of a selector one by one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [match[0] for match in _TOKEN.finditer(text)]
        self._at = 0

    def requirements(self) -> tuple[Requirement, ...]:
        found: list[Requirement] = []
        while self._at < len(self._tokens):
            if found:
                self._expect(",")
            found.append(self._requirement())
        return tuple(found)

    def _requirement(self) -> Requirement:
        is_absent = self._take("!")
        key = self._word()
        if fault := qualified_name_fault(key):
            raise self._wrong(f"the label {key[:80]!r} cannot be: {fault}")
        following = self._peek()
        if is_absent or following in ("", ","):
            return Requirement(key, DOES_NOT_EXIST if is_absent else EXISTS)
        self._at += 1
        if following in _COMPARISONS:
            return self._compared(key, _COMPARISONS[following])
        if following in _SETS:
            return Requirement(key, _SETS[following], self._values(key, following))
        raise self._wrong(f"{following[:80]!r} stands behind {key!r}, where =, ==, !=, in, notin or a comma could")

    def _compared(self, key: str, operator: str) -> Requirement:
        value = self._word() if self._is_word() else ""
        if operator in (GREATER, LESS) and _int64(value) is None:
            raise self._wrong(f"{key!r} is compared with {value[:80]!r}, which is no whole number")
        return Requirement(key, operator, (self._checked(value),))

    def _values(self, key: str, operator: str) -> tuple[str, ...]:
        self._expect("(")
        values = [self._word() if self._is_word() else ""]
        while self._take(","):
            values.append(self._word() if self._is_word() else "")
        self._expect(")")
        if values == [""]:
            raise self._wrong(f"{key!r} {operator} () names no value")
        return tuple(map(self._checked, values))

    def _checked(self, value: str) -> str:
        if fault := label_value_fault(value):
            raise self._wrong(f"the value {value[:80]!r} cannot be: {fault}")
        return value

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _is_word(self) -> bool:
        return self._peek() not in ("", ",", "(", ")", "!", "=", "==", "!=", "<", ">")

    def _word(self) -> str:
        if not self._is_word():
            raise self._wrong(f"a label is missing before {self._peek() or 'the end'!r}")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, sign: str) -> bool:
        if self._peek() != sign:
            return False
        self._at += 1
        return True

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise self._wrong(f"{sign!r} is missing before {self._peek()[:80] or 'the end'!r}")

    def _wrong(self, reason: str) -> Invalid:
        shown = self._text if len(self._text) <= 80 else f"{self._text[:80]}..."
        return Invalid("", f"cannot use the selector {shown!r}: {reason}")
