"""Recordings of the Go edgecore, and sessions made of them."""

import pytest

from edgecore.recording.session import Recording
from edgecore.verdict.rules import Rules
from edgecore.verdict.rulesfile import read_rules
from fidelity.history import NAMES, read_recording


@pytest.fixture(scope="session")
def rules() -> Rules:
    return read_rules()


@pytest.fixture(scope="session")
def recordings() -> list[Recording]:
    return [read_recording(name) for name in NAMES if not name.startswith("f_")]


@pytest.fixture(scope="session")
def busy(recordings: list[Recording]) -> Recording:
    """The one with services, endpoints and pods."""
    return next(one for one in recordings if one.name.startswith("b_"))
