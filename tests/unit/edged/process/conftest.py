"""Pods as the process runtime reads them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgecore.modules.edged.podspec import PodToRun, decode_pod_to_run
from edgecore.modules.edged.process.facts import NodeFacts
from edgecore.modules.edged.process.images import Images
from edgecore.modules.edged.process.objects import Objects
from edgecore.modules.edged.process.plan import Ground, Places

MakePod = Callable[..., PodToRun]


@pytest.fixture(scope="session")
def node() -> NodeFacts:
    return NodeFacts("n1", "192.0.2.1", "172.17.0.2", 4, 8 << 30)


@pytest.fixture(scope="session")
def make_pod() -> MakePod:
    """``make_pod(container, ..., **spec)``: a pod of these containers."""

    def make(*containers: dict[str, Any], **spec: Any) -> PodToRun:
        metadata = {
            "name": "p",
            "namespace": "shop",
            "uid": "u1",
            "labels": {"app": "web", "tier": "b"},
            "annotations": {"note": 'a "b"'},
        }
        named = [{"name": f"c{number}", "image": "i", **each} for number, each in enumerate(containers)]
        pod = {"metadata": metadata, "spec": {"containers": named, **spec}}
        return decode_pod_to_run(msgspec.json.encode(pod))

    return make


@pytest.fixture(scope="session")
def ground(node: NodeFacts) -> Callable[..., Ground]:
    """``ground(objects, *images)``."""

    def make(objects: dict[tuple[str, str], dict[str, bytes]] | None = None, *images: str) -> Ground:
        return Ground(node, Objects("shop", objects or {}), Images(images), {"LANG": "C"}, Places(Path("/pods/u1")))

    return make
