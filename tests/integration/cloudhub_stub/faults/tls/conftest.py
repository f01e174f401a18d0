"""Every test here runs on both event loops: TLS is each one's own."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each test on the loop of Python and on the one of production."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
