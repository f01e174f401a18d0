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
from edgecore.recording.entries import BusMessage, Note
from edgecore.recording.reader import read_entries

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


def test_what_is_dropped_or_changed_is_accounted_for_and_recorded_and_what_is_held_delays_no_stop(
    programs: Any, words: Any, sample: Callable[..., float]
) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    node.wait_for("link", lambda status: status["state"] == "ok")
    message = words.put(words.service("web"))
    path = node.directory / "session.jsonl"
    node.control.post("/v1/recording/start", {"path": str(path), "kinds": "bus,notes"})
    with closing(node.control.stream("GET", "/v1/break?to=metaManager&resource=default/service/*")) as held:
        next(held)
        cloud.control.post("/v1/messages", {"node": "edge-1", "messages": [message]})
        assert json.loads(next(held)["message"])["header"]["msg_id"] == message["header"]["msg_id"]
        assert [one["to"] for one in node.status()["held"]] == ["metaManager"]
        node.control.post("/v1/break", {"hold": 1, "then": "drop"})
        assert next(held) == {"ended": 1, "how": "drop"}

    book = node.control.get("/v1/ledger")
    assert (book["directions"]["cloud->edge"]["reasons"]["dropped"], book["unexplained"]) == ({"break": 1}, 0)
    assert sample(node.page("/metrics")[1], "edgecore_held_messages_total", how="drop") == 1
    assert node.find("web") is None
    (remark,) = (one for one in node.status()["log"] if one["event"] == "held_message_dropped")
    assert (remark["count"], message["header"]["msg_id"] in remark["text"]) == (1, True)

    with closing(node.control.stream("GET", "/v1/break?to=edgemesh&op=insert")) as held:
        next(held)
        cloud.send(words.put(words.service("cart", ("http", 80))))  # MetaManager has it, and acknowledges it
        hold = next(held)
        assert hold["from"] == "metaManager"
        changed = json.loads(hold["message"])
        changed["content"]["spec"]["ports"][0]["port"] = 81
        node.control.post("/v1/break", {"hold": hold["held"], "then": "edit", "message": changed})
        assert [port["port"] for port in node.service("cart")["ports"]] == [81]

        cloud.send(words.put(words.service("basket")))
        assert next(held) == {"ended": 2, "how": "edit"}
        assert next(held)["held"] == 3
        assert node.stop() == 0

    entries = list(read_entries(path))
    assert [one.text for one in entries if isinstance(one, Note)] == [
        f"dropped before metaManager by hand: insert default/service/web, message {message['header']['msg_id']}",
        f"changed before edgemesh by hand: insert default/service/cart, message {changed['header']['msg_id']}",
    ]
    by_hand = [one for one in entries if isinstance(one, BusMessage) and one.injected]
    assert [(one.receiver, json.loads(one.text)["content"]) for one in by_hand] == [("edgemesh", changed["content"])]
