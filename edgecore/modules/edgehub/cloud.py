"""What is known of the cloud: its version, which is configured, and whether it is our stub, which it says (pure)."""

STUB_SERVER = "cloudhub-stub"
"""How the ``Server`` header of our stub begins: the only thing that is learned from an upgrade."""
_LATER = (1, 4)


def is_stub(server: str) -> bool:
    """Whether a cloud that names itself ``server`` is our stub."""
    return server.startswith(STUB_SERVER)


def is_from_1_4(version: str) -> bool:
    """Whether ``version`` (such as 1.3.1 or v1.12) is 1.4 or later.

    From there on a cloudcore takes a node back at once, and renews certificates (spec 12.2).
    """
    return tuple(int(part) for part in version.removeprefix("v").split(".")[:2]) >= _LATER
