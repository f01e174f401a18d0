"""Whole proxy on loopback."""

async def test_request_is_answered_by_the_backend(rig) -> None:
    backend = await rig.backend()
    client = await rig.client()
    status, headers, body = await client.get("/hello")
    assert (status, body) == (200, b"GET /hello body=0\n")
    assert backend.requests[0].values(b"host") == [b"nginx-svc.default:12345"]
