"""Several processes that answer at one address."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from dnslib import DNSRecord
from structlog.testing import capture_logs

from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published
from edgecore.modules.edgemesh.workers.relay import BATCH_EVERY_S
from edgecore.recording.watch import Watch

pytestmark = pytest.mark.timeout(120)

WEB = bytes(DNSRecord.question("web.default.svc.cluster.local").pack())
DB = bytes(DNSRecord.question("db.prod.svc.cluster.local").pack())
OTHER = bytes(DNSRecord.question("www.example").pack())
SOCKETS = 48
"""So many clients: that all of them have the same process answer is as likely as that many heads in a row."""


@pytest.fixture
def two(running, names):
    """``async with two() as server``: as ``running``, with one worker, which answers when this begins."""
    names.remove(ServiceKey("default", "web"))

    def run(**settings: Any) -> Any:
        return running(processes=2, **settings)

    return run


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


async def answering(server: Any) -> int:
    """Return the worker's pid once it answers."""
    await until(lambda: server.status()["workers"][0]["state"] == "answering")
    pid = server.status()["workers"][0]["pid"]
    await until(lambda: sockets_at(server.addresses[0][1]) == 2)
    return int(pid)


def sockets_at(port: int) -> int:
    """Return how many UDP sockets are bound to ``port``."""
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return sum(int(line.split()[1].partition(":")[2], 16) == port for line in lines)


async def ask_all(server: Any, packet: bytes) -> list[bytes]:
    """Return the replies that many clients get."""
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(SOCKETS)]
        for client in clients:
            client.setblocking(False)
            client.connect(server.addresses[0])
            client.send(packet)
        async with asyncio.timeout(20):
            return [await loop.sock_recv(client, 512) for client in clients]


def worker_count(server: Any, outcome: str = "answered") -> int:
    return int(server._crew.figures().get("queries", {}).get(outcome, 0))


async def test_both_processes_answer_and_know_of_each_change(two):
    async with two() as server:
        server.feed.set(Published(ServiceKey("default", "web"), "127.251.0.1"))
        await answering(server)
        assert {reply[-4:] for reply in await ask_all(server, WEB)} == {b"\x7f\xfb\0\1"}
        await until(lambda: worker_count(server))
        for number in range(2, 201):
            server.feed.set(Published(ServiceKey("default", "web"), f"127.251.0.{number}"))
            server.feed.remove(ServiceKey("prod", "db"))
            server.feed.set(Published(ServiceKey("prod", "db"), f"127.251.1.{number}"))
        latest = {b"\x7f\xfb\0\xc8"}
        async with asyncio.timeout(20):
            while {reply[-4:] for reply in await ask_all(server, WEB)} != latest:
                pass
        assert {reply[-4:] for reply in await ask_all(server, DB)} == {b"\x7f\xfb\1\xc8"}
        assert {reply[-4:] for reply in await ask_all(server, WEB)} == latest


async def test_counts_are_those_of_both(two, metrics):
    async with two() as server:
        server.feed.set(Published(ServiceKey("default", "web"), "127.251.0.1"))
        await answering(server)
        await ask_all(server, WEB)
        await until(lambda: server.counts["answered"] == SOCKETS)
        assert 0 < worker_count(server) < SOCKETS
        assert f'edgecore_dns_queries_total{{outcome="answered"}} {SOCKETS}.0'.encode() in metrics.render()


async def test_answers_of_both_are_shown_while_somebody_looks(two):
    watch, shown = Watch(), []
    async with two(watch=watch) as server:
        server.feed.set(Published(ServiceKey("default", "web"), "127.251.0.1"))
        await answering(server)
        await ask_all(server, WEB)
        watch.dns = lambda *told: shown.append(told)
        async with asyncio.timeout(20):
            while len(shown) != SOCKETS:  # the worker may not have been told in time that somebody looks
                shown.clear()
                await ask_all(server, WEB)
                await asyncio.sleep(2 * BATCH_EVERY_S)
        assert {(told[1], told[2], told[3][-4:]) for told in shown} == {("udp", WEB, b"\x7f\xfb\0\1")}
        assert len({told[0] for told in shown}) == len(shown)

        watch.dns = None
        shown.clear()
        await ask_all(server, WEB)
    assert shown == []


async def test_queries_to_a_name_server_are_those_of_both(two, upstream):
    server_outside = await upstream()
    async with two(upstreams=[server_outside.address]) as server:
        await answering(server)
        await ask_all(server, OTHER)
        await until(lambda: worker_count(server, "forwarded"))
        await until(lambda: server.status()["upstreams"][0]["queries"] == len(server_outside.queries) >= 2)
        assert server.status()["upstreams"][0]["answers"] >= 2


async def test_worker_that_is_killed_is_missed_by_nobody_and_started_again_with_all_names(two, clock):
    async with two() as server:
        server.feed.set(Published(ServiceKey("default", "web"), "127.251.0.1"))
        pid = await answering(server)
        await ask_all(server, WEB)
        await until(lambda: server.counts["answered"] == SOCKETS)
        with capture_logs() as logs:
            os.kill(pid, signal.SIGKILL)
            await until(lambda: server.status()["workers"][0]["state"] == "ended")
            server.feed.set(Published(ServiceKey("prod", "db"), "127.251.0.2"))
            assert {reply[-4:] for reply in await ask_all(server, WEB)} == {b"\x7f\xfb\0\1"}
            assert server.counts["answered"] == 2 * SOCKETS
            await clock.advance(0.5)
            assert await answering(server) != pid
        assert {reply[-4:] for reply in await ask_all(server, DB)} == {b"\x7f\xfb\0\2"}
        await until(lambda: server.counts["answered"] == 3 * SOCKETS)
        assert server.status()["workers"][0]["restarts"] == 1
    ended = [entry for entry in logs if entry["event"] == "dns_worker_ended"]
    assert [entry["exit_code"] for entry in ended] == [-signal.SIGKILL]


async def test_worker_that_stands_still_is_killed_and_started_again(two, clock):
    async with two() as server:
        pid = await answering(server)
        os.kill(pid, signal.SIGSTOP)
        with capture_logs() as logs:
            async with asyncio.timeout(60):
                while not server.status()["workers"][0]["restarts"]:
                    await clock.advance(1.0)
                    await asyncio.sleep(0.005)  # what it said before is heard
            assert await answering(server) != pid
    killed = [entry for entry in logs if entry["event"] == "dns_worker_killed"]
    assert [(entry["pid"], entry["reason"]) for entry in killed] == [(pid, "it said nothing for 15 s")]


async def test_bad_packets_and_failures_of_a_worker_are_told_by_the_node(two, metrics):
    async with two() as server:
        await answering(server)
        with capture_logs() as logs:
            await ask_all(server, WEB[:-2])
            await ask_all(server, OTHER)
            await until(lambda: server.counts["formerr"] == server.counts["failed"] == SOCKETS)
            await server.stop()
        assert sum(server.status()["bad_packets"].values()) == SOCKETS
        assert metrics.bad_input_counts == {("edgemesh.dns", "truncated_question"): SOCKETS}
    assert {entry["reason"] for entry in logs if entry["event"] == "dns_query_failed"} == {"no_upstream"}


async def test_signals_of_a_terminal_and_a_service_manager_are_left_to_the_node(two):
    async with two() as server:
        pid = await answering(server)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
        await until(lambda: worker_count(server, "nodata") == 0)
        await ask_all(server, WEB)
        assert server.status()["workers"][0]["pid"] == pid


async def test_stop_leaves_no_process_and_frees_the_port(two, running):
    async with two() as server:
        pid = await answering(server)
        address = server.addresses[0]
        await server.stop()
        await server.stop()
        assert not Path(f"/proc/{pid}").exists()
        assert sockets_at(address[1]) == 0
    async with running(listen=[address]):
        pass


async def test_stop_while_a_worker_is_starting_leaves_no_process(two):
    async with two() as server:
        await until(lambda: server.status()["workers"][0]["pid"])
        pid = server.status()["workers"][0]["pid"]
    assert not Path(f"/proc/{pid}").exists()


async def test_worker_that_comes_to_be_while_all_are_stopped_ends_with_them(running):
    async with running(processes=3) as server:
        first, second = server._crew._members
        await until(lambda: first.pid and second.pid)
        os.kill(first.pid, signal.SIGSTOP)
        second.process.kill()
        await until(lambda: not second.pid)
        starting = asyncio.ensure_future(server._crew._live(second))
        stopping = asyncio.ensure_future(server.stop())
        await until(lambda: second.pid)
        os.kill(first.pid, signal.SIGCONT)
        await asyncio.gather(starting, stopping)
        assert second.process.returncode == 0


async def test_address_that_is_free_later_is_answered_at_by_both(two, running, clock):
    async with running() as other:
        taken = other.addresses[0]
        async with two(listen=[taken]) as server:
            server.feed.set(Published(ServiceKey("default", "web"), "127.251.0.1"))
            assert server.status()["not_listening"][0]["reason"] == "in_use"
            await other.stop()
            await clock.advance(5.0)
            await answering(server)
            await ask_all(server, WEB)
            await until(lambda: worker_count(server))


async def test_second_node_does_not_get_the_port_of_one_with_workers(two):
    async with two() as server:
        await answering(server)
        async with two(listen=[server.addresses[0]]) as second:
            assert second.addresses == ()
            assert second.status()["not_listening"][0]["reason"] == "in_use"
