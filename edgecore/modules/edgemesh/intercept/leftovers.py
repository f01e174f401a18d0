"""What is left in the kernel of nodes that are gone, and what is of somebody else: out of what tools list (pure)."""

import re
from pathlib import Path

import msgspec

from edgecore.modules.edgemesh.intercept.rules.routes import PROTOCOL

_OURS = re.compile(r"edgecore_(?P<pid>[0-9]+)_(?P<subnet>[0-9.]+)")


class _Route(msgspec.Struct):
    dst: str
    dev: str = ""
    protocol: str = ""
    type: str = "unicast"


_ROUTES = msgspec.json.Decoder(list[_Route])


def our_tables(text: str) -> list[str]:
    """Return the tables that are a keeper's, out of the text of ``list tables``.

    Not of its JSON: in that nftables 1.0.6 reads the name of the flag ``owner`` from beyond its list of names.
    """
    lines = (line.split() for line in text.splitlines())
    names = (words[2] for words in lines if len(words) > 2 and words[:2] == ["table", "ip"])
    return [name for name in names if _OURS.fullmatch(name)]


def table_name(pid: int | str, subnet: str) -> str:
    """Return the name of a keeper's table.

    Two nodes in one network namespace may have keepers of one number, in two namespaces of processes, but never one
    subnet.
    """
    return f"edgecore_{pid}_{subnet.partition('/')[0]}"


def leftover_tables(text: str, own: str) -> list[str]:
    """Return those that were for the subnet of ``own``, out of the same: who keeps a subnet is the only one."""
    subnet = own.rpartition("_")[2]
    return [name for name in our_tables(text) if name != own and name.rpartition("_")[2] == subnet]


def left_behind(text: str, subnet: str, proc: Path = Path("/proc")) -> list[str]:
    """Return the tables for a subnet that nobody keeps now, and those for others whose keeper is gone."""
    own = table_name(0, subnet)
    ours = leftover_tables(text, own)
    return [name for name in our_tables(text) if name in ours or not (proc / name.split("_")[1]).exists()]


def foreign_routes(text: str) -> list[str]:
    """Return the routes that are not ours, out of the JSON of ``list_routes``. Raises ``msgspec.DecodeError``."""
    return [
        " ".join(filter(None, (route.dst, route.dev and f"dev {route.dev}")))
        for route in _ROUTES.decode(text or "[]")
        if route.protocol != PROTOCOL
    ]


class _Address(msgspec.Struct):
    local: str = ""
    family: str = ""
    valid_life_time: int = 0


class _Holder(msgspec.Struct):
    ifname: str = ""
    addr_info: list[_Address] = []


_HOLDERS = msgspec.json.Decoder(list[_Holder])
_FOREVER = 0xFFFFFFFF


def foreign_holder(text: str, address: str) -> str:
    """Return the interface that has ``address`` for ever, so from somebody else; empty: none.

    Out of the JSON of ``list_all_addresses``. Raises ``msgspec.DecodeError``.
    """
    for link in _HOLDERS.decode(text or "[]"):
        if any(held.local == address and held.valid_life_time == _FOREVER for held in link.addr_info):
            return link.ifname
    return ""


def is_used(text: str, address: str) -> bool:
    """Say whether an interface has another address than ours, out of the JSON of ``list_addresses``; else as above."""
    return any(held not in ("", address) for held in addresses_of(text))


def addresses_of(text: str) -> list[str]:
    """Return the IPv4 addresses out of the same."""
    links = _HOLDERS.decode(text or "[]")
    return [held.local for link in links for held in link.addr_info if held.family == "inet"]


def our_routes(text: str) -> list[tuple[str, ...]]:
    """Return our routes as ``ip route`` takes them, the live one first; out of the same."""
    ours = [route for route in _ROUTES.decode(text or "[]") if route.protocol == PROTOCOL]
    ours.sort(key=lambda route: route.type != "unicast")
    return [(route.dst, "dev", route.dev) if route.type == "unicast" else (route.type, route.dst) for route in ours]
