"""Messages to and from the wire's JSON, and Kubernetes objects from it, beside plain `json` and `msgspec`.

* decode, encode: a recorded service, a recorded list of pods, and a list of services of 1 MB. Ours is what ships: UTF-8
  and nesting are checked, the content stays bytes until somebody looks at it, what Go would escape is escaped. `json`
  goes into the same classes; `msgspec` into a struct that leaves the content as bytes too, and checks nothing more.
  Goal: four times as fast as `json` (twice is borne); `msgspec` is the floor, the ratio says what the checks cost.
* as Go lets it pass: the service with a key that is null, which takes the second, slower way. Goal: at most five times
  the time of the plain `json`.
* objects: the views of a service and of a list of pods, from their JSON, beside `json`'s dictionaries. Goal 3.
* growth: lists of 10 to 10,000 services, decoded with their views: straight.
"""

import argparse
import gc
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from rows.figures import beside, curve
from rows.objects import message, pods_of, recorded_burst, service
from rows.results import Goal, ratio, slope

from edgecore.beehive import wire
from edgecore.beehive.message import Header, Message, Route
from edgecore.kube import decode_pods, decode_service, decode_services

SIZES = (10, 100, 1_000, 10_000)
BYTES_A_ROUND = 20_000_000
"""So much is worked through in a round, at least once."""
MEGABYTE = 2_200
"""So many services of 440 bytes are in a list of 1 MB."""


class Frame(msgspec.Struct):
    """A message as `msgspec` alone would have it."""

    header: Header
    route: Route
    content: msgspec.Raw


Side = tuple[Callable[[Any], object], Any]
"""A way, and what is given to it."""


class Document(NamedTuple):
    """A message on the wire."""

    name: str
    text: bytes


_frames = msgspec.json.Decoder(Frame)


def by_json(data: bytes) -> Message:
    """Decode with the standard library, into the same classes."""
    document = json.loads(data)
    header, route = document["header"], document["route"]
    return Message(
        Header(
            header["msg_id"],
            header.get("parent_msg_id", ""),
            header["timestamp"],
            header.get("resourceversion", ""),
            header.get("sync", False),
        ),
        Route(route["source"], route["group"], route["operation"], route["resource"]),
        document["content"],
    )


def to_json(message: Message) -> bytes:
    """Encode with the standard library."""
    head, way = message.header, message.route
    return json.dumps(
        {
            "header": {
                "msg_id": head.id,
                "parent_msg_id": head.parent_id,
                "timestamp": head.timestamp_ms,
                "resourceversion": head.resource_version,
                "sync": head.sync,
            },
            "route": {"source": way.source, "group": way.group, "operation": way.operation, "resource": way.resource},
            "content": message.content,
        },
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()


def documents() -> list[Document]:
    """Return what is decoded and encoded."""
    burst = list(recorded_burst())
    one = next(each for each in burst if "/service/" in each.route.resource)
    pods = next(each for each in burst if "/podlist/" in each.route.resource)
    return [
        Document("service", wire.encode(one)),
        Document("list of pods", wire.encode(pods)),
        Document("list of 1 MB", services(MEGABYTE)),
    ]


def services(count: int) -> bytes:
    """Return the message that brings a list of so many services."""
    elements = ",".join(service(number, 1, 440) for number in range(count))
    return wire.encode(message("update", "bulk/servicelist/service", f"[{elements}]"))


def us(work: Callable[[Any], object], given: Any, size: int) -> float:
    """Return the microseconds that ``work`` takes for ``given``, of ``size`` bytes."""
    times = max(1, min(20_000, BYTES_A_ROUND // size))
    gc.collect()
    began = time.perf_counter()
    for _ in range(times):
        work(given)
    return (time.perf_counter() - began) / times * 1e6


class Bench:
    """Compares, in so many rounds."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds

    def compare(
        self,
        case: str,
        size: int,
        ours: Side,
        peers: Mapping[str, Side],
        goal: Goal,
    ) -> None:
        """Measure ours and all peers in turn; the goal is for the first of them."""
        found = [[us(*ours, size), *(us(*each, size) for each in peers.values())] for _ in range(self.rounds)]
        mine = [each[0] for each in found]
        for place, peer in enumerate(peers, 1):
            theirs = [each[place] for each in found]
            aim = goal if place == 1 else None
            beside(case, mine, theirs, "us", peer=peer, measure="" if aim else f"beside {peer}", goal=aim, less=True)


def messages(bench: Bench) -> None:
    """Measure both ways of each document."""
    for name, text in documents():
        mine, plain, framed = wire.decode(text), by_json(text), _frames.decode(text)
        assert json.loads(wire.encode(mine)) == json.loads(to_json(plain))
        peers: dict[str, Side] = {"json": (by_json, text), "msgspec": (_frames.decode, text)}
        bench.compare(f"decode a {name}", len(text), (wire.decode, text), peers, ratio(4, acceptable=2))
        peers = {"json": (to_json, plain), "msgspec": (msgspec.json.encode, framed)}
        bench.compare(f"encode a {name}", len(text), (wire.encode, mine), peers, ratio(4))
    text = documents()[0].text.replace(b'"sync":false', b'"sync":null')
    assert b"null" in text
    bench.compare("decode as Go lets it pass", len(text), (wire.decode, text), {"json": (by_json, text)}, ratio(0.2))


def objects(bench: Bench) -> None:
    """Measure how views of Kubernetes objects are made."""
    burst = list(recorded_burst())
    one = next(bytes(each.content) for each in burst if "/service/" in each.route.resource)
    pods = b"[" + b",".join(bytes(pod.content) for pod, _ in zip(pods_of(burst), range(100), strict=False)) + b"]"
    untyped = msgspec.json.decode
    peers: dict[str, Side] = {"json": (json.loads, one), "msgspec": (untyped, one)}
    bench.compare("view of a service", len(one), (decode_service, one), peers, ratio(3))
    peers = {"json": (json.loads, pods), "msgspec": (untyped, pods)}
    bench.compare("views of 100 pods", len(pods), (decode_pods, pods), peers, ratio(3))


def growth(bench: Bench) -> None:
    """Measure lists that grow: decoded, and views made of them."""

    def ours(text: bytes) -> object:
        return decode_services(bytes(wire.decode(text).content))

    texts = [services(size) for size in SIZES]
    found = [[(us(ours, text, len(text)), us(by_json, text, len(text))) for _ in range(bench.rounds)] for text in texts]
    mine, theirs = ([[pair[side] / 1e3 for pair in rounds] for rounds in found] for side in (0, 1))
    curve("list, decoded with its views", "services", SIZES, mine, "ms", peers=theirs, peer="json", goal=slope(1.1))


def main(rounds: int) -> None:
    """Measure everything."""
    bench = Bench(rounds)
    messages(bench)
    objects(bench)
    growth(bench)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of each (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="one round")
    given = parser.parse_args()
    main(1 if given.quick else given.rounds)
