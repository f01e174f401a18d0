"""The addresses that services get: from one range, the same for the same service, never one for two (pure).

Which one is free is asked, and taken with ``hold``, in two steps: whoever only tries out asks and leaves it at that.
"""

from collections.abc import Iterable
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network

from cloudhub_stub.cluster.kinds import Object, ObjectKey, key_of
from cloudhub_stub.errors import ApiError, Invalid

DEFAULT_RANGE = "10.254.0.0/16"
HEADLESS = "None"
"""What a service says that wants no address."""

_FIELD = "spec.clusterIP"
_FIRST = 2
"""Counted from the start of the range: 0 is the network, 1 belongs to the service of the API server."""


class ClusterAddresses:
    """Who has which address of the range."""

    def __init__(self, network: str = DEFAULT_RANGE, services: Iterable[Object] = ()) -> None:
        """``services`` are those that exist already. Raises ``ValueError`` if ``network`` is no range of IPv4."""
        self.network = IPv4Network(network)
        self._start = int(self.network.network_address)
        self._owners: dict[int, ObjectKey] = {}
        self._addresses: dict[ObjectKey, int] = {}
        for service in services:
            self.hold(key_of(service), service["spec"].get("clusterIP") or "")

    def free_for(self, key: ObjectKey) -> str:
        """Return the address that this service would get: that of its name, or the next one that is free.

        Raises ``ApiError`` when none is.
        """
        count = self.network.num_addresses - _FIRST - 1
        named = int.from_bytes(sha256(f"{key.namespace}/{key.name}".encode()).digest()[:8], "big")
        for step in range(count):
            number = self._start + _FIRST + (named + step) % count
            if number not in self._owners:
                return str(IPv4Address(number))
        raise ApiError(f'cannot give services "{key.name}" an address: none is free in {self.network}')

    def check(self, key: ObjectKey, address: str) -> None:
        """Raise ``Invalid`` if this service cannot have ``address``, which it asks for by name."""
        try:
            number = int(IPv4Address(address))
        except ValueError:
            raise Invalid(_FIELD, f'Invalid value: "{address}": must be empty, "None" or an IPv4 address') from None
        last = self._start + self.network.num_addresses - 1
        if not self._start < number < last:
            raise Invalid(_FIELD, f'Invalid value: "{address}": is not in the range for services, {self.network}')
        owner = self._owners.get(number)
        if owner not in (None, key):
            raise Invalid(_FIELD, f'Invalid value: "{address}": is the address of {owner} already')

    def hold(self, key: ObjectKey, address: str) -> None:
        """Note that this service has ``address`` now, and no other; ``None`` in words and the empty text are none."""
        self.release(key)
        if address and address != HEADLESS:
            number = int(IPv4Address(address))
            self._owners[number] = key
            self._addresses[key] = number

    def release(self, key: ObjectKey) -> None:
        """Free the address of this service, if it has one."""
        number = self._addresses.pop(key, None)
        if number is not None and self._owners.get(number) == key:
            del self._owners[number]
