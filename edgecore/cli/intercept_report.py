"""The status of interception as text for people."""

from collections.abc import Iterator, Mapping
from typing import Any

from edgecore.control.columns import aligned

Json = Mapping[str, Any]


def status_text(told: Json) -> str:
    """Return a line for each part, and below them what is missing."""
    lines = [aligned([*_rows(told)])]
    lines += [f"missing: {finding}" for finding in told.get("findings") or ()]
    if problem := told.get("problem"):
        lines.append(f"problem: {problem}")
    return "\n".join(lines)


def _rows(told: Json) -> Iterator[tuple[str, str]]:
    yield "state", str(told.get("state"))
    if told.get("tool"):  # else there is nothing
        made = {True: " (made by edgecore)", False: " (not ours)", None: ""}[told.get("made")]
        yield "interface", f"{told.get('interface')}{made}, address {told.get('address')}"
    yield "fake IPs", f"{told.get('subnet')}"
    if told.get("state") == "removed":
        yield "left", "the route by which they are refused, until the node has ended and remove is run again"
    if told.get("tool"):
        owner = ", the keeper's own" if told.get("owner") else ""
        where = f"table {told.get('table')}{owner}" if told.get("tool") == "nft" else "chain EDGE-MESH"
        yield "rules", f"{told.get('tool')}, {where}"
        yield "ports", f"{told.get('led')} led to the node, {told.get('balanced')} of them balanced by the kernel"
        names = ", ".join(told.get("names") or ())
        yield "names", f"questions to {names} are led to the node" if names else "no questions are led to the node"
        forwards = "on" if told.get("forwards") else "off: containers are served by the proxy alone"
        yield "ip_forward", forwards
    if told.get("keeper"):
        yield "keeper", f"pid {told.get('keeper')}, started again {told.get('keeper_restarts')} times"
    wanted = "" if told.get("repair") else " (repair is off)"
    yield "repairs", f"{told.get('repairs')}{wanted}; {told.get('failures')} transactions failed"
