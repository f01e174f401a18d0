"""What came of a step: what was printed, or why it failed, in one line fit for a log."""

from typing import NamedTuple

from edgecore.modules.edgemesh.intercept.keeper.protocol import Reason

WORDS_LIMIT = 600
"""So many characters of what a tool says are kept."""

_PERMISSION = ("operation not permitted", "permission denied", "must be root")


class Outcome(NamedTuple):
    """``reason`` is empty if the step is done."""

    output: str = ""
    error: str = ""
    reason: Reason = ""


def words(text: str) -> str:
    """Return what a tool said in one line, without the lines of marks that nft sets below a place in its input."""
    lines = (line.strip() for line in text.splitlines())
    return " | ".join(line for line in lines if line.strip("^~ "))[:WORDS_LIMIT]


def refusal(begin: str, said: str) -> Outcome:
    """Return the outcome of a step that a tool or the kernel refused, in its words."""
    is_permission = any(sign in said.lower() for sign in _PERMISSION)
    return Outcome(error=f"{begin}: {words(said)}", reason="no_permission" if is_permission else "refused")
