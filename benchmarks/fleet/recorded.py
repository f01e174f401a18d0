"""Frames as they were recorded between a cloudcore and an edgecore of KubeEdge 1.3.1."""

import json
from pathlib import Path

from edgecore.recording.entries import CloudFrame
from edgecore.recording.reader import read_entries

RECORDING = Path(__file__).parents[2] / "examples" / "recordings" / "b_services_endpoints_pods.jsonl"


def recorded(operation: str, resource: str) -> str:
    """Return the first recorded frame of that operation about something whose resource begins so."""
    for entry in read_entries(RECORDING):
        if isinstance(entry, CloudFrame):
            route = json.loads(entry.text)["route"]
            if (route["operation"], route["resource"][: len(resource)]) == (operation, resource):
                return entry.text
    raise SystemExit(f"no {operation} of {resource} in {RECORDING}")
