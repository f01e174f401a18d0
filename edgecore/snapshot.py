"""What a node knows at one moment, as one JSON value: how a session ends, and what two sessions are judged by.

======== ===============================================================================================
part     what it lists
======== ===============================================================================================
rows     every committed row of the table ``meta``, by key, with its value as JSON
services every service: fake IP, ports, backends and pods with names of their own; nothing that was counted, and
         neither which ports this machine lets it bind nor which backends it has found ill
dns      what this node's own zone answers for each of them (``MOST_NAMES``), and for the names that were given; by
         question
devices  every device with its twins and attributes, by id
======== ===============================================================================================

Two nodes that were told the same have the same snapshot but for ids, times, versions and fake IPs.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import msgspec

from edgecore.errors import ContentError
from edgecore.metadata.row import NoJson, parsed_text
from edgecore.store.store import Store

Json = dict[str, Any]

MOST_NAMES = 1000
"""Of so many services, the first ones, the names are asked for."""
AT_ONCE = 100
"""After so many services others have their turn."""

_OF_SERVICE = (
    "namespace",
    "name",
    "type",
    "headless",
    "external_name",
    "fake_ip",
    "ready",
    "ready_endpoints",
    "problems",
)
_OF_NAMED_POD = ("hostname", "pods", "fake_ip", "ready")
_OF_PORT = ("name", "port", "transport", "target", "state", "reason", "handling", "strategy", "policy")
_OF_BACKEND = ("pod", "endpoint", "state", "reason")
_LISTENING, _NOT_BOUND = "listening", "not_bound"
_ASKED_FOR = "asked_for"
"""State of a port that is there because a client asked for it: that is traffic, not knowledge."""


class View(Protocol):
    """The part of ``ServiceView`` that tells of services."""

    def whole(self) -> Iterator[Json]:
        """Yield everything of every service."""


class Zone(Protocol):
    """The part of ``HandQuery`` that asks nobody outside."""

    def own(self, name: str, type_text: str = "") -> Json:
        """Return the answer of this node's zone. Raises ``ContentError`` for what cannot be asked."""


class Devices(Protocol):
    """The part of ``DeviceTwin`` that tells of devices."""

    def devices(self) -> list[Json]:
        """Return every device in short."""

    def device(self, device_id: str) -> Json | None:
        """Return everything of one; ``None``: there is none."""


async def snapshot(
    store: Store,
    *,
    look: Callable[[], View] | None = None,
    zone: Zone | None = None,
    devices: Devices | None = None,
    names: Iterable[str] = (),
) -> Json:
    """Return what the node knows; to be asked for while its modules still run.

    ``None``: it has no such module, and nothing is listed. ``names`` are asked for too, each ``NAME`` (A records) or
    ``NAME TYPE``; one that cannot be asked for is listed with the reason. Raises ``StoreError``.
    """
    services = await _services(look()) if look is not None else []
    dns = {}
    if zone is not None:
        for question in sorted({*names, *_names_of(services[:MOST_NAMES])}):
            dns[question] = _answer(zone, question)
            await _turn(len(dns))
    told = (devices.device(one["id"]) for one in devices.devices()) if devices is not None else ()
    return {
        "rows": _rows(store),
        "services": services,
        "dns": dns,
        "devices": [one for one in told if one is not None],
    }


def _rows(store: Store) -> list[Json]:
    rows = store.rows("SELECT key, type, value FROM meta ORDER BY key")
    return [{"key": key, "type": kind, "value": _value(value)} for key, kind, value in rows]


def _value(text: str | None) -> Any:
    if text is None:
        return None
    value = parsed_text(text.encode(errors="surrogatepass"))
    return text if isinstance(value, NoJson) else value


async def _services(view: View) -> list[Json]:
    services = []
    for told in view.whole():
        services.append(_service(told))
        await _turn(len(services))
    return sorted(services, key=lambda one: (one["namespace"], one["name"]))


def _service(told: Json) -> Json:
    named = [{**_picked(pod, _OF_NAMED_POD), "ports": _ports(pod)} for pod in told["named_pods"]]
    return {**_picked(told, _OF_SERVICE), "ports": _ports(told), "named_pods": named}


def _ports(told: Json) -> list[Json]:
    return [
        {**_planned(_picked(port, _OF_PORT)), "backends": _backends(port["backends"])}
        for port in told["ports"]
        if port["state"] != _ASKED_FOR
    ]


def _backends(told: Iterable[Json]) -> list[Json]:
    picked = [_chosen(_picked(one, _OF_BACKEND)) for one in told]
    return sorted(picked, key=lambda one: (one["pod"] or "", one["endpoint"] or ""))


def _planned(port: Json) -> Json:
    """Return a port as it would be on any machine."""
    return {**port, "state": _LISTENING, "reason": ""} if port.get("state") == _NOT_BOUND else port


def _chosen(backend: Json) -> Json:
    """Return a backend as the cloud has it, whatever the proxy has found since."""
    return {**backend, "state": "in", "reason": ""} if backend.get("endpoint") else backend


def _picked(told: Mapping[str, Any], keys: tuple[str, ...]) -> Json:
    return {key: msgspec.to_builtins(told[key]) for key in keys if key in told}


def _names_of(services: Iterable[Json]) -> Iterator[str]:
    for service in services:
        name = f"{service['name']}.{service['namespace']}"
        yield name
        yield from (f"{pod['hostname']}.{name}" for pod in service["named_pods"])


def _answer(zone: Zone, question: str) -> Json:
    name, _, kind = question.partition(" ")
    try:
        told = zone.own(name, kind.strip())
    except ContentError as error:
        return {"error": str(error)}
    records = sorted(" ".join(map(str, record.values())) for record in told["answer"])
    return {"status": told["status"], "rule": told["rule"], "answer": records}


async def _turn(done: int) -> None:
    if not done % AT_ONCE:
        await asyncio.sleep(0)
