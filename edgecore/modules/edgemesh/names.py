"""The identities that EdgeMesh speaks of."""

import re
from typing import NamedTuple

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def is_label(text: str) -> bool:
    """Say whether ``text`` is an RFC 1123 label: what Kubernetes demands of services, namespaces and host names."""
    return _LABEL.fullmatch(text) is not None


class ServiceKey(NamedTuple):
    """A service of the cluster, or one pod of it that has a name of its own.

    Such a pod has a fake IP, listeners and routes as a service has them. Its key is called ``<hostname>.<service>``;
    no service has a dot in its name.
    """

    namespace: str
    name: str

    @property
    def is_pod(self) -> bool:
        """Whether it is a pod of a service."""
        return "." in self.name

    @property
    def service(self) -> "ServiceKey":
        """The service that a pod belongs to; of a service, itself."""
        return ServiceKey(self.namespace, self.name.rpartition(".")[2]) if self.is_pod else self

    def pod(self, hostname: str) -> "ServiceKey":
        """Return the key of the service's pod that is called ``hostname``, a label."""
        return ServiceKey(self.namespace, f"{hostname}.{self.name}")

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class PodKey(NamedTuple):
    """A pod of this node, by its own name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Endpoint(NamedTuple):
    """Where a connection goes: an IP address (text) and a port; written as in a URL, ``[::1]:80``.

    In place of the address there may be a name of DNS: what an ExternalName stands for.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Refusal(NamedTuple):
    """Why a request is not served: an HTTP status, a fixed snake_case word (a metric label), and a text for people."""

    status: int
    reason: str
    text: str
