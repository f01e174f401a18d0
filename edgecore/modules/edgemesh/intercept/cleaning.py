"""Looks for, and takes away, what a node left in the kernel that is gone: for commands, where no node runs."""

from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.capability import has_program
from edgecore.modules.edgemesh.intercept.hold import Link
from edgecore.modules.edgemesh.intercept.interface import LIST_INTERFACES, read_interfaces
from edgecore.modules.edgemesh.intercept.keeper.protocol import Command, Nft, Step
from edgecore.modules.edgemesh.intercept.leftovers import addresses_of, foreign_routes, is_used, left_behind, our_routes
from edgecore.modules.edgemesh.intercept.rules import iptables, nftables, routes
from edgecore.modules.edgemesh.intercept.script import disown_interface
from edgecore.modules.edgemesh.intercept.settings import InterceptSettings


class Cleaning:
    """Of one network namespace; ``link`` is started. All that is done may raise ``InterceptError``."""

    def __init__(self, settings: InterceptSettings, link: Link) -> None:
        self._settings = settings
        self._link = link

    async def look(self) -> dict[str, tuple[Step, ...]]:
        """Return what is left, in words, and what takes it away."""
        found: dict[str, tuple[Step, ...]] = {}
        if self._link.nft != "missing":
            listed = await self._link.ask(Nft(nftables.list_tables()))
            for table in left_behind(listed, self._settings.subnet):
                found[f"nftables table {table}"] = (Nft(nftables.delete(table)),)
        if has_program("iptables-save"):
            command = iptables.remove(await self._link.ask(iptables.save()))
            if command is not None:
                found[f"iptables chain {iptables.CHAIN}"] = (command,)
        subnet = self._settings.subnet
        for words in our_routes(await self._link.ask(routes.list_routes(subnet))):
            found[f"route {' '.join(words)}"] = (Command(("ip", "route", "delete", *words)),)
        interfaces = read_interfaces(await self._link.ask(LIST_INTERFACES))
        for name, made in interfaces.items():
            found |= await self._on_interface(name, made=made)
        return found

    async def _on_interface(self, name: str, *, made: bool) -> dict[str, tuple[Step, ...]]:
        """Return what is ours: the interface, or, if we did not make it or somebody else uses it now, our address."""
        address = self._settings.address
        there = await self._link.ask(routes.list_addresses(name))
        if made and not is_used(there, address):
            return {f"interface {name}": (routes.delete_interface(name),)}
        found: dict[str, tuple[Step, ...]] = {}
        if made:
            found[f"alias of interface {name}, which others use"] = (disown_interface(name),)
        if address in addresses_of(there):
            place = f"{address}/32"
            found[f"address {place} of {name}"] = (Command(("ip", "address", "delete", place, "dev", name)),)
        return found

    async def left_alone(self) -> list[str]:
        """Return what keeps a node from starting and is not ours to take away, in words with what to do."""
        listed = await self._link.ask(routes.list_routes(self._settings.subnet))
        return [
            f"route {words}, which is not ours; where nothing needs it: ip route del {words}"
            for words in foreign_routes(listed)
        ]

    async def remove(self) -> list[str]:
        """Take everything away; return what was there, in words. ``in_use``: a node runs, and it is its."""
        succeeded = await self._link.take_over(self._settings.subnet)
        found = await self.look()
        failed = []
        for words, steps in found.items():
            try:
                await self._link.ask(*steps)
            except InterceptError as error:
                if not words.startswith(("route", "address")):  # gone with another
                    failed.append(str(error))
        if failed:
            raise InterceptError("refused", f"not everything could be taken away: {'; '.join(failed)}")
        return [*(["the keeper of a node that is gone"] if succeeded else []), *found]
