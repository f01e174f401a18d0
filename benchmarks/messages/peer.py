"""paho alone, at its best: one thread, nothing between the callback and the work.

* ``in PORT TOPIC NUMBER``: counts messages; prints when the last had come.
* ``out PORT TOPIC NUMBER QOS``: publishes messages once it is told to.
* ``echo PORT TOPIC ANSWER QOS``: publishes an answer to each, until it is ended.
* ``store PORT PREFIX FILE``: as little of a DeviceTwin as can be: an update is read, its row committed, by itself, with
  a write-ahead log and all syncs, and answered with QoS 1, until it is ended.

It prints a line when it is subscribed.
"""

import json
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from messages.device import at_once

COLUMNS = "deviceid TEXT, name TEXT, actual TEXT, actual_version TEXT"
TABLE = f"CREATE TABLE device_twin ({COLUMNS}, PRIMARY KEY (deviceid, name))"
PUT = (
    "INSERT INTO device_twin VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET actual = excluded.actual,"
    " actual_version = excluded.actual_version"
)
PAYLOAD = '{"event_id":"u1","timestamp":0,"twin":{"temperature":{"actual":{"value":"21.5"}}}}'


def say(what: Any) -> None:
    """Print a value."""
    print(json.dumps(what), flush=True)


def client(port: str) -> Client:
    """Return a client that is connected."""
    made = Client(CallbackAPIVersion.VERSION2)
    made.max_inflight_messages_set(100)
    made.on_subscribe = lambda *_: say("ready")
    made.connect("127.0.0.1", int(port))
    at_once(made)
    while not made.is_connected():
        made.loop(1.0)
    return made


def take_in(port: str, topic: str, number: str) -> None:
    """Count."""
    wanted, come = int(number), 0
    ours = client(port)

    def take(*_: object) -> None:
        nonlocal come
        come += 1
        if come == wanted:
            say(time.perf_counter())
            ours.disconnect()

    ours.on_message = take
    ours.subscribe(topic, 1)
    ours.loop_forever()


def hand_out(port: str, topic: str, number: str, qos: str) -> None:
    """Publish."""
    ours = client(port)
    ours.loop_start()
    say("ready")
    sys.stdin.readline()
    for _ in range(int(number)):
        ours.publish(topic, PAYLOAD, int(qos))
    sys.stdin.readline()
    ours.disconnect()
    ours.loop_stop()
    say("done")


def echo(port: str, topic: str, answer: str, qos: str) -> None:
    """Answer."""
    ours = client(port)

    def take(_client: Client, _data: object, message: MQTTMessage) -> None:
        ours.publish(answer, message.payload, int(qos))

    ours.on_message = take
    ours.subscribe(topic, 1)
    ours.loop_forever()


def store(port: str, prefix: str, path: str) -> None:
    """Store and answer."""
    Path(path).unlink(missing_ok=True)
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(TABLE)
    ours = client(port)
    version = 0

    def take(_client: Client, _data: object, message: MQTTMessage) -> None:
        nonlocal version
        version += 1
        topic = message.topic
        update = json.loads(message.payload)
        (name, twin), *_ = update["twin"].items()
        database.execute(PUT, (topic.split("/")[2], name, twin["actual"]["value"], f'{{"cloud":0,"edge":{version}}}'))
        ours.publish(f"{topic}/result", json.dumps(update), 1)

    ours.on_message = take
    ours.subscribe(f"{prefix}/device/+/twin/update", 1)
    ours.loop_forever()


if __name__ == "__main__":
    jobs: dict[str, Callable[..., None]] = {"in": take_in, "out": hand_out, "echo": echo, "store": store}
    jobs[sys.argv[1]](*sys.argv[2:])
