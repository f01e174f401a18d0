import pytest

from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.capability import chosen_tool, has_net_admin, need_capability, need_ip


@pytest.mark.parametrize(
    ("line", "has_it"),
    [
        ("CapEff:\t000001ffffffffff", True),
        ("CapEff:\t0000000000001000", True),
        ("CapEff:\t0000000000000000", False),
        ("CapPrm:\t000001ffffffffff", False),
        ("", False),
    ],
)
def test_the_effective_capabilities_say_whether_rules_may_be_changed(line: str, has_it: bool) -> None:
    assert has_net_admin(f"Name:\tpython\n{line}\n") is has_it


def test_without_the_capability_the_error_says_what_to_do() -> None:
    need_capability(has_it=True)
    with pytest.raises(InterceptError, match=r"CAP_NET_ADMIN; run it as root.*rootless") as caught:
        need_capability(has_it=False)
    assert caught.value.reason == "no_permission"


def test_without_ip_the_error_names_the_package() -> None:
    need_ip(has_ip=True)
    with pytest.raises(InterceptError, match="iproute2"):
        need_ip(has_ip=False)


@pytest.mark.parametrize(
    ("setting", "nftables", "has_iptables", "tool"),
    [
        ("auto", "library", True, "nft"),
        ("auto", "program", False, "nft"),
        ("auto", "missing", True, "iptables"),
        ("nft", "program", True, "nft"),
        ("iptables", "library", True, "iptables"),
    ],
)
def test_the_tool_is_nftables_where_it_is_there_and_not_ruled_out(
    setting: str, nftables: str, has_iptables: bool, tool: str
) -> None:
    assert chosen_tool(setting, nftables, has_iptables=has_iptables) == tool  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("setting", "nftables", "has_iptables", "words"),
    [
        ("auto", "missing", False, "neither nftables nor iptables"),
        ("nft", "missing", True, "neither libnftables nor the program nft.*to auto"),
        ("iptables", "library", False, "iptables-restore is missing.*to auto"),
    ],
)
def test_a_tool_that_is_missing_is_named_with_what_to_do(
    setting: str, nftables: str, has_iptables: bool, words: str
) -> None:
    with pytest.raises(InterceptError, match=words) as caught:
        chosen_tool(setting, nftables, has_iptables=has_iptables)  # type: ignore[arg-type]
    assert caught.value.reason == "no_tool"
