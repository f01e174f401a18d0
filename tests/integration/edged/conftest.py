"""What the tests of Edged share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from endings import has_ended
from processpods import Watched


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    made = Watched(tmp_path / "pods")
    yield made
    supervisor = made.runtime.supervisor_pid
    await made.runtime.close()
    assert supervisor == 0 or has_ended(supervisor)
