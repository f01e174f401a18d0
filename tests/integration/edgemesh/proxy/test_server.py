"""Listeners: where they listen, whom they serve, how they end; and what the proxy says of itself."""

import errno
import socket

import pytest

from edgecore.errors import ListenError
from edgecore.modules.edgemesh.names import Refusal, ServiceKey
from edgecore.modules.edgemesh.proxy.entrance.loopacceptor import LoopAcceptor

OTHER = ServiceKey("kube-system", "other")


async def test_listener_says_where_it_listens(rig, nginx) -> None:
    listener = await rig.proxy.listen("127.0.0.2", 0, nginx)
    assert (listener.address.host, listener.service) == ("127.0.0.2", nginx)
    assert listener.address.port > 0


async def test_listener_of_a_service_ignores_the_host_header(rig, nginx) -> None:
    await rig.backend()
    listener = await rig.listen(nginx)
    client = await rig.connect(listener)
    await client.send(b"GET / HTTP/1.1\r\nHost: other.kube-system:9\r\n\r\n")
    assert (await client.answer())[0] == 200
    assert set(rig.directory.asked) == {(nginx, listener.address.port)}


async def test_absolute_target_on_a_listener_of_a_service_goes_to_that_service(rig, nginx) -> None:
    backend = await rig.backend()
    client = await rig.client()
    await client.send(b"GET http://other:9/abs HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await client.answer())[2] == b"GET /abs body=0\n"
    assert backend.requests[0].values(b"host") == [b"other:9"]


@pytest.mark.parametrize(
    ("request_text", "port"),
    [
        (b"GET / HTTP/1.1\r\nHost: nginx-svc.default:12345\r\n\r\n", 12345),
        (b"GET / HTTP/1.1\r\nHost: nginx-svc\r\n\r\n", 80),
        (b"GET http://nginx-svc.default.svc.cluster.local:12345/ HTTP/1.1\r\nHost: lie:1\r\n\r\n", 12345),
        (b"GET http://nginx-svc/ HTTP/1.0\r\n\r\n", 80),
    ],
)
async def test_plain_listener_goes_by_what_the_request_says(rig, nginx, request_text: bytes, port: int) -> None:
    await rig.backend()
    client = await rig.connect(await rig.listen(None))
    await client.send(request_text)
    assert (await client.answer())[2] == b"GET / body=0\n"
    assert rig.directory.asked == [(nginx, port)]


async def test_requests_of_one_plain_connection_may_go_to_different_services(rig) -> None:
    await rig.backend()
    rig.directory.services[OTHER] = Refusal(503, "no_pods", "cannot reach other")
    client = await rig.connect(await rig.listen(None))
    for host, status in ((b"nginx-svc", 200), (b"other.kube-system", 503), (b"nginx-svc", 200)):
        await client.send(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host)
        assert (await client.answer())[0] == status


async def test_unknown_service_is_refused_and_the_connection_kept(rig) -> None:
    client = await rig.connect(await rig.listen(None))
    for _ in range(2):
        await client.send(b"GET / HTTP/1.1\r\nHost: nosuch:1\r\n\r\n")
        status, headers, body = await client.answer()
        assert (status, headers[b"X-Edgecore-Reason"]) == (503, b"unknown_service")
        assert body == b"cannot reach nosuch:1: unknown\n"


async def test_plain_request_that_names_no_host_is_400(rig) -> None:
    client = await rig.connect(await rig.listen(None))
    await client.send(b"GET / HTTP/1.0\r\n\r\n")
    status, headers, _ = await client.answer()
    assert (status, headers[b"X-Edgecore-Reason"]) == (400, b"no_host")


async def test_port_in_use_cannot_be_listened_at(rig, nginx) -> None:
    taken = await rig.listen()
    with pytest.raises(ListenError, match=r"cannot listen on 127\.0\.0\.1:") as caught:
        await rig.proxy.listen("127.0.0.1", taken.address.port, nginx)
    assert caught.value.reason == "in_use"


async def test_port_that_a_wildcard_listener_holds_cannot_be_listened_at(rig, nginx) -> None:
    with socket.socket() as wildcard:
        wildcard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wildcard.bind(("0.0.0.0", 0))
        wildcard.listen()
        with pytest.raises(ListenError) as caught:
            await rig.proxy.listen("127.0.0.9", wildcard.getsockname()[1], nginx)
    assert caught.value.reason == "in_use"


@pytest.mark.parametrize(
    ("address", "reason"),
    [("192.0.2.1", "no_such_address"), ("not an address", "failed")],
)
async def test_address_that_is_not_here_cannot_be_listened_at(rig, nginx, address: str, reason: str) -> None:
    with pytest.raises(ListenError) as caught:
        await rig.proxy.listen(address, 0, nginx)
    assert caught.value.reason == reason


async def test_no_file_for_accepting_is_no_listener_and_nothing_stays_open(rig, nginx, monkeypatch) -> None:
    async def scarce(_acceptor: LoopAcceptor) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with monkeypatch.context() as patched:
        patched.setattr(LoopAcceptor, "start", scarce)
        with pytest.raises(ListenError) as refusal:
            await rig.proxy.listen("127.0.0.1", port, nginx)
    assert refusal.value.reason == "failed"
    await rig.proxy.listen("127.0.0.1", port, nginx)


async def test_closed_listener_frees_its_port_and_its_idle_clients(rig, nginx) -> None:
    await rig.backend()
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.get()
    listener.close()
    listener.close()
    assert await client.rest() == b""
    again = await rig.proxy.listen(*listener.address, nginx)
    assert (await (await rig.connect(again)).get())[0] == 200


async def test_closed_listener_lets_the_request_that_it_serves_end(rig) -> None:
    backend = await rig.backend()
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
    await rig.until(lambda: backend.open)
    listener.close()
    await client.send(b"b")
    status, headers, _ = await client.answer()
    assert (status, headers[b"Connection"]) == (200, b"close")
    assert await client.rest() == b""


async def test_proxy_can_be_stopped_twice(rig) -> None:
    await rig.backend()
    client = await rig.client()
    await client.get()
    await rig.proxy.stop()
    await rig.proxy.stop()
    assert await client.rest() == b""


async def test_status_tells_what_was_served_and_by_whom(rig, nginx) -> None:
    backends = [await rig.backend(host=f"127.0.0.{number}") for number in (2, 3)]
    listener = await rig.listen()
    client = await rig.connect(listener)
    for _ in range(4):
        await client.get()
    status = rig.proxy.status()
    assert status["connections"] == 1
    assert status["requests"] == {
        f"default/nginx-svc:{listener.address.port}": {
            "codes": {"200": 4},
            "endpoints": {str(backend.endpoint): 2 for backend in backends},
        }
    }


async def test_metrics_tell_the_same(rig) -> None:
    backend = await rig.backend()
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.get()
    await client.send(b"rubbish")
    await client.answer()
    text = rig.metrics.render().decode()
    port = listener.address.port
    place = f'port="{port}",service="default/nginx-svc",transport="tcp"'
    requests = f'edgecore_proxy_requests_total{{code="200",{place}}} 1.0'
    sent = f'{{endpoint="{backend.endpoint}",pod="{backend.endpoint}",{place}}} 1.0'
    assert requests in text
    assert f"edgecore_proxy_backend_requests_total{sent}" in text
    assert 'edgecore_proxy_errors_total{reason="not_http"} 1.0' in text
    assert "edgecore_proxy_open_connections 1.0" in text
    assert "edgecore_proxy_idle_backend_connections 1.0" in text
