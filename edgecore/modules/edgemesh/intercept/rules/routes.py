"""The commands of ``ip`` that make and unmake an interface, its address, and the two routes of the subnet.

The address is ours on whatever interface, a user's one too, and has a lifetime: when nobody renews it the kernel takes
it away, and with it every route that has it as source (``fib_sync_down_addr``, ip-address(8) valid_lft). What is left
then is the fallback, by which connections to fake IPs fail at once. With scope link the address is nobody's source but
by our own route.
"""

from edgecore.modules.edgemesh.intercept.keeper.protocol import Command
from edgecore.modules.edgemesh.intercept.rules.interception import Interception

ADDRESS_LIFE_S = 20
"""So long the live route outlasts a node and a keeper that died together."""

PROTOCOL = "251"
"""What the routes that we make have as their origin (``proto``, rtnetlink(7)), so that they can be told from others."""

FALLBACK_METRIC = 65_000


def make_interface(name: str, kind: str) -> tuple[Command, ...]:
    """Make an interface of ``kind``, ``dummy`` or ``bridge``, without addresses, up. Fails if it is there."""
    return (
        Command(("ip", "link", "add", "name", name, "type", kind)),
        Command(("ip", "link", "set", "dev", name, "addrgenmode", "none"), may_fail=True),  # kernels without IPv6
        raise_interface(name),
    )


def raise_interface(name: str) -> Command:
    """Have an interface that ``make_interface`` made up."""
    return Command(("ip", "link", "set", "dev", name, "up"))


def delete_interface(name: str) -> Command:
    """Take away an interface that ``make_interface`` made; it may be gone."""
    return Command(("ip", "link", "delete", "dev", name), may_fail=True)


def hold_address(i: Interception, life_s: int = ADDRESS_LIFE_S) -> Command:
    """Give the interface our address for ``life_s`` from now on; the same command makes and renews it.

    The time that a keeper lingers is to be within it.
    """
    life = ("valid_lft", str(life_s), "preferred_lft", str(life_s))
    return Command(("ip", "address", "replace", f"{i.address}/32", "dev", i.interface, "scope", "link", *life))


def drop_address(i: Interception) -> Command:
    """Take our address away, and with it, by the kernel, the live route; it may be gone."""
    return Command(("ip", "address", "delete", f"{i.address}/32", "dev", i.interface), may_fail=True)


def fall_back(subnet: str) -> Command:
    """Make the route by which a connection to a fake IP is refused at once when the live one is gone."""
    return Command(("ip", "route", "replace", *_fallback(subnet)))


def drop_fall_back(subnet: str) -> Command:
    """Take the fallback away; it may be gone."""
    return Command(("ip", "route", "delete", *_fallback(subnet)), may_fail=True)


def go_live(i: Interception) -> Command:
    """Make the route to the interface, with our address as the source. The address must be there."""
    return Command(("ip", "route", "replace", *_live(i)))


def drop_live(i: Interception) -> Command:
    """Take the route to the interface away; it may be gone."""
    return Command(("ip", "route", "delete", *_live(i)), may_fail=True)


def list_routes(subnet: str) -> Command:
    """List the routes of the subnet and of parts of it, as JSON."""
    return Command(("ip", "-details", "-json", "route", "show", "root", subnet))


def list_all_addresses() -> Command:
    """List all interfaces with their addresses, as JSON."""
    return Command(("ip", "-json", "address", "show"))


def list_addresses(interface: str) -> Command:
    """List the interface with its addresses, as JSON. Fails if there is no such interface."""
    return Command(("ip", "-json", "address", "show", "dev", interface))


def _fallback(subnet: str) -> tuple[str, ...]:
    return "unreachable", subnet, "metric", str(FALLBACK_METRIC), "proto", PROTOCOL


def _live(i: Interception) -> tuple[str, ...]:
    return i.subnet, "dev", i.interface, "src", i.address, "proto", PROTOCOL
