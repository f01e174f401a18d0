"""Pods are for Edged; EdgeMesh sees what the cloud says of them, and when Edged has them forgotten."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.beehive.message import Route
from edgecore.beehive.port import Port

POD = {"metadata": {"namespace": "default", "name": "x", "uid": "u"}}


@pytest.mark.parametrize("operation", ["insert", "update", "delete"])
async def test_what_the_cloud_says_of_a_pod_goes_to_edged_and_is_shown_to_edgemesh(node: Any, operation: str) -> None:
    message = await node.from_cloud(operation, "default/pod/x", POD)

    assert (await node.hub.receive()).content == "OK"
    assert await node.edged.receive() == message
    assert await node.mesh.receive() == message
    assert await node.quiet()


@pytest.mark.parametrize("kind", ["configmap", "secret", "podstatus", "nodestatus"])
async def test_other_things_of_edged_are_not_shown(node: Any, kind: str) -> None:
    await node.from_cloud("insert", f"default/{kind}/x", {})
    await node.hub.receive()
    await node.edged.receive()

    assert await node.quiet()


async def test_a_pod_that_edged_has_forgotten_is_shown_as_deleted(node: Any) -> None:
    route = Route("edged", "meta", "delete", "default/pod/x")
    await node.edged.send("metaManager", node.edged.build(route, "u"))

    shown = await node.mesh.receive()

    assert (shown.route, shown.content) == (route, "u")


async def test_an_edgemesh_that_takes_nothing_leaves_the_pod_with_edged_and_acknowledged(node: Any) -> None:
    filler: Port = node.hub
    for _ in range(4096):
        await filler.send("edgemesh", filler.build(Route("test", "test", "insert", "default/service/x")))

    with capture_logs():
        message = await node.from_cloud("insert", "default/pod/x", POD)
        assert await node.edged.receive() == message
        await node.clock.advance(60.0)

    assert (await node.hub.receive()).content == "OK"
