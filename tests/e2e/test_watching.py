"""Debian's `mosquitto_sub -v -t 'edgecore/#'` beside a node: a service arrives, and goes; one is put there by hand."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mosquitto import Mosquitto

pytestmark = pytest.mark.needs_mosquitto

STATE = "edgecore/edge-1/state/"


class Client:
    """What the client printed so far, topic by topic in order."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.said: list[tuple[str, str]] = []

    def until(self, topic: str, payload: Callable[[str], object] = bool) -> str:
        """Return the payload that came, or comes, on ``topic``; the test's timeout is what ends this otherwise."""
        for one, text in self.said:
            if one == topic and payload(text):
                return text
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append((line.split(" ")[0].strip(), line.partition(" ")[2].strip()))
            if self.said[-1][0] == topic and payload(self.said[-1][1]):
                return self.said[-1][1]
        raise AssertionError(self.said)


@contextmanager
def mosquitto_sub(broker: Mosquitto) -> Iterator[Client]:
    command = ["stdbuf", "-oL", "mosquitto_sub", "-p", str(broker.port), "-v", "-t", "edgecore/#"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Client(process)
        finally:
            process.terminate()


def test_a_service_is_seen_to_arrive_and_to_go(
    programs: Any, words: Any, free_port: Callable[[], int], mosquitto_at: Callable[..., Mosquitto]
) -> None:
    broker = mosquitto_at()
    cloud = programs.cloud()
    mirror, inject = {"enable": True, "stateInterval": 0.05}, {"enable": True}
    node = programs.node(
        cloud=cloud,
        eventBus__enable=True,
        eventBus__mqttServerExternal=broker.url,
        eventBus__mirror=mirror,
        eventBus__inject=inject,
    )
    with mosquitto_sub(broker) as client:
        client.until(f"{STATE}online", lambda text: text == "true")
        client.until(f"{STATE}link", lambda text: '"connected"' in text)
        port = free_port()
        cloud.send(*words.arrival("web", port, ("127.0.0.2", 8080)))

        arrived = json.loads(client.until("edgecore/edge-1/bus/edgemesh/metaManager/insert/default/service/web"))
        assert arrived["content"]["metadata"]["name"] == "web"
        told = json.loads(client.until(f"{STATE}services/default/web", lambda text: '"in":1' in text))
        assert told["ports"][0]["port"] == port
        whose = json.loads(client.until(f"{STATE}fakeips/{told['fake_ip']}"))
        assert whose == {"namespace": "default", "name": "web"}

        gone = {"route": words.message("delete", "default/service/web")["route"], "content": words.service("web")}
        subprocess.run(
            ["mosquitto_pub", "-p", str(broker.port), "-t", "edgecore/edge-1/inject/metaManager", "-s"],
            input=json.dumps(gone),
            text=True,
            check=True,
        )
        client.until(f"{STATE}services/default/web", lambda text: text == "(null)")
        assert node.stop() == 0
        client.until(f"{STATE}online", lambda text: text == "false")
