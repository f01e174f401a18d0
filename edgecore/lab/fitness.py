"""Whether a lab can be built on this machine, and if not, what to do about it: facts in, a sentence out; pure."""

from collections.abc import Mapping
from typing import NamedTuple

TOOLS = {"unshare": "util-linux", "nsenter": "util-linux", "mount": "mount", "ip": "iproute2"}
"""Command to its Debian package."""
RULE_TOOLS = ("nft", "iptables")

MAX_USER_NAMESPACES = "user/max_user_namespaces"
UNPRIVILEGED_CLONE = "kernel/unprivileged_userns_clone"
APPARMOR_RESTRICTS = "kernel/apparmor_restrict_unprivileged_userns"
SYSCTLS = (MAX_USER_NAMESPACES, UNPRIVILEGED_CLONE, APPARMOR_RESTRICTS)
"""Files below ``/proc/sys``; the latter two are of Debian's and Ubuntu's kernels."""


class Facts(NamedTuple):
    """What was seen of the machine."""

    system: str
    is_root: bool
    found: frozenset[str]
    """Which of the commands there are."""
    sysctls: Mapping[str, str]
    """Those of ``SYSCTLS`` that this kernel has."""
    refusal: str
    """What the attempt to make namespaces said; empty if it worked."""


def why_not(facts: Facts, *, rules: bool) -> str:
    """Return why there can be no lab here, and what to do; empty if there can. ``rules``: its nodes make rules."""
    if facts.system != "Linux":
        return f"network namespaces are of Linux, this is {facts.system}"
    for tool, package in TOOLS.items():
        if tool not in facts.found:
            return f"the command {tool} is missing; install it (Debian: apt-get install {package})"
    if rules and not facts.found.intersection(RULE_TOOLS):
        return (
            "neither nft nor iptables is there to intercept traffic; install one (Debian: apt-get install nftables),"
            " or try --mode rootless"
        )
    if not facts.refusal:
        return ""
    if facts.is_root:
        return (
            f"this root may not make namespaces ({facts.refusal}); in a container, give it CAP_SYS_ADMIN,"
            " or run the lab outside"
        )
    return _of_user(facts)


def _of_user(facts: Facts) -> str:
    sysctls = facts.sysctls
    if sysctls.get(MAX_USER_NAMESPACES) == "0":
        return _allowed_by("this kernel is set to have no user namespaces", "user.max_user_namespaces=15000")
    if sysctls.get(UNPRIVILEGED_CLONE) == "0":
        return _allowed_by("only root may make user namespaces here", "kernel.unprivileged_userns_clone=1")
    if sysctls.get(APPARMOR_RESTRICTS) == "1":
        return _allowed_by(
            "AppArmor takes all rights from user namespaces of ordinary users",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        )
    return f"an ordinary user may not make namespaces here ({facts.refusal}); run it as root"


def _allowed_by(reason: str, setting: str) -> str:
    return f"{reason}; run it as root, or allow them: sysctl -w {setting}"
