"""A whole node tells all its modules of each change of the link to the stub, once and in order."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deviceplace import until
from edgecore.app import Node
from edgecore.beehive import resource as r
from edgecore.beehive.message import content_value
from edgecore.config.host import Environment
from edgecore.config.load import parse

NODE = "edge-1"
TOLD = (r.METAMANAGER, r.EDGEMESH, r.EDGED, r.TWIN, r.EVENTBUS, r.SERVICEBUS)


def settings(directory: Path, cloud: str, broker: int, config_text: Callable[..., str]) -> str:
    return config_text(
        directory,
        cloud,
        NODE,
        deviceTwin__enable=True,
        eventBus__enable=True,
        eventBus__mqttServerExternal=f"tcp://127.0.0.1:{broker}",
        serviceBus__enable=True,
        edgeHub__heartbeat=1,
    )


async def test_each_module_hears_of_each_change_of_the_link_once_and_in_order(
    programs: Any, config_text: Callable[..., str], free_port: Callable[[], int], tmp_path: Path
) -> None:
    listen = f"127.0.0.1:{free_port()}"
    cloud = await asyncio.to_thread(programs.cloud, listen)
    text = settings(tmp_path, cloud.url, free_port(), config_text)
    node = Node(parse(text, "the test", env=Environment(NODE, "127.0.0.1")))
    heard: defaultdict[str, list[Any]] = defaultdict(list)

    def see(passage: Any) -> None:
        if passage.message.route.resource == r.NODE_CONNECTION:
            heard[passage.receiver].append(content_value(passage.message))

    node.bus.add_tap(see)
    await node.start()
    try:
        await until(lambda: len(heard) == len(TOLD), "the first news")
        cloud.process.kill()
        cloud.process.wait()
        await until(lambda: all(len(heard[one]) == 2 for one in TOLD), "the loss")
        cloud = await asyncio.to_thread(programs.cloud, listen)
        await until(lambda: all(len(heard[one]) == 3 for one in TOLD), "the return")
        await until(lambda: not any(one.depth for one in node.bus.statistics().values()), "rest")
    finally:
        await node.stop()

    changes = [r.CLOUD_CONNECTED, r.CLOUD_DISCONNECTED, r.CLOUD_CONNECTED]
    assert {name: news[:3] for name, news in heard.items()} == dict.fromkeys(TOLD, changes)
    assert {json.dumps(news[3:]) for news in heard.values()} <= {"[]", json.dumps([r.CLOUD_DISCONNECTED])}
