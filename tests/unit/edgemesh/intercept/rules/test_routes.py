"""The commands of ip."""

from edgecore.modules.edgemesh.intercept.keeper.protocol import Command
from edgecore.modules.edgemesh.intercept.rules import routes
from interceptions import INTERCEPTION


def text(command: Command) -> str:
    return " ".join(command.argv)


def test_the_live_route_hangs_on_an_address_with_a_lifetime_and_the_fallback_on_nothing() -> None:
    assert text(routes.hold_address(INTERCEPTION)) == (
        "ip address replace 169.254.96.16/32 dev docker0 scope link valid_lft 20 preferred_lft 20"
    )
    assert text(routes.go_live(INTERCEPTION)) == (
        "ip route replace 9.251.0.0/16 dev docker0 src 169.254.96.16 proto 251"
    )
    assert text(routes.fall_back("9.251.0.0/16")) == (
        "ip route replace unreachable 9.251.0.0/16 metric 65000 proto 251"
    )


def test_an_interface_is_made_without_addresses_and_up() -> None:
    assert [text(command) for command in routes.make_interface("edgemesh0", "dummy")] == [
        "ip link add name edgemesh0 type dummy",
        "ip link set dev edgemesh0 addrgenmode none",
        "ip link set dev edgemesh0 up",
    ]


def test_what_takes_something_away_may_find_it_gone() -> None:
    for command in (
        routes.delete_interface("edgemesh0"),
        routes.drop_address(INTERCEPTION),
        routes.drop_fall_back("9.251.0.0/16"),
        routes.drop_live(INTERCEPTION),
    ):
        assert command.may_fail
        assert "delete" in command.argv
