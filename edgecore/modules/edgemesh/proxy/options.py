"""How the proxy forwards, where there is a choice."""

from dataclasses import dataclass
from typing import Literal

ForwardedHeaders = Literal["off", "x-forwarded-for", "forwarded", "both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOptions:
    """See the module."""

    forwarded_headers: ForwardedHeaders = "off"
    """Which header lines tell the backend who asks: ``X-Forwarded-For``, ``Forwarded`` (RFC 7239), both or none."""
