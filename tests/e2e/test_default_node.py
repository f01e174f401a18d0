"""A node of defaults: whatever group a cloud writes to, there is a module for it."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from devicecloud import DeviceCloud
from deviceplace import until

NODE = "edge-node1"


async def test_a_node_of_defaults_has_a_module_for_whatever_a_cloud_sends(
    programs: Any, free_port: Callable[[], int], sample: Callable[..., float]
) -> None:
    async with DeviceCloud() as cloud:
        settings: dict[str, Any] = {
            "database": {"dataSource": str(programs.directory(NODE) / "edgecore.db")},
            "modules": {
                "edgeHub": {"websocket": {"server": cloud.url}},
                "edged": {"hostnameOverride": NODE},
                "eventBus": {"mqttServerExternal": f"tcp://127.0.0.1:{free_port()}"},  # else a broker of this machine
                "edgeMesh": {"dns": {"upstreams": ["127.0.0.1:9"]}},
            },
        }
        node = programs.node(NODE, text=json.dumps(settings))
        await until(lambda: [one for one in cloud.said if one.resource == "membership/detail"], "the question")

        await cloud.tell("default/configmap/c", {"data": {}}, group="resource", operation="insert")
        await cloud.tell("default/function/f", {}, group="func", operation="insert")
        await cloud.tell("a/b", "hello", group="user", operation="publish")
        await cloud.tell("8080:/x", {"header": {}, "body": ""}, group="user", operation="GET")
        await cloud.tell("membership", {"added_devices": [{"id": "sensor", "name": "sensor"}]})
        await asyncio.to_thread(
            node.wait_for, "device", lambda status: status["parts"].get("twin", {}).get("devices") == 1
        )

        _, page = await asyncio.to_thread(node.page, "/metrics")
        assert sample(page, "edgecore_bad_input_total", module="websocket", reason="module_not_running") == 0
        assert node.lines("module_not_built") == []
        assert [line for line in node.lines("bad_input") if line["module"] == "websocket"] == []
        assert await asyncio.to_thread(node.stop) == 0
