"""Which check a host gets, what is sent for it, and what an answer means (pure).

HTTP as the kubelet does it (``k8s.io/kubernetes/pkg/probe/http``): a GET; 200 to 399 is well. Redirects are not
followed: one is as good as an answer.
"""

import re
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import quote

from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend, Probe, Transport

_CONNECT = Probe()
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_HOST = re.compile(r"[\x21-\x7e]+")
_STATUS_LINE = re.compile(rb"HTTP/1\.[0-9] ([1-9][0-9][0-9])(?: [^\r\n]*)?\r?\n")
_PATH_SAFE = "!$%&'()*+,-./:;=?@[]_~"
_DEFAULTS = (("User-Agent", "kube-probe/1.17"), ("Accept", "*/*"))
_OURS = frozenset(("host", "connection", "content-length", "transfer-encoding"))


class Check(NamedTuple):
    """One thing that is checked; ports with the same pod and the same probe share it."""

    address: Endpoint
    """Where; the host is an IP address."""
    probe: Probe
    version: str
    """Of the backend: what comes with another one is checked anew."""


def check_of(backend: Backend, endpoint: Endpoint, transport: Transport, policy: Policy) -> Check | None:
    """Return how ``backend`` is checked; ``None``: not at all.

    A name is not: it may mean another host each time. Whether a UDP port is well, only a probe of the pod can say.
    """
    if policy.checks == "off" or not _is_address(endpoint.host):
        return None
    probe = backend.probe if policy.checks == "probe" else None
    if probe is None:
        if transport == "udp":
            return None
        probe = _CONNECT
    return Check(Endpoint(endpoint.host, probe.port or endpoint.port), probe, backend.version)


def request_of(check: Check) -> bytes:
    """Return the request of an HTTP check. Headers that cannot be sent are left out."""
    probe = check.probe
    given = [(name, value) for name, value in probe.headers if _TOKEN.fullmatch(name) and _VALUE.fullmatch(value)]
    hosts = [probe.host, *(value for name, value in given if name.lower() == "host")]
    host = next((each for each in hosts if _HOST.fullmatch(each)), str(check.address))
    named = {name.lower() for name, _ in given}
    headers = [
        ("Host", host),
        *((name, value) for name, value in _DEFAULTS if name.lower() not in named),
        *((name, value) for name, value in given if name.lower() not in _OURS),
        ("Connection", "close"),
    ]
    path = quote(probe.path.partition("#")[0], safe=_PATH_SAFE)
    first = f"GET {path if path.startswith('/') else '/' + path} HTTP/1.1\r\n"
    return (first + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n").encode("latin-1")


def status_of(line: bytes) -> int | None:
    """Return the status that the first line of an answer gives; ``None`` if it is no such line."""
    found = _STATUS_LINE.fullmatch(line)
    return int(found[1]) if found else None


def is_well(status: int) -> bool:
    """Say whether an answer with ``status`` is that of a host that is well."""
    return 200 <= status < 400


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
