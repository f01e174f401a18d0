"""Pods as the cloud sends them."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

PodJson = Callable[..., bytes]


@pytest.fixture(scope="session")
def pod_json() -> PodJson:
    """Build the JSON of a pod with one container ``nginx``; keywords change its metadata, ``spec`` adds to its own."""

    def build(name: str = "p1", spec: dict[str, Any] | None = None, **metadata: Any) -> bytes:
        pod = {
            "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", **metadata},
            "spec": {"containers": [{"name": "nginx", "image": "nginx:1.17"}], "nodeName": "n", **(spec or {})},
            "status": {"phase": "Pending", "qosClass": "BestEffort"},
        }
        return msgspec.json.encode(pod)

    return build
