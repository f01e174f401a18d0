"""What a recording tells of the node that was recorded (pure)."""

import json
import re
from collections.abc import Iterable
from typing import NamedTuple

from edgecore.recording.entries import CloudFrame, Direction, Entry, Http, SessionHead

NAME = "edge-node"
ADDRESS = "127.0.0.1"


class NodeFacts(NamedTuple):
    """As far as the cloud can see the node."""

    name: str = NAME
    address: str = ADDRESS


def facts_of(entries: Iterable[Entry]) -> NodeFacts:
    """Return the name and the address of the node, each from the first entry that says it."""
    name = address = by_pod = ""
    for entry in entries:
        if name and address:
            break
        match entry:
            case SessionHead(node=node):
                name = name or node
            case Http(head=head) if not name:
                found = re.search(r"^Node_id: *(\S+)", head, re.MULTILINE | re.IGNORECASE)
                name = found[1] if found else ""
            case CloudFrame(direction=Direction.TO_CLOUD, text=text):
                name = name or _named_in(text)
                address = address or _address_in(text)
            case CloudFrame(text=text) if not by_pod:
                by_pod = _node_of_pod(text)
    return NodeFacts(name or by_pod or NAME, address or ADDRESS)


def _named_in(text: str) -> str:
    found = re.search(r'"resource":"[^"/]*/nodestatus/([^"/]+)"', text)
    return found[1] if found else ""


def _node_of_pod(text: str) -> str:
    found = re.search(r'"nodeName":"([^"]+)"', text)
    return found[1] if found else ""


def _address_in(text: str) -> str:
    if "InternalIP" not in text:
        return _host_ip(text)
    found = re.search(r'\{"type":"InternalIP","address":"([^"]+)"\}', text)
    if found:
        return found[1]
    try:
        return _searched(json.loads(text))
    except (ValueError, RecursionError):  # a frame that was no message
        return ""


def _host_ip(text: str) -> str:
    found = re.search(r'"hostIP":"([^"]+)"', text)
    return found[1] if found else ""


def _searched(value: object) -> str:
    if isinstance(value, dict):
        if value.get("type") == "InternalIP" and isinstance(value.get("address"), str):
            return str(value["address"])
        value = list(value.values())
    if isinstance(value, list):
        return next(filter(None, map(_searched, value)), "")
    return ""
