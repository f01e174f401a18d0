"""What can go wrong in a test that drives a cloud, beside what the cloud itself refuses."""

from cloudhub_stub.errors import StubError
from edgecore.errors import EdgecoreError


class NotYet(AssertionError):  # noqa: N818 - reads as what happened, like the tree in cloudhub_stub/errors.py
    """What was waited for is not so: its text says what was seen instead."""


class Refused(StubError):  # noqa: N818
    """The cloud did not do all that it was asked for; a line for each thing it refused."""


class ProgramFailed(EdgecoreError):  # noqa: N818
    """A program did not start, did not end when it was told to, or ended by itself; with the end of its log."""
