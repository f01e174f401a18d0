"""A cloud that pushes recorded objects to a node, and counts its acknowledgements."""

import asyncio
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from edgecore.recording.entries import CloudFrame, Direction
from edgecore.recording.reader import read_entries
from rows.figures import beside
from rows.results import Goal

Runs = dict[bool, list[tuple[float, float]]]
"""With something, and without: of each round the messages a second, and the microseconds of processor for each."""
BURST = Path(__file__).parents[2] / "tests" / "data" / "f_burst_1000_services_3000_pods.jsonl.gz"


def recorded() -> list[dict[str, Any]]:
    """Return what a cloudcore said of 1,000 services: their endpoints, podlists and pods."""
    entries = (one for one in read_entries(BURST) if isinstance(one, CloudFrame))
    documents = (json.loads(one.text) for one in entries if one.direction is Direction.TO_EDGE)
    return [one for one in documents if one["route"]["operation"] != "response" and _is_pushed(one["route"])]


def _is_pushed(route: dict[str, str]) -> bool:
    return "/service/" not in route["resource"]


class Cloud:
    """Sends messages, some of them in flight at a time, and counts their acknowledgements."""

    def __init__(self, flight: int) -> None:
        self._flight = flight
        self._room = asyncio.Semaphore(flight)
        self._link: asyncio.Future[ServerConnection] = asyncio.get_running_loop().create_future()
        self._numbers = iter(range(1 << 60))

    async def serve(self, link: ServerConnection) -> None:
        """Read what the node says."""
        self._link.set_result(link)
        with suppress(ConnectionClosed):  # the node was told to end
            async for text in link:
                document = json.loads(text)
                if document["route"]["operation"] == "ping":
                    header = {"msg_id": "p", "parent_msg_id": document["header"]["msg_id"], "timestamp": 0}
                    await link.send(json.dumps({**document, "header": header}))
                elif document["route"]["operation"] == "response":
                    self._room.release()

    async def push(self, documents: list[dict[str, Any]], count: int) -> float:
        """Return how many seconds it takes until ``count`` messages are acknowledged."""
        link = await self._link
        texts = [self._fresh(documents[number % len(documents)]) for number in range(count)]
        began = time.perf_counter()
        for text in texts:
            await self._room.acquire()
            await link.send(text)
        for _ in range(self._flight):
            await self._room.acquire()
        took_s = time.perf_counter() - began
        for _ in range(self._flight):
            self._room.release()
        return took_s

    def _fresh(self, document: dict[str, Any]) -> str:
        """Return the document as a message that says something new, so that its row is written."""
        number = next(self._numbers)
        content = document["content"]
        if isinstance(content, dict):
            metadata = {**content["metadata"], "resourceVersion": str(number), "labels": {"round": str(number)}}
            content = {**content, "metadata": metadata}
        header = {**document["header"], "msg_id": f"m-{os.getpid()}-{number}"}
        return json.dumps({"header": header, "route": document["route"], "content": content}) + "\n"


def show_ratios(runs: Runs, done: str, goal: Goal) -> None:
    """Tell rounds with it beside those without that follow each other: a ratio of 1 is free of cost, less is dearer."""
    for at, measure, unit, less in ((0, "", "messages/s", False), (1, "processor time of one", "us", True)):
        on, off = ([one[at] for one in runs[way]] for way in (True, False))
        beside(done, on, off, unit, peer=f"not {done.partition(' ')[0]}", measure=measure, goal=goal, less=less)
