"""A whole node under mixed load, cuts and restarts of its cloud in virtual time: what the tests do of `make soak`."""

import random
from pathlib import Path

import pytest

from soak.flatness import Bound
from soak.measuring import WITHIN
from soak.virtual import Settings, VirtualSoak

SHORT_BOUNDS = {
    "memory blocks": Bound(6000),
    "descriptors": Bound(20),
    "threads": WITHIN["threads"],
    "tasks": Bound(10),
    "resident KiB": WITHIN["resident KiB"],
}
"""A short time sees more of chance, such as how many services there are (and thirty series of metrics for each): what
leaks slowly is found in the long run."""


@pytest.mark.timeout(600)
async def test_a_node_stays_flat_right_and_without_a_word_through_cuts_restarts_and_churn(
    tmp_path: Path, scale: int
) -> None:
    seconds, sample_every_s, bounds = (1800, 15, WITHIN) if scale > 1 else (120, 6, SHORT_BOUNDS)
    seed = random.randrange(10_000)
    soak = VirtualSoak(tmp_path, Settings(seconds, seed, sample_every_s), lambda _what, _share: None)
    outcome = (await soak.run())._replace(bounds=bounds)
    assert not outcome.findings, "\n".join([f"seed {seed}", *outcome.summary()])
    assert outcome.done["cuts"] >= seconds // 20
    assert outcome.done["crashes of the cloud"] >= seconds // 120
    assert outcome.done["calls by ServiceBus"]
