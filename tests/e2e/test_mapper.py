"""The example ``examples/mapper``: a thermometer between the cloud and a real broker."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from brokerpython import broker_python
from mosquitto import Mosquitto

MAPPER = Path(__file__).parents[2] / "examples" / "mapper"
NODE = "edge-node1"
"""As ``device.yaml`` has it."""

Start = Callable[[], subprocess.Popen[str]]


@pytest.fixture(
    params=[
        pytest.param("mosquitto", marks=pytest.mark.needs_mosquitto),
        pytest.param("embedded", marks=pytest.mark.needs_amqtt),
    ]
)
def port(request: pytest.FixtureRequest, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[tuple[str, int]]:
    """Return which broker, and where it is; mosquitto runs, the embedded one is the node's to start."""
    if request.param == "embedded":
        yield request.param, free_port()
    else:
        with Mosquitto(tmp_path) as broker:
            yield request.param, broker.port


@pytest.fixture
def event_bus(port: tuple[str, int]) -> dict[str, Any]:
    """The settings of the node for that broker."""
    kind, number = port
    url = f"tcp://127.0.0.1:{number}"
    if kind == "mosquitto":
        how = {"mqttMode": 2, "mqttServerExternal": url}
    else:
        how = {"mqttMode": 0, "mqttServerInternal": url, "internal": {"python": broker_python()}}
    return {f"eventBus__{key}": value for key, value in {"enable": True, **how}.items()}


@pytest.fixture
def thermometer(port: tuple[str, int], tmp_path: Path) -> Iterator[Start]:
    """Start the mapper."""
    started: list[subprocess.Popen[str]] = []
    out = (tmp_path / "thermometer.txt").open("w")

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, str(MAPPER / "thermometer.py"), "--broker", f"127.0.0.1:{port[1]}", "--every", "0.1"]
        started.append(subprocess.Popen(command, stdout=out, stderr=out, text=True, env=os.environ))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.wait()
    out.close()


class Cloud:
    """The commands of the stub, as the README of the example has them."""

    def __init__(self, programs: Any, cloud: Any) -> None:
        self._programs = programs
        self._cloud = cloud
        self._control = ("--control", cloud.control.path)

    def apply(self, *files: object, text: str | None = None) -> None:
        words = [word for file in files for word in ("-f", file)]
        how = {"input": text, "stdin": None} if text is not None else {}
        command = [sys.executable, "-m", "cloudhub_stub", "apply", *map(str, (*words, *self._control))]
        done = subprocess.run(
            command, env=self._programs.env, capture_output=True, text=True, timeout=40, check=False, **how
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def device(self) -> dict[str, Any]:
        done = self._programs.run("cloudhub_stub", "get", "device", "thermometer-1", "-o", "yaml", *self._control)
        found: dict[str, Any] = yaml.safe_load(done.stdout)["status"]
        return found

    def wait_for(self, what: str, holds: Callable[[dict[str, Any]], bool]) -> None:
        self._cloud.wait_for(what, lambda _: holds(self.device()))

    def wait_for_reported(self, celsius: str) -> None:
        self.wait_for(f"{celsius} degrees", lambda status: _reported(status) == celsius)


def _reported(status: dict[str, Any]) -> str | None:
    (twin,) = status["twins"]
    found: str | None = twin.get("reported", {}).get("value")
    return found


def test_what_the_cloud_wants_becomes_what_the_room_has(
    programs: Any, event_bus: dict[str, Any], thermometer: Start
) -> None:
    stub = programs.cloud()
    cloud = Cloud(programs, stub)
    node = programs.node(NODE, stub, deviceTwin__enable=True, **event_bus)
    mapper = thermometer()  # before the node knows of the device, or the broker is there
    cloud.apply(MAPPER / "model.yaml", MAPPER / "device.yaml")

    cloud.wait_for_reported("21")
    cloud.wait_for("who is online", lambda status: status.get("state") == "online")

    cloud.apply("-", text=(MAPPER / "device.yaml").read_text().replace("'21'", "'18'"))
    cloud.wait_for_reported("18")

    mapper.kill()
    cloud.wait_for("the last will", lambda status: status.get("state") == "offline")
    assert node.lines("bad_input") == []


def test_a_mapper_that_comes_back_goes_on_from_what_is_wanted(
    programs: Any, event_bus: dict[str, Any], thermometer: Start
) -> None:
    stub = programs.cloud()
    cloud = Cloud(programs, stub)
    node = programs.node(NODE, stub, deviceTwin__enable=True, **event_bus)
    cloud.apply(MAPPER / "model.yaml", MAPPER / "device.yaml")
    thermometer()
    cloud.wait_for_reported("21")

    assert node.stop() == 0  # the embedded broker ends with it
    node = programs.node(NODE, stub, deviceTwin__enable=True, **event_bus)
    cloud.apply("-", text=(MAPPER / "device.yaml").read_text().replace("'21'", "'23'"))

    cloud.wait_for_reported("23")
    assert node.lines("bad_input") == []
