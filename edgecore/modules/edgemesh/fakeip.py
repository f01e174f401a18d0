"""The pool of fake IP addresses: which service owns which, which come next, which have to rest.

An IPv4 /16 gives 65,534 addresses, x.y.0.1 to x.y.255.254. They are taken into use in steps of 256. Within a step new
addresses go first; then those given back, the longest ago first; and only then the next step is begun
(kubeedge edgemesh/pkg/listener/listener.go:36-98@v1.3.1).

An address given back rests: resolvers and clients may still hold it under the old name. While any other is free it is
not given out before ``reuse_after_s``.
"""

from collections import OrderedDict
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from edgecore.errors import PoolExhausted
from edgecore.modules.edgemesh.names import ServiceKey

STEP = 256
_FIRST = 1
_LAST = 0xFFFE


class AddressRow(NamedTuple):
    """A fake IP in storage, and the service that has it, or had it."""

    address: str
    service: ServiceKey
    released_at_ms: int | None
    """Unix time in milliseconds at which the service gave it back; ``None`` if it has it."""


class ClaimRefused(NamedTuple):
    """Why a service does not get back an address: a fixed snake_case word, and a text for people."""

    reason: str
    text: str


class _Rest(NamedTuple):
    """An address that was given back."""

    service: ServiceKey
    since: float


class FakeIpPool:
    """The addresses of one /16. Every operation takes constant time. ``now`` is in seconds and never goes back.

    Raises ``ValueError`` if ``subnet`` is no /16.
    """

    def __init__(self, subnet: IPv4Network, reuse_after_s: float) -> None:
        if subnet.prefixlen != 16:
            raise ValueError(f"a fake-IP pool is a /16, not {subnet}")
        self.subnet = subnet
        self.reuse_after_s = reuse_after_s
        self._base = int(self.subnet.network_address)
        self._prefix = str(self.subnet.network_address).removesuffix("0.0")
        self._by_service: dict[ServiceKey, int] = {}
        self._by_number: dict[int, ServiceKey] = {}
        self._resting: OrderedDict[int, _Rest] = OrderedDict()  # oldest first
        self._left: dict[ServiceKey, int] = {}  # what a service gave back last, as long as it rests
        self._next = _FIRST
        self._step_end = _FIRST  # the first number behind the steps in use

    def __len__(self) -> int:
        return len(self._by_service)

    def address_of(self, service: ServiceKey) -> str | None:
        """Return the address that ``service`` owns."""
        number = self._by_service.get(service)
        return None if number is None else self._text(number)

    def has(self, address: str) -> bool:
        """Return whether ``address`` is one of this pool, in use or not."""
        return self._number(address) is not None

    def owner(self, address: str) -> ServiceKey | None:
        """Return the service that owns ``address``."""
        number = self._number(address)
        return None if number is None else self._by_number.get(number)

    def allocate(self, service: ServiceKey, now: float) -> str:
        """Return the address of ``service``, giving it one if it has none. Raises ``PoolExhausted``."""
        number = self._by_service.get(service)
        if number is None:
            number = self._take_free(service, now)
            self._own(service, number)
        return self._text(number)

    def take_back(self, service: ServiceKey) -> str | None:
        """Return the address that ``service`` gave back last, its own again; ``None`` if it does not rest any more.

        Whoever holds it from before means the same service.
        """
        number = self._left.get(service)
        if number is None or service in self._by_service:
            return None
        self._wake(number)
        self._own(service, number)
        return self._text(number)

    def claim(self, service: ServiceKey, address: str) -> ClaimRefused | None:
        """Give ``service`` the very ``address`` that it had before a restart; return why not, if it cannot be."""
        number = self._number(address)
        if number is None:
            return ClaimRefused(
                "outside_pool", f"cannot give {address!r} to {service}: not an address of {self.subnet}"
            )
        if self._by_service.get(service, number) != number:
            own = self.address_of(service)
            return ClaimRefused("has_another", f"cannot give {address} to {service}: it has {own}")
        owner = self._by_number.get(number, service)
        if owner != service:
            return ClaimRefused("taken", f"cannot give {address} to {service}: {owner} has it")
        if number in self._resting:
            self._wake(number)
        self._own(service, number)
        return None

    def release(self, service: ServiceKey, now: float) -> str | None:
        """Take back the address of ``service`` and return it; ``None`` if it has none."""
        number = self._by_service.pop(service, None)
        if number is None:
            return None
        del self._by_number[number]
        self._lay(number, service, now)
        return self._text(number)

    def rest(self, address: str, service: ServiceKey, released_at: float) -> bool:
        """Let a free address rest as if ``service`` had given it back at ``released_at``.

        Return whether it is a free one of this pool.

        For recovery: to be called in the order of the releases, before the first ``release``.
        """
        number = self._number(address)
        if number is None or number in self._by_number:
            return False
        self._lay(number, service, released_at)
        return True

    def _own(self, service: ServiceKey, number: int) -> None:
        self._by_service[service] = number
        self._by_number[number] = service

    def _lay(self, number: int, service: ServiceKey, now: float) -> None:
        """Let an address rest."""
        if number in self._resting:
            self._wake(number)
        self._resting[number] = _Rest(service, now)
        self._left[service] = number

    def _wake(self, number: int) -> int:
        """Take an address out of its rest."""
        service = self._resting.pop(number).service
        if self._left.get(service) == number:
            del self._left[service]
        return number

    def _take_free(self, service: ServiceKey, now: float) -> int:
        number = self._take_new()
        if number is None and self._rested(now):
            return self._wake(next(iter(self._resting)))
        while number is None and self._step_end <= _LAST:
            self._step_end = min(self._step_end + STEP, _LAST + 1)
            number = self._take_new()
        if number is not None:
            return number
        if self._resting:  # nothing else is free: the one that has rested longest
            return self._wake(next(iter(self._resting)))
        raise PoolExhausted(
            f"cannot give {service} a fake IP: all {_LAST} addresses of {self.subnet} are owned by services",
        )

    def _take_new(self) -> int | None:
        """Return the next number of the steps in use that was never given out."""
        while self._next < self._step_end:
            number = self._next
            self._next += 1
            if number not in self._by_number and number not in self._resting:
                return number
        return None

    def _rested(self, now: float) -> bool:
        """Whether the address given back the longest ago may be given out again."""
        return bool(self._resting) and now - next(iter(self._resting.values())).since >= self.reuse_after_s

    def _text(self, number: int) -> str:
        return f"{self._prefix}{number >> 8}.{number & 255}"

    def _number(self, address: str) -> int | None:
        """Return the number of ``address``; ``None`` if the pool does not have it."""
        try:
            number = int(IPv4Address(address)) - self._base
        except ValueError:
            return None
        return number if _FIRST <= number <= _LAST else None
