"""``GET /v1/tap`` of a running node: every message between its modules, as they go."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import takewhile
from pathlib import Path
from typing import Any

from edgecore.app import Node
from edgecore.config.host import Environment
from edgecore.config.load import parse
from edgecore.control.client import ControlClient

LAST = "default/service/last"


def _ways(tap: Iterator[dict[str, Any]], message_id: str) -> Iterator[tuple[str, str, str]]:
    """Yield who sent the message, or an answer to it, to whom, and the operation, up to the acknowledgement."""
    for passage in tap:
        message = json.loads(passage["message"])
        if message_id in (message["header"]["msg_id"], message["header"].get("parent_msg_id")):
            yield passage["from"], passage["to"], message["route"]["operation"]
            if passage["to"] == "websocket":
                return


def test_the_way_of_a_replayed_service_is_streamed(programs: Any, words: Any) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    node.wait_for("link", lambda status: status["state"] == "ok")
    with closing(node.control.stream("GET", "/v1/tap")) as tap:
        assert next(tap) == {"tapping": True}

        cloud.send(words.put(words.service("web")))

        first = next(passage for passage in tap if "default/service/web" in passage["message"])
        taken = json.loads(first["message"])
        ways = list(_ways(tap, taken["header"]["msg_id"]))
    assert (first["from"], first["to"], first["missed"]) == ("websocket", "metaManager", 0)
    assert taken["content"]["metadata"]["name"] == "web"
    assert ways == [("metaManager", "edgemesh", "insert"), ("metaManager", "websocket", "response")]


def test_passages_come_in_order_and_none_is_missed(programs: Any, words: Any) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    node.wait_for("link", lambda status: status["state"] == "ok")
    resources = [f"default/service/web-{number}" for number in range(100)]
    with closing(node.control.stream("GET", "/v1/tap")) as tap:
        next(tap)
        cloud.send(*(words.put(words.service(resource.rpartition("/")[2])) for resource in [*resources, LAST]))
        passages = list(takewhile(lambda passage: LAST not in passage["message"], tap))

    forwarded = [json.loads(passage["message"])["route"] for passage in passages if passage["to"] == "edgemesh"]
    assert [route["resource"] for route in forwarded if route["operation"] == "insert"] == resources
    assert sum(passage["missed"] for passage in passages) == 0
    instants = [passage["at"] for passage in passages]
    assert instants == sorted(instants)


async def test_a_reader_that_hangs_up_leaves_no_tap(config_text: Callable[..., str], tmp_path: Path) -> None:
    loaded = parse(config_text(tmp_path), "the test", env=Environment("edge-1", "127.0.0.1"))
    node = Node(loaded)
    await node.start()
    try:
        reader: Any = ControlClient(node.config.control_socket).stream("GET", "/v1/tap")
        assert await asyncio.to_thread(next, reader) == {"tapping": True}
        assert len(node.bus.taps) == 1

        reader.close()

        while node.bus.taps:
            await asyncio.sleep(0.005)
    finally:
        await node.stop()
