"""Who moves the bytes of a port, the kernel by itself or the proxy, and why (pure)."""

from collections.abc import Iterable, Mapping
from ipaddress import AddressValueError, IPv4Address
from typing import Literal, NamedTuple

from edgecore.modules.edgemesh.intercept.places import Plane
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend, Handling, PortSpec

Unable = Literal["", "rootless", "iptables", "off"]
"""Why the kernel plane serves no port at all on this node; empty if it may."""

MAX_TARGETS = 256
"""Backends of one port that the kernel balances at most: each is a chain, a counter and an element of a map."""

WHY_PROXY: Mapping[str, str] = {
    "rootless": "mode rootless has no rules of the kernel",
    "iptables": "the rules are those of iptables; the kernel plane needs nft",
    "off": "modules.edgeMesh.intercept.kernelPlane is off",
    "annotation": "its annotation plane says proxy",
    "http": "the proxy balances each request of HTTP; annotation plane: kernel would balance connections",
    "sniff": "the first bytes show whether it is HTTP; a name such as tcp-..., appProtocol, or annotation "
    "plane: kernel would say that nobody need look",
    "strategy": "the kernel knows RoundRobin, Random, and SessionStickiness by source",
    "pending": "its rules are not there, or not yet",
    "no_backend": "there is no backend; the proxy refuses, counts and logs why",
    "all_ejected": "all of its backends fail; the proxy refuses, counts and logs why",
    "external": "a backend is a name of DNS, which the kernel does not look up",
    "ipv6": "a backend has an address of IPv6, and fake IPs are of IPv4",
    "loopback": "a backend has a loopback address, which containers would not reach by the kernel",
    "too_many_backends": f"it has more than {MAX_TARGETS} backends",
}
"""The words of ``Decision.reason``, and of ``Places.why_proxy``, to what people are told."""

GIVEN_UP = (
    "the proxy is not asked: no requests of HTTP are seen, none is tried again, and no failure leaves a backend out"
)
"""What annotation ``plane: kernel`` means for HTTP."""


class Decision(NamedTuple):
    """See the module."""

    plane: Plane
    reason: str
    """Why it is the proxy, a word of ``WHY_PROXY``; empty for the kernel."""


def explain(reason: str, handling: Handling) -> str:
    """Return for people why it is the proxy; of the kernel (no reason) what is given up by that, if anything is."""
    if reason:
        return WHY_PROXY.get(reason, reason)
    return GIVEN_UP if handling in ("http", "sniff") else ""


def decide(spec: PortSpec, unable: Unable = "") -> Decision:
    """Return which plane serves a port."""
    reason = unable or _why_not_alone(spec) or _why_not_backends(spec.backends)
    return Decision("proxy" if reason else "kernel", reason)


def _why_not_alone(spec: PortSpec) -> str:
    """Return what of the port, whatever is behind it, is not for the kernel."""
    policy = spec.policy
    if policy.plane == "proxy":
        return "annotation"
    if policy.plane != "kernel" and spec.handling in ("http", "sniff"):
        return spec.handling
    return "" if _knows(policy) else "strategy"


def _knows(policy: Policy) -> bool:
    if policy.strategy == "SessionStickiness":
        return policy.hash_by == "source"
    return policy.strategy in ("RoundRobin", "Random")


def _why_not_backends(backends: Iterable[Backend]) -> str:
    hosts = [backend.endpoint.host for backend in backends if backend.endpoint is not None]
    if not hosts:
        return "no_backend"
    if len(hosts) > MAX_TARGETS:
        return "too_many_backends"
    return next(filter(None, map(_why_not_host, hosts)), "")


def _why_not_host(host: str) -> str:
    if ":" in host:
        return "ipv6"
    try:
        return "loopback" if IPv4Address(host).is_loopback else ""
    except AddressValueError:
        return "external"
