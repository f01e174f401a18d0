"""Whether this process may change rules, and with which tool: read from the system, decided from texts."""

import socket
from pathlib import Path
from typing import Literal

from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.keeper.programs import find_program
from edgecore.modules.edgemesh.intercept.keeper.protocol import Tool as Nftables

CAP_NET_ADMIN = 12  # linux/capability.h

Setting = Literal["auto", "nft", "iptables"]
Tool = Literal["nft", "iptables"]

_STATUS = Path("/proc/self/status")
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


def has_net_admin(status: str) -> bool:
    """Say whether ``/proc/<pid>/status`` has CAP_NET_ADMIN among the effective capabilities (proc(5), ``CapEff``)."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            return bool(int(value.strip(), 16) >> CAP_NET_ADMIN & 1)
    return False


def has_interface(name: str) -> bool:
    """Say whether this network namespace has an interface called that."""
    try:
        socket.if_nametoindex(name)
    except OSError:
        return False
    return True


def may_intercept() -> bool:
    """Say whether this process has the capability; False where there is none such."""
    try:
        return has_net_admin(_STATUS.read_text())
    except (OSError, ValueError):
        return False


def forwards() -> bool:
    """Say whether the kernel forwards packets of containers (``net.ipv4.ip_forward``); it is never set by us."""
    try:
        return _FORWARDING.read_text().strip() != "0"
    except OSError:
        return False


def need_capability(*, has_it: bool) -> None:
    """Raise ``InterceptError`` (``no_permission``) without the capability."""
    if not has_it:
        raise InterceptError(
            "no_permission",
            "this process lacks CAP_NET_ADMIN; run it as root, give it the capability (systemd:"
            " AmbientCapabilities=CAP_NET_ADMIN), or set modules.edgeMesh.mode to rootless",
        )


def has_program(name: str) -> bool:
    """Say whether a program is there, in the folders of programs for root too."""
    return find_program(name) is not None


def need_ip(*, has_ip: bool) -> None:
    """Raise ``InterceptError`` (``no_tool``) without the program ip."""
    if not has_ip:
        raise InterceptError("no_tool", "the program ip is missing; install iproute2")


def chosen_tool(setting: Setting, nftables: Nftables, *, has_iptables: bool) -> Tool:
    """Return what makes the rules. Raises ``InterceptError`` (``no_tool``) if that is missing."""
    if nftables != "missing" and setting != "iptables":
        return "nft"
    if has_iptables and setting != "nft":
        return "iptables"
    missing = {
        "auto": "neither nftables nor iptables is there; install nftables",
        "nft": "neither libnftables nor the program nft is there; install nftables, or set"
        " modules.edgeMesh.intercept.tool to auto",
        "iptables": "the program iptables-restore is missing; install iptables, or set"
        " modules.edgeMesh.intercept.tool to auto",
    }
    raise InterceptError("no_tool", missing[setting])
