"""Verdicts as JUnit XML, as CI systems read it: a suite for each recording, a case for each kind of message (pure)."""

import json
import re
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from edgecore.verdict.verdict import Difference, Verdict

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 document may have, not even escaped."""
_SHOWN = 50
"""So many differences are in the text of a case."""


def junit(verdicts: Sequence[Verdict]) -> str:
    """Return the document."""
    return "\n".join(_document(verdicts)) + "\n"


def _document(verdicts: Sequence[Verdict]) -> Iterator[str]:
    cases = [(verdict, _cases(verdict)) for verdict in verdicts]
    counts = _counts([one for _, found in cases for one in found.values()])
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<testsuites name="edgecore replay" {counts}>'
    for verdict, found in cases:
        yield f"  <testsuite name={_attribute(verdict.recording)} {_counts(list(found.values()))}>"
        for kind, differences in found.items():
            yield f"    <testcase classname={_attribute(verdict.recording)} name={_attribute(kind)}>"
            if differences:
                yield from _failure(differences)
            yield "    </testcase>"
        yield f"    <system-out>{_text(json.dumps({'known differences met': verdict.used}))}</system-out>"
        yield "  </testsuite>"
    yield "</testsuites>"


def _cases(verdict: Verdict) -> dict[str, list[Difference]]:
    found: dict[str, list[Difference]] = {kind: [] for kind in sorted(verdict.compared)}
    for one in verdict.differences:
        found.setdefault(one.kind, []).append(one)
    return found or {"nothing was compared": []}


def _counts(cases: Sequence[Sequence[Difference]]) -> str:
    return f'tests="{len(cases)}" failures="{sum(map(bool, cases))}" errors="0"'


def _failure(differences: Sequence[Difference]) -> Iterator[str]:
    first = differences[0]
    message = f"{first.path} of {first.what}" + (f", and {len(differences) - 1} more" if len(differences) > 1 else "")
    lines = [str(one) for one in differences[:_SHOWN]]
    if len(differences) > _SHOWN:
        lines.append(f"… and {len(differences) - _SHOWN} more")
    yield f'      <failure type="different" message={_attribute(message)}>{_text(chr(10).join(lines))}</failure>'


def _attribute(text: str) -> str:
    return quoteattr(_NOT_XML.sub("\ufffd", text))


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", text))
