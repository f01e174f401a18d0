"""Waiting for something to become so, by looking again and again (pure: time is handed in)."""

from collections.abc import Callable
from pprint import pformat
from typing import TypeVar

from cloudhub_stub.errors import NotFound
from cloudhub_stub.testing.errors import NotYet
from edgecore.errors import ControlError

T = TypeVar("T")

POLL_S = 0.05
MAX_SHOWN = 4000
"""How many characters of what was seen last are shown."""

NOT_YET = (AssertionError, LookupError, NotFound, ControlError)
"""What a look may raise while what it looks for is on its way: an assertion that does not hold, an object or a field
that is not there, a program that does not answer. Anything else is a mistake of the look and passes through."""
_SPEAKING = (NotYet, NotFound, ControlError)
"""Errors whose text alone says what is wrong."""


def until(
    look: Callable[[], T],
    what: str,
    timeout_s: float,
    *,
    monotonic: Callable[[], float],
    pause: Callable[[float], object],
) -> T:
    """Return what ``look`` returns, once that is true.

    Raises ``NotYet`` after ``timeout_s``, with ``what`` and what was seen last; ``look`` is called once at least, and
    its last error is the cause, unless its text says all.
    """
    __tracebackhide__ = True  # pytest shows the line of the test
    deadline = monotonic() + timeout_s
    while True:
        cause: Exception | None = None
        try:
            found = look()
            if found:
                return found
            seen = shown(found)
        except NOT_YET as error:
            seen = shown(error)
            cause = None if isinstance(error, _SPEAKING) else error
        if monotonic() >= deadline:
            raise NotYet(f"{what}: not so within {timeout_s:g} s; seen last: {seen}") from cause
        pause(POLL_S)


def shown(value: object) -> str:
    """Return a value, or an error, for people; its first ``MAX_SHOWN`` characters."""
    if isinstance(value, _SPEAKING):
        text = str(value)
    elif isinstance(value, Exception):
        text = f"{type(value).__name__}: {value}"
    else:
        text = pformat(value, width=110)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]} ... ({len(text)} characters)"


def name_of(condition: Callable[..., object]) -> str:
    """Return the name of a function; of one without a name, the file and line where it stands."""
    name: str = getattr(condition, "__name__", type(condition).__name__)
    code = getattr(condition, "__code__", None)
    if name != "<lambda>" or code is None:
        return name
    return f"the condition at {code.co_filename}:{code.co_firstlineno}"
