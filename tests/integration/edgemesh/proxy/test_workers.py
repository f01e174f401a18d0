"""Several processes that forward for one address."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.clock import SystemClock, VirtualClock
from edgecore.errors import ListenError
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.limits import ProxyLimits
from edgecore.modules.edgemesh.proxy.server import MeshProxy
from edgecore.modules.edgemesh.proxy.workers.crew import ForwardingCrew
from edgecore.modules.edgemesh.proxy.workers.crewedproxy import CrewedProxy
from edgecore.modules.edgemesh.proxy.workers.recipe import ProxyRecipe
from edgecore.modules.edgemesh.proxy.workers.tolddirectory import ToldDirectory
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.workers.relay import BATCH_EVERY_S
from edgecore.observe.metrics import Metrics
from edgecore.recording.entries import ProxiedRequest
from edgecore.recording.watch import Watch
from tests.support.upstreams import fresh_upstreams, port_spec

pytestmark = pytest.mark.timeout(120)

WEB = ServiceKey("default", "web")
CLIENTS = 48
"""That all of them come in at the same process is as likely as that many heads in a row."""
GET = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"


class Crewed:
    """A proxy with a worker, and a service at one address."""

    def __init__(self, **limits: Any) -> None:
        self.clock = VirtualClock()
        """Of the crew; those who forward have real time."""
        self.metrics = Metrics()
        self.upstreams = fresh_upstreams(SystemClock())
        self.recipe = ProxyRecipe(limits=ProxyLimits(**limits), processes=2)
        self.lines: list[bytes] = []
        self.watch = Watch()
        self.crew = ForwardingCrew(self.recipe, self.upstreams, self.clock, self.metrics, self.log, watch=self.watch)
        directory = ToldDirectory(self.upstreams)
        node = MeshProxy(directory, self.upstreams, SystemClock(), self.metrics, self.recipe.share)
        self.proxy = CrewedProxy(node, self.crew)
        self.port = 0

    def log(self, lines: bytes, dropped: int) -> None:
        self.lines += lines.splitlines()
        assert not dropped

    async def serve(self, *endpoints: Endpoint, **settings: Any) -> Any:
        """Listen for the service, in both processes when this returns."""
        listener = await self.proxy.listen("127.0.0.1", self.port, WEB)
        self.port = listener.address.port
        self.put(*endpoints, **settings)
        await until(lambda: listening_at(self.port) == 2)
        return listener

    def put(self, *endpoints: Endpoint, **settings: Any) -> None:
        self.upstreams.put(port_spec(WEB, self.port, endpoints, **settings))

    @property
    def worker(self) -> Any:
        return self.crew.status()[0]

    async def answering(self) -> int:
        """Return the worker's pid once it serves."""
        await until(lambda: self.worker["state"] == "answering")
        await until(lambda: listening_at(self.port) == 2)
        return int(self.worker["pid"])

    def of_worker(self) -> int:
        """Return how many requests the worker has answered."""
        return sum(sum(port.codes.values()) for port in self.crew.figures().ports.values())

    def codes(self) -> dict[str, int]:
        requests = self.proxy.status()["requests"]
        return dict(requests[f"{WEB}:{self.port}"]["codes"]) if requests else {}

    async def ask_all(self, clients: int = CLIENTS) -> Counter[bytes]:
        """Return the answers that many clients get, each on a connection of its own."""
        return Counter(await asyncio.gather(*(ask(self.port) for _ in range(clients))))


@pytest.fixture
async def crewed() -> AsyncIterator[Callable[..., Crewed]]:
    async with AsyncExitStack() as stack:

        def make(**limits: Any) -> Crewed:
            made = Crewed(**limits)
            stack.push_async_callback(made.proxy.stop)
            return made

        yield make


@asynccontextmanager
async def backend(body: bytes, gate: asyncio.Event | None = None) -> AsyncIterator[Endpoint]:
    """Answer each request with ``body``; once ``gate`` is set, if there is one."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                if gate is not None:
                    await gate.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Endpoint(*server.sockets[0].getsockname()[:2])
    finally:
        server.close()


async def ask(port: int) -> bytes:
    """Return the body of an answer, or what went wrong."""
    writer = None
    try:
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET)
            return await read_body(reader)
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        return type(error).__name__.encode()
    finally:
        if writer is not None:
            writer.close()


async def read_body(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    return await reader.readexactly(int(head.partition(b"content-length: ")[2].split()[0]))


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


def listening_at(port: int) -> int:
    """Return how many sockets listen at ``port``."""
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(int(words[1].partition(":")[2], 16) == port and words[3] == "0A" for words in lines)


async def test_both_processes_serve_and_their_figures_add_up(crewed):
    async with backend(b"a") as a, backend(b"b") as b:
        it = crewed()
        await it.serve(a, b)
        answers = await it.ask_all()
        assert {abs(answers[body] - CLIENTS // 2) for body in (b"a", b"b")} <= {0, 1}  # each process takes turns
        await until(lambda: it.codes() == {"200": CLIENTS})
        assert 0 < it.of_worker() < CLIENTS
        endpoints = it.proxy.status()["requests"][f"{WEB}:{it.port}"]["endpoints"]
        assert endpoints == {str(a): answers[b"a"], str(b): answers[b"b"]}
        text = it.metrics.render().decode()
        labels = f'code="200",port="{it.port}",service="default/web",transport="tcp"'
        assert f"edgecore_proxy_requests_total{{{labels}}} {CLIENTS}.0" in text
        assert f"edgecore_proxy_connections_total {CLIENTS}.0" in text


async def test_both_processes_follow_each_change_of_the_backends(crewed):
    async with backend(b"a") as a, backend(b"b") as b:
        it = crewed()
        await it.serve(a)
        assert await it.ask_all() == {b"a": CLIENTS}
        for _ in range(100):
            it.put(b)
            it.put(a, b)
        it.put(b)
        async with asyncio.timeout(20):
            while await it.ask_all() != {b"b": CLIENTS}:
                pass
        it.put()
        async with asyncio.timeout(20):
            while any(answer == b"b" for answer in await it.ask_all()):
                pass
        assert all(b"the service has no pods" in answer for answer in await it.ask_all())


async def test_worker_that_is_killed_is_missed_by_nobody_and_started_again(crewed):
    async with backend(b"a") as a:
        it = crewed()
        await it.serve(a)
        pid = await it.answering()
        assert await it.ask_all() == {b"a": CLIENTS}
        await until(lambda: it.codes() == {"200": CLIENTS})
        with capture_logs() as logs:
            os.kill(pid, signal.SIGKILL)
            await until(lambda: it.worker["state"] == "ended")
            assert await it.ask_all() == {b"a": CLIENTS}
            assert it.codes() == {"200": 2 * CLIENTS}
            await it.clock.advance(0.5)
            assert await it.answering() != pid
        before = it.of_worker()
        assert await it.ask_all() == {b"a": CLIENTS}
        await until(lambda: it.codes() == {"200": 3 * CLIENTS})
        assert it.of_worker() > before
        assert it.worker["restarts"] == 1
    assert [entry["exit_code"] for entry in logs if entry["event"] == "proxy_worker_ended"] == [-signal.SIGKILL]


async def test_requests_of_others_are_answered_while_a_worker_is_killed(crewed):
    async with backend(b"a") as a:
        it = crewed()
        await it.serve(a)
        pid = await it.answering()
        answers: Counter[bytes] = Counter()

        async def client() -> None:
            for _ in range(50):
                answers[await ask(it.port)] += 1

        clients = [asyncio.create_task(client()) for _ in range(8)]
        await until(lambda: answers.total() > 100)
        os.kill(pid, signal.SIGKILL)
        await asyncio.gather(*clients)
        lost = answers.total() - answers[b"a"]
        assert lost <= 4 * len(clients)  # those that were in its hands, or came while the system took it apart
        assert await it.ask_all() == {b"a": CLIENTS}


async def test_address_that_is_given_up_is_closed_in_both_while_what_is_served_ends(crewed):
    gate = asyncio.Event()
    async with backend(b"a", gate) as a:
        it = crewed()
        listener = await it.serve(a)
        streams = [await asyncio.open_connection("127.0.0.1", it.port) for _ in range(CLIENTS)]
        for _, writer in streams:
            writer.write(GET)
        await until(lambda: it.proxy.status()["connections"] == CLIENTS)
        listener.close()
        listener.close()
        await until(lambda: listening_at(it.port) == 0)
        gate.set()
        async with asyncio.timeout(20):
            assert {await read_body(reader) for reader, _ in streams} == {b"a"}
            assert {await reader.read() for reader, _ in streams} == {b""}
        for _, writer in streams:
            writer.close()


async def test_address_that_is_given_up_and_wanted_again_at_once_is_served_by_both(crewed):
    async with backend(b"a") as a:
        it = crewed()
        listener = await it.serve(a)
        pid = await it.answering()
        os.kill(pid, signal.SIGSTOP)
        try:
            for _ in range(3):
                listener.close()
                listener = await it.proxy.listen("127.0.0.1", it.port, WEB)
        finally:
            os.kill(pid, signal.SIGCONT)
        done = it.of_worker()
        await until(lambda: listening_at(it.port) == 2)
        async with asyncio.timeout(30):
            while it.of_worker() == done:
                ends = {b"ConnectionResetError", b"IncompleteReadError"}  # what the worker had not accepted yet
                assert set(await it.ask_all()) <= {b"a", *ends}
        assert await it.ask_all() == {b"a": CLIENTS}


async def test_address_of_another_program_is_refused_even_if_that_shares_it(crewed):
    async with backend(b"a") as a:
        one, other = crewed(), crewed()
        await one.serve(a)
        with pytest.raises(ListenError) as caught:
            await other.proxy.listen("127.0.0.1", one.port, WEB)
        assert caught.value.reason == "in_use"


async def test_plain_listener_is_the_nodes_alone(crewed):
    it = crewed()
    listener = await it.proxy.listen("127.0.0.1", 0, None)
    it.port = listener.address.port
    await until(lambda: it.worker["state"] == "answering")
    assert listening_at(it.port) == 1


async def test_bad_input_of_clients_is_counted_and_told_by_the_node(crewed):
    async with backend(b"a") as a:
        it = crewed()
        await it.serve(a)
        with capture_logs() as logs:
            for _ in range(CLIENTS):
                reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
                writer.write(b"\0\r\n\r\n")
                async with asyncio.timeout(20):
                    await reader.read()
                writer.close()
            await until(lambda: sum(it.proxy.status()["errors"].values()) == CLIENTS)
            await it.proxy.stop()
        assert sum(it.metrics.bad_input_counts.values()) == CLIENTS
        assert {entry["module"] for entry in logs if entry["event"] == "bad_input"} == {"edgemesh.proxy"}


async def test_access_log_of_a_worker_is_the_nodes(crewed):
    async with backend(b"a") as a:
        it = crewed()
        await it.serve(a, handling="bytes")
        await it.ask_all()
        await until(it.of_worker)
        await it.proxy.stop()
        lines = [json.loads(line) for line in it.lines]
        assert len(lines) == it.of_worker()
        assert {(line["service"], line["backend"], line["protocol"]) for line in lines} == {(str(WEB), str(a), "tcp")}


async def test_requests_of_a_worker_are_shown_while_somebody_looks(crewed):
    rig = crewed()
    shown: list[ProxiedRequest] = []
    async with backend(b"one") as one:
        await rig.serve(one)
        await rig.answering()
        rig.watch.request = shown.append
        rig.proxy._proxy.show(shown.append)
        async with asyncio.timeout(20):
            while len(shown) != CLIENTS:  # the worker may not have been told in time that somebody looks
                shown.clear()
                await rig.ask_all()
                await asyncio.sleep(2 * BATCH_EVERY_S)
        rig.proxy._proxy.show(None)
        rig.watch.request = None
        shown_then = len(shown)
        await rig.ask_all()
    assert {(told.service, told.handling, told.status) for told in shown} == {(f"{WEB}:{rig.port}", "http", 200)}
    assert {told.head for told in shown} == {GET.decode()}
    assert {told.backend for told in shown} == {f"{one} {one}"}
    assert len(shown) == shown_then


async def test_checks_of_the_node_count_in_the_worker(crewed):
    async with backend(b"a") as a, backend(b"b") as b:
        it = crewed()
        policy = Policy(checks="tcp", panic_share=0.0)
        await it.serve(a, b, policy=policy)
        await it.answering()
        upstream = it.upstreams.get((WEB, it.port, "tcp"))
        assert upstream is not None
        upstream.hosts[a].checked = False
        upstream.refresh()
        await it.clock.advance(1.0)
        async with asyncio.timeout(20):
            while await it.ask_all() != {b"b": CLIENTS}:
                pass
        upstream.hosts[a].checked = True
        upstream.refresh()
        await it.clock.advance(1.0)
        done = it.of_worker()
        async with asyncio.timeout(20):
            while it.of_worker() == done or len(await it.ask_all()) == 1:
                await it.ask_all()


async def test_worker_that_is_started_again_knows_what_the_checks_said(crewed):
    async with backend(b"a") as a, backend(b"b") as b:
        it = crewed()
        await it.serve(a, b, policy=Policy(checks="tcp", panic_share=0.0))
        pid = await it.answering()
        upstream = it.upstreams.get((WEB, it.port, "tcp"))
        assert upstream is not None
        upstream.hosts[a].checked = False
        upstream.refresh()
        await it.clock.advance(1.0)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: it.worker["state"] == "ended")
        await it.clock.advance(0.5)
        await it.answering()
        assert await it.ask_all() == {b"b": CLIENTS}
        await until(lambda: it.of_worker() > 0)


async def test_stop_leaves_no_process_and_frees_the_port_with_clients_in_the_middle(crewed):
    gate = asyncio.Event()
    async with backend(b"a", gate) as a:
        it = crewed()
        await it.serve(a)
        pid = await it.answering()
        streams = [await asyncio.open_connection("127.0.0.1", it.port) for _ in range(CLIENTS)]
        for _, writer in streams:
            writer.write(GET)
        await until(lambda: it.proxy.status()["connections"] == CLIENTS)
        async with asyncio.timeout(20):
            await it.proxy.stop()
            await it.proxy.stop()
            assert {await over(reader) for reader, _ in streams} == {True}
        for _, writer in streams:
            writer.close()
        assert not Path(f"/proc/{pid}").exists()
        assert listening_at(it.port) == 0
        gate.set()


async def over(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def test_stop_while_a_worker_is_starting_leaves_no_process(crewed):
    it = crewed()
    await it.proxy.listen("127.0.0.1", 0, WEB)
    await until(lambda: it.worker["pid"])
    pid = it.worker["pid"]
    await it.proxy.stop()
    assert not Path(f"/proc/{pid}").exists()


NODE = """
import asyncio, sys
from tests.integration.edgemesh.proxy.test_workers import WEB, Crewed

async def run():
    it = Crewed()
    await it.proxy.listen("127.0.0.1", 0, WEB)
    while it.worker["state"] != "answering":
        await asyncio.sleep(0.005)
    print(it.worker["pid"], flush=True)
    await asyncio.Event().wait()

asyncio.run(run())
"""


@pytest.mark.parametrize("stands_still", [False, True])
async def test_worker_ends_with_a_node_that_is_killed(stands_still):
    command = (sys.executable, "-c", NODE)
    node = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert node.stdout is not None
    line = await node.stdout.readline()
    while not line.strip().isdigit():  # of the log
        line = await node.stdout.readline()
    pid = int(line)
    if stands_still:
        os.kill(pid, signal.SIGSTOP)
    node.kill()
    await node.communicate()
    await until(lambda: has_ended(pid))


def has_ended(pid: int) -> bool:
    """Say whether a process is gone, or a zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def test_all_processes_together_serve_as_many_clients_at_a_time_as_the_limit_says(crewed):
    gate = asyncio.Event()
    async with backend(b"a", gate) as a:
        it = crewed(max_connections=64)
        gate.set()
        await it.serve(a)
        await it.answering()
        gate.clear()  # who has had an answer could be sent away for the next one
        streams = [await asyncio.open_connection("127.0.0.1", it.port) for _ in range(4 * 64)]
        try:
            for _, writer in streams:
                writer.write(GET)
            asked = [asyncio.create_task(served(reader)) for reader, _ in streams]
            await until(lambda: sum(task.done() for task in asked) >= 3 * 64)
            gate.set()
            assert 32 < (await asyncio.gather(*asked)).count(True) <= 64
        finally:
            for _, writer in streams:
                writer.close()


async def served(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(20):
            return (await reader.readuntil(b"\r\n")).split()[1] == b"200"
    except (ConnectionError, asyncio.IncompleteReadError):
        return False
