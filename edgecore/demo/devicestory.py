"""The steps with a device: from the cloud to MQTT, and from MQTT to the cloud."""

from typing import Any

import msgspec

from edgecore.demo.broker import HOST, DemoBroker
from edgecore.demo.processes import stub_command
from edgecore.demo.screen import Step
from edgecore.demo.stage import NODE, Stage
from edgecore.demo.watching import Told, Watch
from edgecore.errors import EdgecoreError
from edgecore.store.databasefile import peek

DEVICE = "thermometer-1"
PROPERTY = "temperature"
WANTED, FOUND = "21", "19"
STEPS = 2
_DEVICE_TOPIC = f"$hw/events/device/{DEVICE}"
_VERSION = '{"cloud":0,"edge":1}'
_SELECT = "SELECT expected, actual, actual_version FROM device_twin WHERE deviceid = ? AND name = ?"


def tell(stage: Stage) -> None:
    """Run the steps, if there is a broker. Raises ``EdgecoreError`` at the first that did not hold."""
    broker = stage.broker
    if broker is None:
        return
    with Watch(HOST, broker.port, "$hw/events/#") as watch:
        stage.node.wait_for("EventBus on the broker", _is_on_the_broker)
        _wanted(stage, watch, broker)
        _reported(stage, watch, broker)


def _wanted(stage: Stage, watch: Watch, broker: DemoBroker) -> None:
    step = stage.screen.step("a device: what the cloud wants of it arrives on MQTT")
    step.say(f"the MQTT broker is {broker.text}")
    model, device = stage.mapper / "model.yaml", stage.mapper / "device.yaml"
    for line in stage.cloud("apply", "-f", str(model), "-f", str(device)).splitlines():
        step.say(line)
    step.say("and on MQTT:")
    told = _show(step, watch.until(f"$hw/events/node/{NODE}/membership/updated"))
    delta = _document(told, f"{_DEVICE_TOPIC}/twin/update/delta")["delta"]
    step.check("the node knows what is wanted and not there", delta, {PROPERTY: WANTED})


def _reported(stage: Stage, watch: Watch, broker: DemoBroker) -> None:
    step = stage.screen.step("what the device reports: answered on MQTT, in a row of SQLite, and in the cloud")
    report = {"event_id": "1", "timestamp": 0, "twin": {PROPERTY: {"actual": {"value": FOUND}}}}
    payload = msgspec.json.encode(report)
    step.say(f"$ mosquitto_pub -p {broker.port} -t '{_DEVICE_TOPIC}/twin/update' -m '{payload.decode()}'")
    watch.publish(f"{_DEVICE_TOPIC}/twin/update", payload)
    told = _show(step, watch.until(f"{_DEVICE_TOPIC}/twin/update/delta"))
    result = _document(told, f"{_DEVICE_TOPIC}/twin/update/result")
    step.check("the answer names the value", result["twin"][PROPERTY]["actual"]["value"], FOUND)
    rows = peek(stage.database, _SELECT, (DEVICE, PROPERTY))
    step.say(f"the table device_twin of {stage.database}:")
    step.check("what the row has, wanted and found, and the version of that", rows, [(WANTED, FOUND, _VERSION)])
    stage.stub.soon(lambda: _in_the_cloud(stage) == FOUND)
    text = stage.cloud("get", "devices", DEVICE, "-o", "yaml")
    for line in text[text.index("status:") :].splitlines():
        step.say(f"    {line}")
    step.check("the cloud has the reported value", _in_the_cloud(stage), FOUND)


def _is_on_the_broker(status: dict[str, Any]) -> bool:
    brokers = status["parts"]["eventbus"]["brokers"].values()
    return all(all(broker["connected"].values()) for broker in brokers)


def _show(step: Step, told: list[Told]) -> list[Told]:
    for one in told:
        step.say(one.topic)
        step.quote(one.payload.decode(errors="replace"))
    return told


def _document(told: list[Told], topic: str) -> dict[str, Any]:
    for one in told:
        if one.topic == topic:
            found: dict[str, Any] = msgspec.json.decode(one.payload)
            return found
    raise EdgecoreError(f"nothing came on the MQTT topic {topic}")


def _in_the_cloud(stage: Stage) -> str:
    """Return the reported value as the cloud has it, or nothing."""
    text = stub_command(stage.stub, ["get", "devices", DEVICE, "-o", "json"])
    for twin in msgspec.json.decode(text)["status"]["twins"]:
        if twin["propertyName"] == PROPERTY:
            return str((twin.get("reported") or {}).get("value", ""))
    return ""
