"""Which interface is used, and which one is made."""

import pytest

from edgecore.modules.edgemesh.intercept.interface import Interface, chosen_interface
from edgecore.modules.edgemesh.intercept.settings import InterceptSettings


@pytest.mark.parametrize(
    ("named", "known", "chosen"),
    [
        ("br0", {"br0": False}, Interface("br0", False, True)),
        ("br0", {"br0": True}, Interface("br0", True, True)),
        ("br0", {}, Interface("br0", True, False)),
        ("docker0", {"docker0": False}, Interface("docker0", False, True)),
        ("docker0", {}, Interface("docker0", True, False)),
        ("docker0", {"edgemesh0": True}, Interface("docker0", True, False)),
        ("", {}, Interface("edgemesh0", True, False)),
        ("", {"docker0": False}, Interface("docker0", False, True)),
    ],
)
def test_the_interface_of_the_user_is_used_or_made_and_else_docker0_is_used_or_our_own(
    named: str, known: dict[str, bool], chosen: Interface
) -> None:
    settings = InterceptSettings(interface=named or "docker0", is_named=bool(named))
    assert chosen_interface(settings, known) == chosen
