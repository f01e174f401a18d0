"""What mode intercept needs of the machine: the capability, tools, an interface, forwarding, a free subnet (pure)."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network

import msgspec

from edgecore.doctor.finding import Finding, Level
from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.capability import chosen_tool, has_net_admin, need_capability, need_ip
from edgecore.modules.edgemesh.intercept.interface import chosen_interface
from edgecore.modules.edgemesh.intercept.keeper.protocol import Tool
from edgecore.modules.edgemesh.intercept.settings import InterceptSettings

_CHECK = "intercept"
_UP = 1  # RTF_UP, linux/route.h
_REFUSED = "*"


class Equipment(msgspec.Struct, frozen=True):
    """What the machine has."""

    nftables: Tool
    has_iptables: bool
    has_ip: bool
    interfaces: Sequence[str]


def check_interception(
    settings: InterceptSettings, equipment: Equipment, status: str | None, *, is_needed: bool
) -> Iterator[Finding]:
    """Say whether mode intercept can be; ``status`` is this process's own. ``is_needed``: no other mode will do."""
    level: Level = "problem" if is_needed else "warning"
    try:
        need_capability(has_it=status is None or has_net_admin(status))
        need_ip(has_ip=equipment.has_ip)
        tool = chosen_tool(settings.tool, equipment.nftables, has_iptables=equipment.has_iptables)
        interface = chosen_interface(settings, dict.fromkeys(equipment.interfaces, False))
    except InterceptError as error:
        reason, _, advice = str(error).partition("; ")
        yield Finding(level, _CHECK, reason, advice)
        return
    made = "is there" if interface.is_there else "is not there, and will be made"
    yield Finding("ok", _CHECK, f"rules are made by {tool}; the interface {interface.name} {made}")
    if tool == "iptables" and settings.kernel_plane:
        text = "without nftables the kernel balances no port by itself: all goes through the proxy"
        yield Finding("note", _CHECK, text, "apt-get install nftables")


def check_forwarding(text: str | None) -> list[Finding]:
    """Say what ``net.ipv4.ip_forward`` means in mode intercept; the node never sets it."""
    if text is not None and text.strip() == "0":
        words = "net.ipv4.ip_forward is 0: containers are served by the proxy alone, and when the node is gone nobody"
        advice = "echo net.ipv4.ip_forward=1 | sudo tee /etc/sysctl.d/90-edgemesh.conf; sudo sysctl --system"
        return [Finding("note", "ip_forward", f"{words} refuses their connections", advice)]
    return []


def dropping_chains(listed: str) -> Iterator[str]:
    """Yield family, table and name of each chain that forwards nothing but what its rules accept.

    ``listed``: the text of ``nft list chains``.
    """
    table = chain = ""
    for line in listed.splitlines():
        match line.split():
            case ["table", family, name, "{"]:
                table = f"{family} {name}"
            case ["chain", name, "{"]:
                chain = name
            case ["type", "filter", "hook", "forward", *_] if "policy drop;" in line and not table.startswith("ip6 "):
                yield f"{table} {chain}"


def check_forward_policy(chains: Mapping[str, str], interface: str) -> Iterator[Finding]:
    """Say which of the chains, given with their rules as text, may drop what the kernel balances for containers."""
    for chain, rules in chains.items():
        if f'"{interface}"' in rules or "DOCKER" in rules:
            continue
        text = f"the chain {chain} drops what no rule accepts, and no rule of it names {interface}: containers may get"
        advice = (
            f"sudo iptables -I FORWARD -i {interface} -j ACCEPT; sudo iptables -I FORWARD -o {interface} -m conntrack"
            " --ctstate RELATED,ESTABLISHED -j ACCEPT; or set modules.edgeMesh.intercept.kernelPlane: false"
        )
        yield Finding("warning", _CHECK, f"{text} no answer at ports that the kernel balances", advice)


def check_subnet(subnet: str, routes: str | None, ours: Sequence[str]) -> Iterator[Finding]:
    """Say which routes of others take addresses of the subnet; ``routes`` is ``/proc/net/route``.

    ``ours``: interfaces to which a route of the whole subnet may be one of a node that runs, or ran.
    """
    network = IPv4Network(subnet)
    for interface, taken in _routes(routes or ""):
        if taken.subnet_of(network) and not (taken == network and interface in ours):
            text = f"another route takes addresses of {subnet}, by {interface}: {taken}"
            advice = f"where nothing needs it: sudo ip route del {taken}; or set modules.edgeMesh.subNet"
            yield Finding("problem", _CHECK, text, advice)


def _routes(listed: str) -> Iterator[tuple[str, IPv4Network]]:
    """Yield interface and destination of each route that takes packets; lines that are not understood are left out."""
    for words in (line.split() for line in listed.splitlines()[1:]):
        try:
            if len(words) < 8 or not int(words[3], 16) & _UP or words[0] == _REFUSED:
                continue
            packed = (bytes.fromhex(words[at])[::-1] for at in (1, 7))
            yield words[0], IPv4Network("/".join(str(IPv4Address(one)) for one in packed), strict=False)
        except ValueError:
            continue
