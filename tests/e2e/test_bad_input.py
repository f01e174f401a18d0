"""Bad input of all kinds: it is counted, one log line says what and from whom, and the node works on."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

import pytest
from websockets.asyncio.server import ServerConnection, serve

from edgecore.app import Node
from edgecore.config.host import Environment
from edgecore.config.load import parse
from edgecore.demo import probes
from edgecore.observe.logs import configure_logging

T = TypeVar("T")
Json = dict[str, Any]
Address = tuple[str, int]

DNS = Path(__file__).parents[1] / "data" / "dns.jsonl"


class ScriptedCloud:
    """A cloud that registers the node, and else says only what the test has it say."""

    def __init__(self) -> None:
        self._connection: asyncio.Future[ServerConnection] = asyncio.get_running_loop().create_future()
        self._acknowledgements: dict[str, asyncio.Event] = {}

    async def talk(self, connection: ServerConnection) -> None:
        """Serve the node's one connection to its end."""
        self._connection.set_result(connection)
        async for text in connection:
            message = json.loads(text)
            if message["route"]["operation"] == "response":
                self._acknowledgements[message["header"]["parent_msg_id"]].set()
            elif message["route"]["operation"] == "insert":
                header = {"msg_id": "registered", "parent_msg_id": message["header"]["msg_id"]}
                route = message["route"] | {"source": "edgecontroller", "group": "resource", "operation": "response"}
                await connection.send(json.dumps({"header": header, "route": route, "content": "OK"}))

    async def send(self, payload: bytes) -> None:
        """Send a text frame, whatever is in it."""
        await (await self._connection).send(payload, text=True)

    async def deliver(self, *messages: Json) -> None:
        """Send messages, each after the one before it was acknowledged."""
        for message in messages:
            arrived = self._acknowledgements[message["header"]["msg_id"]] = asyncio.Event()
            await self.send(json.dumps(message).encode())
            await arrived.wait()


class Site:
    """A node in this process, its log, and what is around it."""

    def __init__(self, node: Node, log: StringIO, words: Any, backend: Address, port: int, read: Any) -> None:
        self.node = node
        self.words = words
        self.backend = backend
        self.port = port
        self._log = log
        self._fetch, self._sample = read

    def lines(self, key: str, value: str) -> list[Json]:
        """Return the log lines that have the value under the key."""
        return [line for line in map(json.loads, self._log.getvalue().splitlines()) if line[key] == value]

    async def until(self, look: Callable[[], T]) -> T:
        """Return what ``look`` returns, once that is true; the test's timeout is what ends it otherwise."""
        while not (found := look()):
            await asyncio.sleep(0.005)
        return found

    async def figure(self, name: str, **labels: str) -> float:
        """Return one figure of what Prometheus gets."""
        assert self.node.observe is not None
        page = (await asyncio.to_thread(self._fetch, f"http://{self.node.observe.address}/metrics"))[1]
        found: float = self._sample(page, name, **labels)
        return found

    async def complaint(self, module: str, reason: str) -> Json:
        """Return the one line of the log about bad input; its module and reason are these, and so is the counter."""
        await self.until(lambda: self.lines("event", "bad_input"))
        (line,) = self.lines("event", "bad_input")
        assert (line["level"], line["module"], line["reason"]) == ("warning", module, reason)
        assert await self.figure("edgecore_bad_input_total", module=module, reason=reason) == 1
        return line

    @property
    def mesh(self) -> Json:
        return self.node.runner.statuses()["edgemesh"]

    @property
    def services(self) -> Sequence[Json]:
        assert self.node.mesh is not None
        return list(self.node.mesh.module.view().states())

    @property
    def dns(self) -> Address:
        host, _, port = self.mesh["dns"]["listening"][0].rpartition(":")
        return host, int(port)

    async def service(self, name: str) -> str:
        """Return the fake IP of a service, once all its ports are listened at."""

        def look() -> list[str]:
            return [
                one["fake_ip"]
                for one in self.services
                if one["name"] == name and all(port["state"] != "not_bound" for port in one["ports"])
            ]

        return (await self.until(look))[0]

    async def get(self, name: str) -> probes.HttpExchange:
        """Send a request to the fake IP of a service."""
        place = (await self.service(name), self.port)
        return await asyncio.to_thread(probes.get, place, "/x", f"{name}.default")

    async def good_service_works(self, cloud: ScriptedCloud) -> None:
        """Have a new service come, resolve its name and be served by it; and nothing has crashed so far."""
        await cloud.deliver(*self.words.arrival("good", self.port, self.backend))
        fake_ip = await self.service("good")
        exchange = await asyncio.to_thread(probes.ask, self.dns, "good.default.svc.cluster.local")
        assert (exchange.rcode, exchange.address) == ("NOERROR", fake_ip)
        answer = await self.get("good")
        assert (answer.status, answer.body) == (200, f"{self.backend[0]} serves /x")
        states = self.node.runner.states().values()
        assert {(one["state"], one["restarts"]) for one in states} == {("running", 0)}
        assert self.lines("level", "error") == []


@pytest.fixture
async def cloud() -> ScriptedCloud:
    return ScriptedCloud()


@pytest.fixture
async def site(
    cloud: ScriptedCloud,
    words: Any,
    backend: Callable[[], Address],
    free_port: Callable[[], int],
    config_text: Callable[..., str],
    fetch: Any,
    sample: Any,
    tmp_path: Path,
) -> AsyncIterator[Site]:
    """A node that is linked to ``cloud``."""
    log = StringIO()
    configure_logging("info", "json", log)
    async with serve(cloud.talk, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        node = Node(parse(config_text(tmp_path, url), "the test", env=Environment("edge-1", "127.0.0.1")))
        await node.start()
        try:
            yield Site(node, log, words, backend(), free_port(), (fetch, sample))
        finally:
            await node.stop()


@pytest.mark.parametrize(
    ("payload", "reason", "told"),
    [
        (b'{"header": {"msg_id": ', "malformed_json", "char"),
        (b"", "malformed_json", "char"),
        (b"[1, 2, 3]", "wrong_shape", "document is not an object"),
        (b'{"header": {"msg_id": 7}, "route": {}}', "wrong_shape", "msg_id is not a str"),
        (b'{"header": {"msg_id": "\xff\xfe"}}', "not_utf8", "invalid UTF-8 at byte 23"),
        (b'{"content": ' + b"[" * 600 + b"]" * 600 + b"}", "too_deep", "nested deeper than 512"),
    ],
    ids=["cut_off", "empty", "list", "number_for_id", "not_utf8", "too_deep"],
)
async def test_a_frame_that_is_no_message_is_refused_with_the_reason_and_the_link_stays(
    site: Site, cloud: ScriptedCloud, payload: bytes, reason: str, told: str
) -> None:
    await cloud.send(payload)

    line = await site.complaint("websocket", reason)
    assert line["peer"] == "cloud"
    assert told in line["detail"]
    await site.good_service_works(cloud)


async def test_a_message_to_an_unknown_group_is_named_and_the_node_goes_on(site: Site, cloud: ScriptedCloud) -> None:
    await cloud.send(json.dumps(site.words.message("insert", "default/service/x", {}, group="nobody")).encode())

    line = await site.complaint("websocket", "unknown_group")
    assert (line["peer"], line["detail"], line["resource"]) == ("cloud", "nobody", "default/service/x")
    await site.good_service_works(cloud)


async def test_an_unknown_operation_is_named_and_the_node_goes_on(site: Site, cloud: ScriptedCloud) -> None:
    await cloud.send(json.dumps(site.words.message("frobnicate", "default/service/x", {})).encode())

    line = await site.complaint("metaManager", "unknown_operation")
    assert (line["peer"], line["operation"]) == ("edgecontroller", "frobnicate")
    await site.good_service_works(cloud)


@pytest.mark.parametrize("resource", ["default/gadget/x", "gadget", "a/b/c/d/e", ""])
async def test_an_unknown_resource_is_named_and_the_node_goes_on(
    site: Site, cloud: ScriptedCloud, resource: str
) -> None:
    await cloud.deliver(site.words.message("insert", resource, {"metadata": {}}))

    line = await site.complaint("metaManager", "unknown_resource_type")
    assert (line["peer"], line["resource"]) == ("edgecontroller", resource)
    await site.good_service_works(cloud)


@pytest.mark.parametrize("content", ["text", [], {"metadata": {"name": "x", "namespace": "default"}, "spec": 3}])
async def test_content_of_the_wrong_shape_is_refused_and_the_node_goes_on(
    site: Site, cloud: ScriptedCloud, content: Any
) -> None:
    await cloud.deliver(site.words.message("insert", "default/service/x", content))

    line = await site.complaint("edgemesh", "bad_content")
    assert (line["peer"], line["resource"]) == ("cloud", "default/service/x")
    assert "cannot decode Service" in line["text"]
    await site.good_service_works(cloud)


async def test_a_service_without_ports_is_kept_and_complained_of(site: Site, cloud: ScriptedCloud) -> None:
    service = site.words.service("bare")
    del service["spec"]["ports"]

    await cloud.deliver(site.words.put(service))

    line = await site.complaint("edgemesh", "service_without_ports")
    assert (line["peer"], line["resource"]) == ("cloud", "default/service/bare")
    assert await site.service("bare")
    await site.good_service_works(cloud)


async def test_an_annotation_of_ours_that_means_nothing_is_complained_of_and_the_service_works(
    site: Site, cloud: ScriptedCloud
) -> None:
    service = site.words.service("half", ("http", site.port))
    service["metadata"]["annotations"] = {"edgemesh.kubeedge.io/retries": "many"}

    await cloud.deliver(site.words.put(service), site.words.pods("half", [site.words.pod("half-0", site.backend)]))

    line = await site.complaint("edgemesh", "annotation_unusable")
    assert (line["peer"], line["resource"]) == ("cloud", "default/service/half")
    assert "edgemesh.kubeedge.io/retries" in line["text"]
    assert (await site.get("half")).status == 200
    await site.good_service_works(cloud)


def without_host_port(pod: Json) -> None:
    del pod["spec"]["containers"][0]["ports"][0]["hostPort"]


def without_host_ip(pod: Json) -> None:
    del pod["status"]["hostIP"]


def without_status(pod: Json) -> None:
    del pod["status"]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (without_host_port, "pod_without_host_port"),
        (without_host_ip, "pod_without_host_ip"),
        (without_status, "pod_without_status"),
    ],
)
async def test_a_pod_that_lacks_what_the_way_to_it_needs_is_left_out_with_the_reason(
    site: Site, cloud: ScriptedCloud, spoil: Callable[[Json], None], reason: str
) -> None:
    good, bad = site.words.pod("web-0", site.backend), site.words.pod("web-1", site.backend)
    spoil(bad)

    await cloud.deliver(site.words.put(site.words.service("web", ("http", site.port))), site.words.pods("web", [bad]))

    line = await site.complaint("edgemesh", reason)
    assert (line["peer"], line["resource"]) == ("cloud", "default/podlist/web")
    assert line["text"].endswith(": web-1")
    assert (await site.get("web")).status == 503
    await cloud.deliver(site.words.pods("web", [bad, good]))
    await site.until(lambda: "in" in [one["state"] for one in site.services[0]["backends"]])
    assert [(await site.get("web")).status for _ in range(2)] == [200, 200]
    await site.complaint("edgemesh", reason)
    await site.good_service_works(cloud)


def recorded_packet(name: str) -> bytes:
    rows = map(json.loads, DNS.read_text().splitlines())
    return bytes.fromhex(next(row["query"] for row in rows if row["desc"] == f"CRASH {name}"))


@pytest.mark.parametrize(
    ("name", "reason"), [("hdronly", "truncated_name"), ("label", "truncated_name"), ("ptr", "compressed_name")]
)
async def test_a_dns_packet_that_ends_the_go_edgecore_gets_formerr_here(
    site: Site, cloud: ScriptedCloud, name: str, reason: str
) -> None:
    packet = recorded_packet(name)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        await asyncio.to_thread(client.sendto, packet, site.dns)

        line = await site.complaint("edgemesh.dns", reason)

        assert line["peer"] == f"127.0.0.1:{client.getsockname()[1]}"
        assert line["packet"] == packet.hex()
        assert await asyncio.to_thread(client.recv, 512) == packet[:2] + bytes.fromhex("8181 0000 0000 0000 0000")
    await site.good_service_works(cloud)


@pytest.mark.parametrize("where", ["fake IP", "plain listener"])
async def test_bytes_that_are_not_http_get_400_and_the_node_goes_on(
    site: Site, cloud: ScriptedCloud, where: str
) -> None:
    await cloud.deliver(*site.words.arrival("web", site.port, site.backend))
    place = (await site.service("web"), site.port)
    if where == "plain listener":
        host, _, port = site.mesh["plain_listener"].rpartition(":")
        place = (host, int(port))
    reader, writer = await asyncio.open_connection(*place)
    us = "{}:{}".format(*writer.get_extra_info("sockname"))

    writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 what TLS begins with\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    line = await site.complaint("edgemesh.proxy", "not_http")
    assert line["peer"] == us
    await site.good_service_works(cloud)


async def test_a_request_to_a_service_whose_pod_list_is_null_gets_503_with_the_reason(
    site: Site, cloud: ScriptedCloud
) -> None:
    await cloud.deliver(site.words.put(site.words.service("web", ("http", site.port))), site.words.pods("web", None))

    answer = await site.get("web")

    assert (answer.status, dict(answer.headers)["X-Edgecore-Reason"]) == (503, "no_pods")
    assert "the service has no pods" in answer.body
    (line,) = site.lines("event", "request_failed")
    assert (line["reason"], line["peer"].split(":")[0]) == ("no_pods", "127.0.0.1")
    assert "default/web" in line["details"]
    assert await site.figure("edgecore_proxy_errors_total", reason="no_pods") == 1
    await site.good_service_works(cloud)
