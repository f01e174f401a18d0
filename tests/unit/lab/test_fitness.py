"""Why there can be no lab on a machine, and what to do: a table of machines."""

import pytest

from edgecore.lab.fitness import APPARMOR_RESTRICTS, MAX_USER_NAMESPACES, TOOLS, UNPRIVILEGED_CLONE, Facts, why_not

ALL = frozenset({*TOOLS, "nft"})
REFUSED = "unshare: unshare failed: Operation not permitted"


def facts(**changed: object) -> Facts:
    base = Facts("Linux", is_root=False, found=ALL, sysctls={MAX_USER_NAMESPACES: "15000"}, refusal="")
    return base._replace(**changed)


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (facts(system="Darwin"), "network namespaces are of Linux, this is Darwin"),
        (facts(found=ALL - {"ip"}), "the command ip is missing; install it (Debian: apt-get install iproute2)"),
        (
            facts(found=ALL - {"nsenter"}),
            "the command nsenter is missing; install it (Debian: apt-get install util-linux)",
        ),
        (facts(found=ALL - {"nft"}), "neither nft nor iptables is there"),
        (facts(refusal=REFUSED, is_root=True), f"this root may not make namespaces ({REFUSED}); in a container"),
        (facts(refusal=REFUSED, sysctls={MAX_USER_NAMESPACES: "0"}), "sysctl -w user.max_user_namespaces=15000"),
        (facts(refusal=REFUSED, sysctls={UNPRIVILEGED_CLONE: "0"}), "sysctl -w kernel.unprivileged_userns_clone=1"),
        (
            facts(refusal=REFUSED, sysctls={APPARMOR_RESTRICTS: "1", UNPRIVILEGED_CLONE: "1"}),
            "AppArmor takes all rights from user namespaces of ordinary users; run it as root, or allow them: sysctl",
        ),
        (facts(refusal=REFUSED), f"an ordinary user may not make namespaces here ({REFUSED}); run it as root"),
    ],
)
def test_what_is_missing_is_named_with_what_to_do(machine: Facts, said: str) -> None:
    assert said in why_not(machine, rules=True)


@pytest.mark.parametrize(
    "machine",
    [
        facts(),
        facts(is_root=True),
        facts(found=frozenset({*TOOLS, "iptables"})),
        facts(sysctls={APPARMOR_RESTRICTS: "1"}),  # a setting that did not stop it
    ],
)
def test_a_machine_where_namespaces_work_is_fit(machine: Facts) -> None:
    assert why_not(machine, rules=True) == ""


def test_a_lab_without_rules_needs_no_tool_for_them() -> None:
    assert why_not(facts(found=frozenset(TOOLS)), rules=False) == ""
