"""The annotations of a service that say how its traffic is treated: their names, what they may be, what they mean.

One table, from which they are read and documented.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, get_args

from edgecore.kube import MESH_ANNOTATIONS
from edgecore.modules.edgemesh.upstream.balancing.keys import COOKIE
from edgecore.modules.edgemesh.upstream.durations import duration_s
from edgecore.modules.edgemesh.upstream.policy import PlaneWanted, Strategy

PREFIX = MESH_ANNOTATIONS

Fields = Mapping[str, Any]
"""Fields of ``Policy``."""


class Annotation(NamedTuple):
    """One annotation. Its name is written behind ``PREFIX``."""

    name: str
    allowed: str
    """What it may be, for people."""
    help: str
    """What it does, in one sentence."""
    read: Callable[[str], Fields]
    """Returns what it changes. Raises ``ValueError`` with a reason that completes "cannot use it:"."""


_STRATEGIES = {name.lower(): name for name in get_args(Strategy)}
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}")  # RFC 9110 section 5.6.2


def _strategy(text: str) -> Fields:
    found = _STRATEGIES.get(text.replace("_", "").replace("-", "").lower())  # EdgeMesh of KubeEdge: ROUND_ROBIN
    if found is None:
        raise ValueError(f"it can be {', '.join(_STRATEGIES.values())}")
    return {"strategy": found}


def _hash_key(text: str) -> Fields:
    by, colon, name = text.partition(":")
    by, name = by.strip().lower(), name.strip()
    if by == "source" and not colon:
        return {"hash_by": "source", "hash_name": ""}
    if by == "cookie" and not colon:
        return {"hash_by": "cookie", "hash_name": COOKIE}
    if by not in ("header", "cookie"):
        raise ValueError("it can be source, header:NAME, cookie or cookie:NAME")
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"no {by} can have that name")
    return {"hash_by": by, "hash_name": name.lower() if by == "header" else name}


def _balance(text: str) -> Fields:
    value = _number(text)
    if value and not 1.05 <= value <= 10:
        raise ValueError("it can be 0 or a number from 1.05 to 10")
    return {"hash_balance": value}


def _health_check(text: str) -> Fields:
    if text.lower() not in ("off", "probe", "tcp"):
        raise ValueError("it can be off, probe or tcp")
    return {"checks": text.lower()}


def _plane(text: str) -> Fields:
    if text.lower() not in get_args(PlaneWanted):
        raise ValueError(f"it can be {', '.join(get_args(PlaneWanted))}")
    return {"plane": text.lower()}


def _number(text: str) -> float:
    if len(text) > 20 or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        raise ValueError("it is no number")
    return float(text)


def _whole(field: str, low: int, high: int) -> Callable[[str], Fields]:
    def read(text: str) -> Fields:
        if len(text) > 20 or not re.fullmatch("[0-9]+", text) or not low <= int(text) <= high:
            raise ValueError(f"it can be a whole number from {low} to {high}")
        return {field: int(text)}

    return read


def _share(field: str) -> Callable[[str], Fields]:
    def read(text: str) -> Fields:
        value = _number(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        if value > 1:
            raise ValueError("it can be a share from 0 to 1, or from 0% to 100%")
        return {field: value}

    return read


def _time(field: str, low: str, high: str, *, or_zero: bool = False) -> Callable[[str], Fields]:
    def read(text: str) -> Fields:
        seconds = duration_s(text)
        if not (or_zero and seconds == 0) and not duration_s(low) <= seconds <= duration_s(high):
            raise ValueError(f"it can be {'0, or ' if or_zero else ''}from {low} to {high}")
        return {field: seconds}

    return read


ANNOTATIONS = (
    Annotation(
        "lb-strategy",
        ", ".join(f"`{name}`" for name in _STRATEGIES.values()),
        "How a backend is chosen. Capital letters, `_` and `-` do not matter: `ROUND_ROBIN` will do.",
        _strategy,
    ),
    Annotation(
        "hash-key",
        "`source`, `header:NAME`, `cookie`, `cookie:NAME`",
        "What ConsistentHash and SessionStickiness go by: the client's address, a header, or a cookie "
        f"(`{COOKIE}` where no name is given).",
        _hash_key,
    ),
    Annotation(
        "hash-balance-factor",
        "0, 1.05 to 10",
        "ConsistentHash: so many times the average may be under way at one backend, else the next on the ring is "
        "taken; 0: no bound.",
        _balance,
    ),
    Annotation(
        "affinity-timeout",
        "1s to 24h",
        "SessionStickiness by address or header: a client that was away longer is a new one.",
        _time("affinity_timeout_s", "1s", "24h"),
    ),
    Annotation(
        "connect-timeout",
        "10ms to 5m",
        "How long a connection to a backend may take to come about.",
        _time("connect_timeout_s", "10ms", "5m"),
    ),
    Annotation(
        "request-timeout",
        "10ms to 24h",
        "HTTP: the longest silence within a request and its response.",
        _time("request_timeout_s", "10ms", "24h"),
    ),
    Annotation(
        "idle-timeout",
        "0, 1s to 168h",
        "Bytes (TCP, TLS, gRPC, also websockets): the longest silence of a connection; 0: for ever.",
        _time("idle_timeout_s", "1s", "168h", or_zero=True),
    ),
    Annotation(
        "udp-idle-timeout",
        "1s to 24h",
        "UDP: the longest silence, after which a client may get another backend.",
        _time("udp_idle_timeout_s", "1s", "24h"),
    ),
    Annotation(
        "retries",
        "0 to 10",
        "How often a request or connection is tried again, at other backends.",
        _whole("retries", 0, 10),
    ),
    Annotation(
        "retry-budget",
        "0 to 1, 0% to 100%",
        "So many requests at most, as a share of all, are tried again; a few a second always may be.",
        _share("retry_budget"),
    ),
    Annotation(
        "eject-after",
        "0 to 1000",
        "After so many failures in a row a backend is left out for a while; 0: never.",
        _whole("eject_after", 0, 1000),
    ),
    Annotation(
        "eject-base",
        "1s to 1h",
        "For how long the first time; twice as long the next time, and so on.",
        _time("eject_base_s", "1s", "1h"),
    ),
    Annotation(
        "eject-max",
        "1s to 24h",
        "For how long at most; never less than `eject-base`.",
        _time("eject_max_s", "1s", "24h"),
    ),
    Annotation(
        "eject-max-share",
        "0 to 1, 0% to 100%",
        "So many backends, as a share of all, are left out at most (one always may be, if there are others).",
        _share("eject_max_share"),
    ),
    Annotation(
        "panic-share",
        "0 to 1, 0% to 100%",
        "If fewer backends than this share are well, all are used.",
        _share("panic_share"),
    ),
    Annotation(
        "health-check",
        "`off`, `probe`, `tcp`",
        "Whether backends are asked if they are well: not at all, as their readinessProbe says (by connecting where "
        "there is none), or always by connecting.",
        _health_check,
    ),
    Annotation(
        "drain-timeout",
        "0, 1s to 1h",
        "How long connections to a backend that has gone may last.",
        _time("drain_s", "1s", "1h", or_zero=True),
    ),
    Annotation(
        "plane",
        "`auto`, `kernel`, `proxy`",
        "Mode `intercept`: whether the kernel itself balances connections. `auto`: where nothing is lost by it; "
        "`kernel`: HTTP too, as connections and not as requests.",
        _plane,
    ),
)
"""All there are, in the order in which they are documented."""
