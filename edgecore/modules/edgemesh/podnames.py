"""Which pods of a service have a name of their own: ``<hostname>.<service>.<namespace>.svc.<domain>`` (pure).

Those have one whose ``spec.hostname`` is set and whose ``spec.subdomain`` is the name of the service: the pods of a
StatefulSet are made so. Kubernetes gives it to pods of headless services alone (its DNS specification, section 2.4);
here a service with a cluster IP is reached in the same way as one without.
"""

from collections.abc import Iterable, Iterator

from edgecore.kube import Pod, Service
from edgecore.modules.edgemesh.names import is_label

MAX_NAMED_PODS = 1000
"""So many pods of one service may have names: each takes a fake IP. (A cloud of 1.3.1 sends a hundred pods at most.)"""


def named_pods(service: Service, pods: Iterable[Pod]) -> dict[str, tuple[Pod, ...]]:
    """Return the pods by their host names, in the order of these, the first ``MAX_NAMED_PODS``.

    Several have one host name where one takes the place of another.
    """
    found: dict[str, list[Pod]] = {}
    for pod in asking(service, pods):
        if is_label(pod.spec.hostname):
            found.setdefault(pod.spec.hostname, []).append(pod)
    return {hostname: tuple(found[hostname]) for hostname in sorted(found)[:MAX_NAMED_PODS]}


def asking(service: Service, pods: Iterable[Pod]) -> Iterator[Pod]:
    """Yield the pods that say that they are to have a name below the service, whether it can be one or not."""
    if not service.is_external:
        yield from (pod for pod in pods if pod.spec.hostname and pod.spec.subdomain == service.metadata.name)
