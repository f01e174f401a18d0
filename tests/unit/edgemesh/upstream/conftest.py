"""A port with hosts whose health is judged, on a clock that stands still."""

from collections.abc import AsyncIterator

import pytest

from tests.support.healthrig import HealthRig, health_rig


@pytest.fixture
async def rig() -> AsyncIterator[HealthRig]:
    """Closed behind the test; then no timer is left."""
    rig = health_rig()
    yield rig
    await rig.close()
    assert rig.timers == 0
