"""The steps of the demonstration, in order; each shows what it did and fails where something else happened."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import msgspec

from edgecore.control.client import ControlClient
from edgecore.demo import probes
from edgecore.demo.broker import HOST
from edgecore.demo.screen import Step
from edgecore.demo.stage import NODE, Stage
from edgecore.demo.watching import Told, Watch
from edgecore.errors import ControlError, EdgecoreError
from edgecore.store.databasefile import peek

SERVICE = "default/service/nginx-svc"
LISTENER = "default/listener/default.nginx-svc"
MIRRORED = f"edgecore/{NODE}/bus/edgemesh/metaManager/insert/{SERVICE}"
"""Where the mirror shows the service on its way to EdgeMesh."""
NAME = "nginx-svc.default.svc.cluster.local"
PORT = 12345
BACKENDS = (("127.0.0.2", 8000), ("127.0.0.3", 8000))
ADDRESS_MAP = ("10.66.0.2=127.0.0.2", "10.66.0.1=127.0.0.3")
"""The recorded hosts, and the loopback addresses that stand for them."""

ARRIVAL = "b_services_endpoints_pods.jsonl"
ONE_POD = 19
"""The line of ``ARRIVAL`` with the pod list that names one pod only."""
DELETES = "b2_deletes.jsonl"
PODS_GONE_UNTIL = 29
"""The last line of ``DELETES`` before the service itself is deleted."""

SELECT = "SELECT value FROM meta WHERE key = ?"

_BACKEND = re.compile(r"backend ([0-9.]+:[0-9]+) ")


class Place(NamedTuple):
    """Where the service is reached."""

    dns: tuple[str, int]
    fake_ip: str
    plain: tuple[str, int]


def tell(stage: Stage) -> Place:
    """Run all steps. Raises ``EdgecoreError`` at the first that did not hold."""
    _join(stage)
    _arrive(stage)
    place = _stored(stage)
    _resolve(stage, place)
    _balance(stage, place)
    _one_pod_left(stage, place)
    _no_pods_left(stage, place)
    _deleted(stage, place)
    return place


def bring_back(stage: Stage) -> Place:
    """Play the arrival once more, so that there is a service to try by hand."""
    _replay(stage, ARRIVAL)
    return _place(stage)


def _join(stage: Stage) -> None:
    step = stage.screen.step("the node joins the cloud: websocket, keepalive, registration")
    stage.node.wait_for(
        "the registration of the node",
        lambda status: status["parts"]["edged"]["registered"] and status["mesh"]["recovered"],
    )
    nodes = stage.stub.control.get("/v1/nodes")
    step.check("the cloud knows the node", [node["name"] for node in nodes], [NODE])
    status = stage.node.control.get("/v1/status")
    step.say(f"link      {status['link']['url']}")
    step.say(f"modules   {', '.join(module['name'] for module in status['modules'])}")
    step.check("modules that run", {module["state"] for module in status["modules"]}, {"running"})
    if stage.broker is not None:
        stage.node.wait_for("the mirror of the bus on MQTT", _is_mirrored)
        step.say("all that follows can be watched with any MQTT client:")
        step.say(f"$ {stage.broker.watching}")


def _is_mirrored(status: dict[str, Any]) -> bool:
    brokers = status["parts"]["eventbus"]["mirror"]["brokers"].values()
    return all(broker["connected"] for broker in brokers)


def _arrive(stage: Stage) -> None:
    step = stage.screen.step(f"the cloud plays {ARRIVAL}: services, endpoints, pods of a real KubeEdge 1.3.1")
    with _mirror(stage) as mirrored, _tap(stage.node.control, SERVICE, LISTENER) as passages:
        _replay(stage, ARRIVAL)
        told = mirrored()
        acknowledged = stage.node.soon(lambda: ("metaManager", "websocket") in _ways(passages))
    ours = list(passages)
    first = next((passage for passage in ours if '"operation":"insert"' in passage["message"]), None)
    if first is None:
        raise EdgecoreError(f"no message with {SERVICE} went over the bus")
    step.say("the message that brought the service, as it went over the bus:")
    step.quote(first["message"])
    step.say("its way through the node:")
    for passage in ours[:5]:
        route = msgspec.json.decode(passage["message"])["route"]
        step.say(f"  {passage['from']:>11} > {passage['to']:<11} {route['operation']:<8} {route['resource']}")
    step.check("the service reached EdgeMesh", ("metaManager", "edgemesh") in _ways(ours), True)
    step.check("it was acknowledged to the cloud", acknowledged, True)
    if told is not None:
        step.say(f"the same on MQTT: {told.topic}")
        name = msgspec.json.decode(told.payload)["content"]["metadata"]["name"]
        step.check("the service that is seen on MQTT", name, SERVICE.rpartition("/")[2])


@contextmanager
def _mirror(stage: Stage) -> Iterator[Callable[[], Told | None]]:
    """Give what returns the message with which the service reached EdgeMesh, as it comes on MQTT, if there is that."""
    if stage.broker is None:
        yield lambda: None
        return
    with Watch(HOST, stage.broker.port, f"edgecore/{NODE}/bus/edgemesh/#") as watch:
        yield lambda: watch.until(MIRRORED)[-1]


def _ways(passages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(passage["from"], passage["to"]) for passage in passages]


def _stored(stage: Stage) -> Place:
    step = stage.screen.step("it lies in SQLite, and it has a fake IP")
    value = _row(step, stage, SERVICE)
    ports = [port["port"] for port in msgspec.json.decode(value)["spec"]["ports"]]
    step.check(f"the row names port {PORT}", PORT in ports, True)
    place = _place(stage)
    step.check("the listener row holds the fake IP", _row(step, stage, LISTENER), f'"{place.fake_ip}"')
    return place


def _row(step: Step, stage: Stage, key: str) -> str:
    """Show the row under ``key`` as a user would look it up, and return its value."""
    step.say(f'$ sqlite3 {stage.database} "{SELECT.replace("?", repr(key))}"')
    rows = peek(stage.database, SELECT, (key,))
    step.check("rows", len(rows), 1)
    value: str = rows[0][0]
    step.quote(value)
    return value


def _resolve(stage: Stage, place: Place) -> None:
    step = stage.screen.step("its name resolves")
    exchange = probes.ask(place.dns, NAME)
    step.say(f"$ dig @{place.dns[0]} -p {place.dns[1]} {NAME}")
    step.say(f"question  {exchange.question.hex()}")
    step.say(f"answer    {exchange.answer.hex()}")
    step.say(f"status {exchange.rcode}, A {exchange.address}")
    step.check("the answer", (exchange.rcode, exchange.address), ("NOERROR", place.fake_ip))


def _balance(stage: Stage, place: Place) -> None:
    step = stage.screen.step("requests are balanced over the two pods")
    seen = _requests(step, place, 6)
    step.check("requests per backend", seen, {_text(backend): 3 for backend in BACKENDS})
    step.say("and through the plain listener, which is a forward proxy:")
    url = f"http://{NAME}:{PORT}/by-proxy"
    step.say(f"$ curl -x http://{_text(place.plain)} {url}")
    answer = probes.get(place.plain, url, f"{NAME}:{PORT}")
    step.say(f"{answer.status} {answer.body.strip()}")
    step.check("the answer", answer.status, 200)


def _one_pod_left(stage: Stage, place: Place) -> None:
    step = stage.screen.step("a pod list with one pod arrives: the other is no longer chosen")
    _replay(stage, ARRIVAL, "--from", str(ONE_POD), "--to", str(ONE_POD))
    seen = _requests(step, place, 4)
    step.check("requests per backend", seen, {_text(BACKENDS[0]): 4})


def _no_pods_left(stage: Stage, place: Place) -> None:
    step = stage.screen.step("the pods are deleted: 503 with the reason (the Go edgecore dies of this request)")
    _replay(stage, DELETES, "--to", str(PODS_GONE_UNTIL))
    answer = probes.get((place.fake_ip, PORT), "/nobody", f"{NAME}:{PORT}")
    step.say(f"$ curl http://{place.fake_ip}:{PORT}/nobody")
    step.say(f"{answer.status} {answer.reason}: {answer.body.strip()}")
    step.check("the answer", (answer.status, dict(answer.headers).get("X-Edgecore-Reason")), (503, "no_pods"))


def _deleted(stage: Stage, place: Place) -> None:
    step = stage.screen.step("the service is deleted: row, address and name are gone")
    _replay(stage, DELETES, "--from", str(PODS_GONE_UNTIL + 1))
    stage.node.wait_for("the end of the service", lambda status: _find(status) is None)
    exchange = probes.ask(place.dns, NAME)
    step.say(f"$ dig @{place.dns[0]} -p {place.dns[1]} {NAME}")
    step.say(f"answer    {exchange.answer.hex()}")
    step.say(f"status {exchange.rcode}")
    step.check("the answer", exchange.rcode, "NXDOMAIN")
    rows = peek(stage.database, SELECT, (SERVICE,)) + peek(stage.database, SELECT, (LISTENER,))
    step.check("rows of the service and its address", rows, [])
    try:
        probes.get((place.fake_ip, PORT), "/gone", NAME)
    except ConnectionRefusedError:
        step.say(f"$ curl http://{place.fake_ip}:{PORT}/gone")
        step.say("connection refused")
    else:
        raise EdgecoreError(f"{place.fake_ip}:{PORT} still answers")


def _requests(step: Step, place: Place, count: int) -> dict[str, int]:
    """Send ``count`` requests to the fake IP; show each; return how many each backend answered."""
    seen: Counter[str] = Counter()
    step.say(f"$ curl http://{place.fake_ip}:{PORT}/hello    ({count} times)")
    for number in range(1, count + 1):
        answer = probes.get((place.fake_ip, PORT), f"/hello/{number}", f"{NAME}:{PORT}")
        step.say(f"{answer.status} {answer.body.strip()}")
        found = _BACKEND.search(answer.body)
        seen[found.group(1) if found else f"status {answer.status}"] += 1
    return dict(seen)


def _place(stage: Stage) -> Place:
    """Return where the service is reached, once it listens."""
    status = stage.node.wait_for("the service on its fake IP", _listens)
    service = _find(status)
    assert service is not None  # noqa: S101 - _listens has seen it
    listening = status["listening"]
    return Place(_address(listening["dns"]), service["fake_ip"], _address(listening["proxy"]))


def _find(status: dict[str, Any]) -> dict[str, Any] | None:
    for service in status["mesh"].get("services", ()):
        if (service["namespace"], service["name"]) == ("default", "nginx-svc"):
            found: dict[str, Any] = service
            return found
    return None


def _listens(status: dict[str, Any]) -> bool:
    for port in status["mesh"]["ports_not_bound"]:
        if port["port"] == PORT:
            raise EdgecoreError(f"{port['text']}; end what listens on port {PORT} of all addresses")
    service = _find(status)
    if service is None or not service["fake_ip"]:
        return False
    return any(port["port"] == PORT and port["state"] == "listening" for port in service["ports"])


def _replay(stage: Stage, recording: str, *options: str) -> None:
    """Run ``cloudhub-stub replay`` as a user would, and show its last line."""
    maps = [word for pair in ADDRESS_MAP for word in ("--map", pair)]
    said = stage.cloud("replay", str(stage.recordings / recording), *options, *maps)
    stage.screen.say(said.strip().splitlines()[-1])


@contextmanager
def _tap(control: ControlClient, *words: str) -> Iterator[list[dict[str, Any]]]:
    """Collect the messages between modules in which one of ``words`` stands, from the beginning of the block on.

    They come a moment after they were sent: what is waited for in the block is there.
    """
    passages: list[dict[str, Any]] = []
    tapping, done = threading.Event(), threading.Event()

    def follow() -> None:
        with suppress(ControlError):  # the node ends before the next message; if it broke, the next step says so
            for passage in control.stream("GET", "/v1/tap"):
                if any(word in passage.get("message", "") for word in words):
                    passages.append(passage)
                tapping.set()
                if done.is_set():
                    return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    tapping.wait(10)
    try:
        yield passages
    finally:
        done.set()  # the next message, a keepalive at the latest, ends the thread


def _text(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.split(", ", maxsplit=1)[0].rpartition(":")
    return host, int(port)
