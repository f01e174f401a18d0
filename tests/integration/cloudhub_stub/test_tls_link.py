"""The websocket port with TLS: who comes in, who does not and learns why, and the whole way from token to message."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from cloudhub_stub.app import Stub
from cloudhub_stub.certificates.identity import load_identity
from cloudhub_stub.errors import StubError
from cloudhub_stub.settings import CertificateFiles
from edgecore.clock import SystemClock
from edgecore.errors import ConfigError, ListenError

SUITE = "ECDHE-ECDSA-AES128-GCM-SHA256"


@pytest.fixture
async def stub(make_stub: Any) -> Stub:
    made: Stub = await make_stub(plain=False, https="127.0.0.1:0")
    return made


@pytest.fixture
async def joined(stub: Stub, joiner: Any) -> Any:
    await joiner.join(stub)
    return joiner


def counted(stub: Stub) -> dict[str, int]:
    return {reason: number for (_, reason), number in stub.metrics.bad_input_counts.items()}


async def refused(stub: Stub, context: ssl.SSLContext) -> str:
    """Connect, and return what TLS says to that."""
    with pytest.raises(ssl.SSLError) as caught:
        await _read_one_answer(stub, context)
    return str(caught.value.reason)


async def _read_one_answer(stub: Stub, context: ssl.SSLContext) -> None:
    """In TLS 1.3 the client's handshake is over before the server has seen its certificate: the alert comes later."""
    host, _, port = stub.server.url.rpartition("/")[2].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    try:
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.read()
    finally:
        writer.transport.abort()


async def test_an_edge_joins_and_registers(stub: Stub, joined: Any, make_edge: Any) -> None:
    edge = await make_edge(stub, tls=joined.context(joined.certificate))
    answer = await edge.ask("insert", "default/nodestatus/edge-1", {"metadata": {"name": "edge-1"}})
    assert answer["content"] == "OK"
    assert stub.status()["nodes_connected"] == ["edge-1"]
    assert stub.status()["certificates_given"] == 1


async def test_both_urls_are_told_with_the_ports_that_were_found(stub: Stub) -> None:
    status = stub.status()
    assert status["listen"].startswith("wss://127.0.0.1:")
    assert status["https"].startswith("https://127.0.0.1:")
    assert not {status["listen"], status["https"]} & {"wss://127.0.0.1:0", "https://127.0.0.1:0"}
    assert status["token_expires_at"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_versions_of_tls_come_in_and_no_other_protocol_is_agreed_on(
    stub: Stub, joined: Any, make_edge: Any, version: ssl.TLSVersion
) -> None:
    context = joined.context(joined.certificate)
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    edge = await make_edge(stub, tls=context)
    tls = edge.connection.transport.get_extra_info("ssl_object")
    assert tls.version() == version.name.replace("v1_", "v1.")
    assert tls.selected_alpn_protocol() != "h2"
    if version == ssl.TLSVersion.TLSv1_2:
        assert tls.cipher()[0] == SUITE


async def test_another_suite_of_tls_1_2_is_refused(stub: Stub, joined: Any) -> None:
    context = joined.context(joined.certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305")
    assert "HANDSHAKE_FAILURE" in await refused(stub, context)
    assert counted(stub) == {"no_common_tls": 1}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_without_a_certificate_nobody_comes_in_and_the_alert_says_so(
    stub: Stub, joined: Any, version: ssl.TLSVersion
) -> None:
    context = joined.context()
    context.minimum_version = context.maximum_version = version
    alert = {
        ssl.TLSVersion.TLSv1_2: "SSLV3_ALERT_HANDSHAKE_FAILURE",
        ssl.TLSVersion.TLSv1_3: "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    }
    assert await refused(stub, context) == alert[version]
    assert counted(stub) == {"no_certificate": 1}


async def test_a_certificate_of_another_ca_is_refused(stub: Stub, joined: Any, tmp_path: Path) -> None:
    now_s = SystemClock().now_ms() / 1000
    other = load_identity(tmp_path / "other", [], CertificateFiles(), now_s).authority
    alert = await refused(stub, joined.context(other.sign(joined.csr, now_s, 1).certificate))
    assert alert == "TLSV1_ALERT_UNKNOWN_CA"
    assert counted(stub) == {"bad_certificate": 1}


async def test_an_expired_certificate_is_refused(stub: Stub, joined: Any) -> None:
    identity = load_identity(stub.joining.tokens.path.parent / "pki", [], CertificateFiles(), 1_589_000_000)
    old = identity.authority.sign(joined.csr, 1_589_000_000, 1).certificate
    assert await refused(stub, joined.context(old)) == "SSLV3_ALERT_CERTIFICATE_EXPIRED"
    assert counted(stub) == {"bad_certificate": 1}


async def test_a_server_certificate_opens_no_link(stub: Stub, joined: Any, tmp_path: Path) -> None:
    context = joined.context()
    context.load_cert_chain(tmp_path / "pki" / "server.crt", tmp_path / "pki" / "server.key")
    assert "ALERT" in await refused(stub, context)
    assert counted(stub) == {"bad_certificate": 1}


async def test_a_certificate_is_refused_on_demand_and_not_the_one_after(
    stub: Stub, joined: Any, make_edge: Any
) -> None:
    stub.joining.refuse(1)
    assert await refused(stub, joined.context(joined.certificate)) == "TLSV1_ALERT_UNKNOWN_CA"
    await make_edge(stub, tls=joined.context(joined.certificate))
    assert stub.status()["certificates_refused_on_demand"] == 1


async def test_a_client_that_speaks_no_tls_is_refused_and_counted(stub: Stub, turns: Any) -> None:
    host, _, port = stub.server.url.rpartition("/")[2].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.read()
    writer.transport.abort()
    await turns(lambda: bool(counted(stub)))
    assert counted(stub) == {"no_tls": 1}


async def test_the_certificate_of_the_server_is_for_what_is_advertised(make_stub: Any, joiner: Any) -> None:
    stub = await make_stub(plain=False, https="127.0.0.1:0", advertise=("cloud.example", "192.0.2.7"))
    await joiner.join(stub)
    host, _, port = stub.server.url.rpartition("/")[2].rpartition(":")
    for name in ("cloud.example", "192.0.2.7", "localhost", "127.0.0.1"):
        _, writer = await asyncio.open_connection(
            host, int(port), ssl=joiner.context(joiner.certificate), server_hostname=name
        )
        writer.transport.abort()
    with pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for 'other\.example'"):
        await asyncio.open_connection(host, int(port), ssl=joiner.context(), server_hostname="other.example")


async def test_after_a_restart_edges_come_in_with_what_they_have(make_stub: Any, joiner: Any, make_edge: Any) -> None:
    first = await make_stub(plain=False, https="127.0.0.1:0")
    await joiner.join(first)
    token = first.joining.tokens.current
    await first.stop()
    second = await make_stub(plain=False, https="127.0.0.1:0")
    await make_edge(second, tls=joiner.context(joiner.certificate))
    assert second.joining.tokens.current == token


async def test_both_listeners_come_back_where_they_were(stub: Stub, joined: Any, make_edge: Any) -> None:
    urls = stub.server.url, stub.joining.url
    await stub.server.stop()
    await stub.joining.stop()
    await stub.joining.start()
    await stub.server.start()
    assert (stub.server.url, stub.joining.url) == urls
    await make_edge(stub, tls=joined.context(joined.certificate))
    await joined.join(stub)
    assert stub.status()["certificates_given"] == 2


async def test_a_token_that_was_taken_back_admits_nobody_and_the_next_one_does(stub: Stub, joined: Any) -> None:
    old = stub.joining.tokens.current.partition(".")[2]
    stub.joining.expire()
    headers = {"Authorization": f"Bearer {old}"}
    assert (await joined.ask(stub.joining.url, "/edge.crt", headers=headers, body=joined.csr)).status == 401
    await joined.join(stub)


async def test_a_refusal_on_demand_is_a_fault_of_tls_alone(make_stub: Any) -> None:
    plain = await make_stub()
    with pytest.raises(StubError, match="the stub runs with --plain"):
        plain.joining.refuse(1)
    with pytest.raises(StubError, match="the stub runs with --plain"):
        plain.joining.expire()


async def test_a_stub_whose_https_port_is_taken_starts_nothing(make_stub: Any, stub: Stub, tmp_path: Path) -> None:
    taken = stub.status()["https"].removeprefix("https://")
    with pytest.raises(ListenError, match="choose another port with --https"):
        await make_stub(plain=False, https=taken, state_dir=tmp_path / "second")
    assert not (tmp_path / "second" / "control.sock").exists()


async def test_a_stub_whose_link_port_is_taken_leaves_its_https_port(
    make_stub: Any, stub: Stub, tmp_path: Path
) -> None:
    taken = stub.server.url.removeprefix("wss://")
    with pytest.raises(ListenError, match="another program listens there"):
        await make_stub(plain=False, https="127.0.0.1:0", listen=taken, state_dir=tmp_path / "second")


async def test_files_that_cannot_be_used_stop_the_start(make_stub: Any, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("junk")
    files = CertificateFiles(ca=tmp_path / "ca.crt", ca_key=tmp_path / "ca.crt")
    with pytest.raises(ConfigError, match="there is no PEM certificate in it"):
        await make_stub(plain=False, https="127.0.0.1:0", certificate_files=files)
    assert not (tmp_path / "control.sock").exists()
