import pytest

from edgecore.doctor.interception import (
    Equipment,
    check_forward_policy,
    check_forwarding,
    check_interception,
    check_subnet,
    dropping_chains,
)
from edgecore.modules.edgemesh.intercept.settings import InterceptSettings

PRIVILEGED, PLAIN = "CapEff:\t000001ffffffffff\n", "CapEff:\t0000000000000000\n"
EVERYTHING = Equipment("library", True, True, ["lo", "docker0"])
SUBNET = "9.251.0.0/16"
ROUTES = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n{}\t0\t0\t0\n"


def check(
    equipment: Equipment = EVERYTHING, status: str = PRIVILEGED, *, is_needed: bool = True, **settings: object
) -> list[tuple[str, str]]:
    found = check_interception(InterceptSettings(**settings), equipment, status, is_needed=is_needed)  # type: ignore[arg-type]
    return [(one.level, f"{one.text}: {one.advice}") for one in found]


def test_a_machine_with_everything_is_fit() -> None:
    assert check() == [("ok", "rules are made by nft; the interface docker0 is there: ")]


def test_an_interface_that_is_not_there_will_be_made() -> None:
    [(level, text)] = check(Equipment("library", True, True, ["lo"]))
    assert level == "ok"
    assert "edgemesh0 is not there, and will be made" in text


@pytest.mark.parametrize(
    ("equipment", "status", "settings", "words"),
    [
        (EVERYTHING, PLAIN, {}, "CAP_NET_ADMIN: run it as root"),
        (Equipment("library", True, False, ["docker0"]), PRIVILEGED, {}, "ip is missing: install iproute2"),
        (Equipment("missing", False, True, ["docker0"]), PRIVILEGED, {}, "neither nftables nor iptables"),
        (
            Equipment("library", True, True, ["lo"]),
            PRIVILEGED,
            {"create_interface": False},
            "no interface docker0: set",
        ),
    ],
)
def test_what_is_missing_is_named_with_what_to_do(
    equipment: Equipment, status: str, settings: dict[str, object], words: str
) -> None:
    [(level, text)] = check(equipment, status, **settings)
    assert level == "problem"
    assert words in text
    assert check(equipment, status, is_needed=False, **settings)[0][0] == "warning"


def test_without_nftables_the_kernel_plane_is_missed() -> None:
    assert [level for level, _ in check(Equipment("missing", True, True, ["docker0"]))] == ["ok", "note"]


@pytest.mark.parametrize(("text", "number"), [("0\n", 1), ("1\n", 0), (None, 0)])
def test_forwarding_that_is_off_is_explained(text: str | None, number: int) -> None:
    assert len(check_forwarding(text)) == number


@pytest.mark.parametrize(
    ("line", "levels"),
    [
        ("docker0\t0000FB09\t00000000\t0001\t0\t0\t0\t0000FFFF", []),
        ("*\t0000FB09\t00000000\t0201\t0\t0\t65000\t0000FFFF", []),
        ("eth0\t0000FB09\t00000000\t0001\t0\t0\t0\t0000FFFF", ["problem"]),
        ("docker0\t0007FB09\t00000000\t0001\t0\t0\t0\t00FFFFFF", ["problem"]),
        ("eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000", []),
        ("eth0\t0000FB09\t00000000\t0000\t0\t0\t0\t0000FFFF", []),
    ],
)
def test_routes_of_others_into_the_subnet_are_problems(line: str, levels: list[str]) -> None:
    assert [one.level for one in check_subnet(SUBNET, ROUTES.format(line), ["docker0"])] == levels


CHAINS = """table ip filter {
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}

	chain DOCKER {
	}
}
table ip6 filter {
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
}
table inet theirs {
	chain forward {
		type filter hook forward priority filter; policy accept;
	}

	chain input {
		type filter hook input priority filter; policy drop;
	}
}
"""


def test_chains_that_forward_only_what_is_accepted_are_found() -> None:
    assert list(dropping_chains(CHAINS)) == ["ip filter FORWARD"]


@pytest.mark.parametrize(
    ("rules", "levels"),
    [
        ("type filter hook forward priority filter; policy drop;", ["warning"]),
        ('iifname "docker01" accept', ["warning"]),
        ('iifname "docker0" accept', []),
        ("counter jump DOCKER-FORWARD", []),
    ],
)
def test_a_policy_that_drops_is_told_where_no_rule_is_for_containers(rules: str, levels: list[str]) -> None:
    assert [one.level for one in check_forward_policy({"ip filter FORWARD": rules}, "docker0")] == levels
