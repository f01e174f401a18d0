"""The running node, by what it says of itself and what its DNS and the host's resolver answer (pure)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from edgecore.doctor.finding import Finding
from edgecore.doctor.resolver import Led

Json = Mapping[str, Any]
_NODE, _DNS, _LOOKUP = "node", "dns", "lookup"
_REASONS = 5
PROGRAMS_READ = "/etc/resolv.conf"
"""The file by which programs of a host ask for names, whatever the configuration of the node says."""
_PLAIN_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def check_node(status: Json | None, why_not: str) -> list[Finding]:
    """Say how the node is; ``status`` of ``None``: it was not reached, for the reason ``why_not``."""
    if status is None:
        return [Finding("note", _NODE, f"no node runs here: {why_not}", "edgecore run --config FILE")]
    name = f"node {status.get('node', '?')} (edgecore {status.get('version', '?')}) runs"
    if status.get("state") == "ok":
        return [Finding("ok", _NODE, f"{name} and is well")]
    reasons = [str(reason) for reason in status.get("reasons") or ("it does not say why",)]
    found = [Finding("warning", _NODE, f"{name}, but {reason}", _way(reason)) for reason in reasons[:_REASONS]]
    if len(reasons) > _REASONS:
        found.append(Finding("warning", _NODE, f"and {len(reasons) - _REASONS} more reasons", "edgecore status"))
    return found


def _way(reason: str) -> str:
    """Return what to try where the node's own words do not end with it."""
    if "; " in reason:
        return ""
    if "permission denied" in reason and "cannot listen on" in reason:
        return (
            "sudo sysctl -w net.ipv4.ip_unprivileged_port_start=80, or leave it: the forward proxy reaches the service"
            " (edgecore env)"
        )
    return "edgecore status shows the rest of it"


def dns_addresses(status: Json) -> list[tuple[str, int]]:
    """Return where the DNS of a node listens."""
    listening = ((status.get("mesh") or {}).get("dns") or {}).get("listening") or ()
    split = (str(address).rpartition(":") for address in listening)
    return [(host.strip("[]"), int(port)) for host, _, port in split if port.isdecimal()]


def led_names(status: Json) -> Led | None:
    """Return what a node says of questions that rules lead to it; ``None``: it is not to lead any."""
    led = ((status.get("mesh") or {}).get("dns") or {}).get("led") or {}
    if not led.get("wanted"):
        return None
    servers = tuple(map(str, led.get("servers") or ()))
    return Led(servers, str(led.get("text") or ""), bool(led.get("problem")))


def a_service(status: Json, domain: str) -> tuple[str, str] | None:
    """Return name and address of a service of the node, ``None`` if it has none."""
    for service in (status.get("mesh") or {}).get("services") or ():
        name = f"{service.get('name')}.{service.get('namespace')}.svc.{domain}"
        if service.get("fake_ip") and _PLAIN_NAME.fullmatch(name):
            return name, str(service["fake_ip"])
    return None


def check_dns(address: str, question: str, answer: Json | str) -> list[Finding]:
    """Say whether the node's DNS answers: ``answer`` is the reply (``present``), or why there is none."""
    if isinstance(answer, str):
        advice = "edgecore status; a firewall may stand between: sudo nft list ruleset"
        return [Finding("problem", _DNS, f"the node's DNS at {address} does not answer: {answer}", advice)]
    text = f"the node's DNS at {address} answers {question}: {answer['status']}"
    if answer["status"] == "NOERROR":
        return [Finding("ok", _DNS, text)]
    return [Finding("warning", _DNS, text, f"edgecore dns query {question}")]


def check_lookup(
    name: str, address: str, found: Sequence[str] | None, *, is_named: bool, resolv_conf: str = PROGRAMS_READ
) -> list[Finding]:
    """Say whether programs of this host find a service by name, as the host's own resolver does.

    ``found`` are the addresses that it gave, ``None`` where it could not be asked; ``is_named``: the file
    ``resolv_conf`` names the node first.
    """
    if found is None:
        return []
    if address in found:
        return [Finding("ok", _LOOKUP, f"programs of this host find services: {name} is {address}")]
    got = f"get {', '.join(found)}" if found else "do not find it"
    text = f"programs of this host {got} when they ask for {name}, which is {address}"
    if is_named and resolv_conf != PROGRAMS_READ:
        advice = f"name the node in {PROGRAMS_READ} too: programs do not read {resolv_conf} (dns.resolvConf)"
        return [Finding("warning", _LOOKUP, text, advice)]
    if is_named:
        return [Finding("warning", _LOOKUP, text, f"getent -s dns ahosts {name}; see nsswitch above")]
    return [Finding("note", _LOOKUP, text, "see resolv_conf above")]
