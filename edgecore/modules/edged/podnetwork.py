"""The addresses of pods: one each out of a network, like that of a machine's docker0 (pure).

The first address is the bridge's own. Addresses are given out in turn, so that one that was given back rests as long as
there are others.
"""

from ipaddress import IPv4Address, IPv4Network

DOCKER0 = IPv4Network("172.17.0.0/16")


class PodNetwork:
    """Which pod, by its uid, has which address."""

    def __init__(self, network: IPv4Network = DOCKER0) -> None:
        self._network = network
        self._base = int(network.network_address)
        self._first = 2
        self._last = network.num_addresses - 2
        self._next = self._first
        self._by_pod: dict[str, int] = {}
        self._used: set[int] = set()

    def __len__(self) -> int:
        return len(self._used)

    def take(self, pod_uid: str) -> str | None:
        """Return the address of a pod, giving it one if it has none; ``None`` if none is free."""
        number = self._by_pod.get(pod_uid)
        if number is None:
            number = self._free()
            if number is None:
                return None
            self._give(pod_uid, number)
        return str(IPv4Address(self._base + number))

    def claim(self, pod_uid: str, address: str) -> bool:
        """Give a pod the address that it had before a restart; return whether it has it now."""
        try:
            number = int(IPv4Address(address)) - self._base
        except ValueError:
            return False
        if pod_uid in self._by_pod or number in self._used or not self._first <= number <= self._last:
            return self._by_pod.get(pod_uid) == number
        self._give(pod_uid, number)
        return True

    def release(self, pod_uid: str) -> None:
        """Take back the address of a pod, if it has one."""
        number = self._by_pod.pop(pod_uid, None)
        if number is not None:
            self._used.discard(number)

    def _give(self, pod_uid: str, number: int) -> None:
        self._by_pod[pod_uid] = number
        self._used.add(number)
        self._next = number + 1

    def _free(self) -> int | None:
        size = self._last - self._first + 1
        if len(self._used) >= size:
            return None
        # Of one more candidate than there are used ones, one is free.
        for step in range(len(self._used) + 1):
            number = self._first + (self._next - self._first + step) % size
            if number not in self._used:
                return number
        return None
