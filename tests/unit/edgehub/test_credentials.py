"""Which clouds renew certificates."""

import pytest

from edgecore.modules.edgehub.credentials import renews


@pytest.mark.parametrize("version", ["1.4", "1.4.0", "v1.12.1", "2.0"])
def test_clouds_from_1_4_on_renew(version: str) -> None:
    assert renews(version)


@pytest.mark.parametrize("version", ["1.3.1", "v1.3", "1.2.1", "0.9"])
def test_older_clouds_do_not(version: str) -> None:
    assert not renews(version)
