"""A real client: curl, directly and with the proxy as its forward proxy."""

import asyncio

import pytest

pytestmark = pytest.mark.needs_curl


async def curl(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "--max-time", "10", "--noproxy", "", *arguments, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


async def test_curl_of_a_service_address_is_answered_twice_on_one_connection(rig) -> None:
    await rig.backend()
    listener = await rig.listen()
    url = f"http://{listener.address}"
    assert await curl(f"{url}/1", f"{url}/2") == "GET /1 body=0\nGET /2 body=0\n"


async def test_curl_reaches_a_service_by_name_with_the_plain_listener_as_its_proxy(rig, nginx) -> None:
    await rig.backend()
    listener = await rig.listen(None)
    url = "http://nginx-svc.default.svc.cluster.local:12345/a"
    assert await curl("-x", f"http://{listener.address}", url) == "GET /a body=0\n"
    assert rig.directory.asked == [(nginx, 12345)]


async def test_curl_uploads_with_expect_and_chunks(rig, tmp_path) -> None:
    backend = await rig.backend()
    listener = await rig.listen()
    big = tmp_path / "big"
    big.write_bytes(bytes(3_000_000))
    for headers in ([], ["-H", "Transfer-Encoding: chunked"]):
        sent = await curl("-T", str(big), "-H", "Expect: 100-continue", *headers, f"http://{listener.address}/put")
        assert sent == "PUT /put body=3000000\n"
    assert [len(request.body) for request in backend.requests] == [3_000_000, 3_000_000]


async def test_curl_gets_the_head_alone_and_speaks_http_1_0(rig) -> None:
    await rig.backend()
    listener = await rig.listen()
    assert (await curl("-I", f"http://{listener.address}/")).startswith("HTTP/1.1 200 OK\r\nContent-Length: 14\r\n")
    assert await curl("-0", f"http://{listener.address}/") == "GET / body=0\n"


async def test_curl_that_offers_http_2_is_served_with_http_1_1(rig) -> None:
    backend = await rig.backend()
    listener = await rig.listen()
    assert await curl("--http2", f"http://{listener.address}/") == "GET / body=0\n"
    assert backend.requests[0].values(b"upgrade") == []
