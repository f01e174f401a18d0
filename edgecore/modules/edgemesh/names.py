"""The identities that EdgeMesh speaks of."""

from typing import NamedTuple


class ServiceKey(NamedTuple):
    """A service of the cluster."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Endpoint(NamedTuple):
    """Where a connection goes: an IP address (text) and a port; written as in a URL, ``[::1]:80``."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Refusal(NamedTuple):
    """Why a request is not served: an HTTP status, a fixed snake_case word (a metric label), and a text for people."""

    status: int
    reason: str
    text: str
