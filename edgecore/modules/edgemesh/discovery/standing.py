"""Which pods the Endpoints of a service say are not ready (pure)."""

from typing import NamedTuple

from edgecore.kube import Endpoints, Pod


class NotReady(NamedTuple):
    """The pods that stand under ``notReadyAddresses`` and nowhere else."""

    names: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    """Of those that are not called by a name. Nodes give the same addresses to their pods, so a name says more."""

    def has(self, pod: Pod) -> bool:
        """Say whether ``pod`` is one of them."""
        return pod.metadata.name in self.names or pod.status.pod_ip in self.addresses


NOBODY = NotReady()


def not_ready(endpoints: Endpoints | None) -> NotReady:
    """Return the pods that are not ready by ``endpoints``."""
    if endpoints is None or not any(subset.not_ready_addresses for subset in endpoints.subsets):
        return NOBODY
    ready = [address for subset in endpoints.subsets for address in subset.addresses]
    waiting = [address for subset in endpoints.subsets for address in subset.not_ready_addresses]
    return NotReady(
        frozenset(address.pod for address in waiting if address.pod) - {address.pod for address in ready},
        frozenset(address.ip for address in waiting if not address.pod and address.ip)
        - {address.ip for address in ready},
    )
