"""What is known of a cloud by its version, and by its name."""

import pytest

from edgecore.modules.edgehub.cloud import is_from_1_4, is_stub


@pytest.mark.parametrize("version", ["1.4", "1.4.0", "v1.4.1", "1.12.0", "2.0"])
def test_these_are_from_1_4_on(version: str) -> None:
    assert is_from_1_4(version)


@pytest.mark.parametrize("version", ["1.3.1", "v1.3", "1.2.1", "0.9"])
def test_these_are_before_1_4(version: str) -> None:
    assert not is_from_1_4(version)


def test_only_the_stub_is_the_stub() -> None:
    assert [is_stub(name) for name in ("cloudhub-stub/1.0", "", "nginx", "my-cloudhub-stub")] == [
        True,
        False,
        False,
        False,
    ]
