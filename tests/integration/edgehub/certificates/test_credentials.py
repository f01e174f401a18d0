"""What EdgeHub asks before each dial, and what runs beside a session: certificates there in time."""

import asyncio
import random
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.clock import VirtualClock
from edgecore.errors import EnrolmentError, LinkError
from edgecore.modules.edgehub.certificates.authority import Authority
from edgecore.modules.edgehub.certificates.credentials import DAY_S, RETRY_S, Credentials
from edgecore.modules.edgehub.certificates.keyfiles import KeyFiles
from edgecore.modules.edgehub.certificates.x509 import new_key, request_of, to_pem

START = datetime(2020, 5, 9, tzinfo=UTC)
"""About where the virtual clock begins."""
LIFETIME = timedelta(days=100)

Make = Callable[..., Credentials]


@pytest.fixture
def files(tmp_path: Path) -> KeyFiles:
    return KeyFiles(tmp_path / "ca/rootCA.crt", tmp_path / "certs/server.crt", tmp_path / "certs/server.key")


@pytest.fixture
def credentials(certificate_cloud: Any, files: KeyFiles, vclock: VirtualClock) -> Make:
    def make(token: str = "", version: str = "1.3.1") -> Credentials:
        return Credentials(
            files,
            Authority(certificate_cloud.url),
            token,
            clock=vclock,
            jitter=random.Random(1),
            cloud_version=version,
            node="edge-node1",
        )

    return make


@pytest.fixture
def enrolled(files: KeyFiles, authority: Any) -> Callable[[int], bytes]:
    """enrolled(age in days): put files with a certificate of 100 days there; returns the certificate."""

    def put(age_days: int) -> bytes:
        key = new_key()
        certificate = authority.sign(request_of(key), LIFETIME, START - timedelta(days=age_days))
        files.store(ca=authority.pem, certificate=to_pem(certificate), key=key)
        return to_pem(certificate)

    return put


@pytest.fixture
def short_lived(certificate_cloud: Any, vclock: VirtualClock) -> None:
    """Have the cloud issue certificates of 100 days from now on."""
    certificate_cloud.sign = lambda request: certificate_cloud.authority.sign(
        request, LIFETIME, datetime.fromtimestamp(vclock.now_ms() // 1000, UTC)
    )


async def test_files_that_are_missing_are_applied_for_once(
    credentials: Make, authority: Any, certificate_cloud: Any
) -> None:
    ours = credentials(authority.token())
    assert isinstance(await ours.ready(), ssl.SSLContext)
    await ours.ready()
    assert certificate_cloud.paths == ["/ca.crt", "/edge.crt"]
    assert ours.status()["valid_until"].startswith("2119-")


async def test_files_that_are_there_are_used_without_asking_whatever_the_token(
    credentials: Make, enrolled: Callable[[int], bytes], certificate_cloud: Any, other_authority: Any
) -> None:
    enrolled(0)
    await credentials(other_authority.token()).ready()
    assert certificate_cloud.requests == []


async def test_the_context_connects_where_the_cloud_wants_a_certificate(
    credentials: Make, authority: Any, tmp_path: Path
) -> None:
    context = await credentials(authority.token()).ready()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*authority.server_files(tmp_path))
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(cadata=authority.pem.decode())
    assert _shaken(server, context)["subject"][-1] == (("commonName", "kubeedge.io"),)


async def test_without_files_and_token_it_is_said_what_to_do(credentials: Make, files: KeyFiles) -> None:
    with pytest.raises(EnrolmentError) as caught:
        await credentials().ready()
    assert "modules.edgeHub.token is empty (missing: " in str(caught.value)
    assert str(files.key) in str(caught.value)
    assert "`edgecore join --help` tells how to get a token" in str(caught.value)


async def test_a_cloud_that_cannot_be_reached_is_a_failed_dial_and_later_all_is_well(
    credentials: Make, authority: Any, certificate_cloud: Any
) -> None:
    await certificate_cloud.stop()
    ours = credentials(authority.token())
    with pytest.raises(LinkError, match="connection refused"):
        await ours.ready()
    await certificate_cloud.start()
    await ours.ready()


@pytest.mark.parametrize("spoilt", ["ca", "certificate", "key"])
async def test_a_file_that_is_no_good_is_applied_for_anew(
    spoilt: str, credentials: Make, files: KeyFiles, enrolled: Callable[[int], bytes], authority: Any
) -> None:
    enrolled(0)
    getattr(files, spoilt).write_text("rubbish")
    with capture_logs() as logs:
        await credentials(authority.token()).ready()
    assert [entry["event"] for entry in logs] == ["certificate_files_unusable", "certificate_issued"]
    assert files.held().fault == ""


async def test_a_pair_that_does_not_match_without_a_token_is_a_failed_dial(
    credentials: Make, files: KeyFiles, enrolled: Callable[[int], bytes]
) -> None:
    enrolled(0)
    files.key.write_bytes(new_key())
    with pytest.raises(LinkError, match="the certificate is for another key"):
        await credentials().ready()


async def test_an_old_certificate_is_renewed_by_itself_where_the_cloud_can(
    credentials: Make, files: KeyFiles, enrolled: Callable[[int], bytes], certificate_cloud: Any
) -> None:
    old = enrolled(91)
    await credentials(version="1.4.0").ready()
    (request,) = certificate_cloud.requests
    assert request.path == "/edge.crt"
    assert request.headers["NodeName"] == "edge-node1"
    assert "Authorization" not in request.headers
    assert request.shown is not None
    assert files.certificate.read_bytes() != old
    assert files.held().lifetime is not None


async def test_a_certificate_is_not_renewed_before_its_time(
    credentials: Make, enrolled: Callable[[int], bytes], certificate_cloud: Any
) -> None:
    enrolled(69)
    await credentials(version="1.4.0").ready()
    assert certificate_cloud.requests == []


async def test_a_cloud_that_names_itself_our_stub_renews_too(
    credentials: Make, enrolled: Callable[[int], bytes], certificate_cloud: Any
) -> None:
    enrolled(91)
    ours = credentials()
    ours.learned("cloudhub-stub/0.1")
    await ours.ready()
    assert certificate_cloud.paths == ["/edge.crt"]


async def test_a_cloud_that_cannot_renew_is_spoken_of_once_a_day_with_the_date(
    credentials: Make, enrolled: Callable[[int], bytes], certificate_cloud: Any, vclock: VirtualClock
) -> None:
    enrolled(91)
    ours = credentials()
    with capture_logs() as logs:
        await ours.ready()
        await ours.ready()
        await vclock.advance(DAY_S)
        await ours.ready()
    assert [entry["event"] for entry in logs] == ["certificate_renewal_due"] * 2
    assert logs[0]["valid_until"] == "2020-05-18 00:00:00 UTC"
    assert certificate_cloud.requests == []


async def test_a_renewal_that_fails_keeps_the_link_and_is_tried_again_after_an_hour(
    credentials: Make,
    files: KeyFiles,
    enrolled: Callable[[int], bytes],
    certificate_cloud: Any,
    vclock: VirtualClock,
    reply: Callable[..., bytes],
) -> None:
    old = enrolled(91)
    certificate_cloud.answers["/edge.crt"] = lambda _: reply(500, b"no", "text/plain")
    ours = credentials(version="1.4.0")
    with capture_logs() as logs:
        assert isinstance(await ours.ready(), ssl.SSLContext)
        await ours.ready()
    assert [entry["event"] for entry in logs] == ["certificate_not_renewed"]
    assert files.certificate.read_bytes() == old
    certificate_cloud.answers.clear()
    await vclock.advance(RETRY_S)
    await ours.ready()
    assert files.certificate.read_bytes() != old


async def test_a_new_certificate_that_looks_old_too_is_not_renewed_at_once(
    credentials: Make, enrolled: Callable[[int], bytes], certificate_cloud: Any
) -> None:
    enrolled(91)
    long_ago = START - timedelta(days=91)
    certificate_cloud.sign = lambda request: certificate_cloud.authority.sign(request, LIFETIME, long_ago)
    ours = credentials(version="1.4.0")
    await ours.ready()
    await ours.ready()
    assert certificate_cloud.paths == ["/edge.crt"]


async def test_certificates_of_a_quarter_of_an_hour_are_renewed_again_and_again(
    credentials: Make, files: KeyFiles, authority: Any, certificate_cloud: Any, vclock: VirtualClock
) -> None:
    certificate_cloud.sign = lambda request: certificate_cloud.authority.sign(
        request, timedelta(minutes=15), datetime.fromtimestamp(vclock.now_ms() // 1000, UTC)
    )
    ours = credentials(authority.token(), version="1.4.0")
    await ours.ready()
    for _ in range(3):
        old = files.certificate.read_bytes()
        await vclock.advance(0.9 * 15 * 60)
        await ours.ready()
        assert files.certificate.read_bytes() != old


async def test_an_expired_certificate_is_replaced_with_the_token(
    credentials: Make, files: KeyFiles, enrolled: Callable[[int], bytes], authority: Any
) -> None:
    old = enrolled(101)
    await credentials(authority.token()).ready()
    assert files.certificate.read_bytes() != old


async def test_an_expired_certificate_without_a_token_is_shown_to_the_cloud_with_a_warning(
    credentials: Make, enrolled: Callable[[int], bytes]
) -> None:
    enrolled(101)
    with capture_logs() as logs:
        assert isinstance(await credentials().ready(), ssl.SSLContext)
    assert [entry["event"] for entry in logs] == ["certificate_expired"]


@pytest.mark.usefixtures("short_lived")
async def test_a_session_is_told_when_its_certificate_was_renewed(
    credentials: Make, authority: Any, certificate_cloud: Any, vclock: VirtualClock, until: Any
) -> None:
    ours = credentials(authority.token(), "1.4.0")
    await ours.ready()
    waiting = asyncio.create_task(ours.renewed())
    await vclock.advance(69 * DAY_S)
    assert not waiting.done()
    await vclock.advance(21 * DAY_S)
    await until(waiting.done)
    assert certificate_cloud.paths == ["/ca.crt", "/edge.crt", "/edge.crt"]


@pytest.mark.usefixtures("short_lived")
async def test_a_session_with_a_cloud_that_cannot_renew_lives_on_with_a_warning_a_day(
    credentials: Make, authority: Any, vclock: VirtualClock
) -> None:
    ours = credentials(authority.token())
    await ours.ready()
    waiting = asyncio.create_task(ours.renewed())
    with capture_logs() as logs:
        await vclock.advance(90 * DAY_S)
        await vclock.advance(2.5 * DAY_S)
        assert not waiting.done()
    assert {entry["event"] for entry in logs} == {"certificate_renewal_due"}
    assert 3 <= len(logs) <= 24
    waiting.cancel()


async def test_the_token_is_in_no_log_and_no_error(
    credentials: Make, authority: Any, other_authority: Any, certificate_cloud: Any, files: KeyFiles
) -> None:
    secret = authority.token().rpartition(".")[2]
    certificate_cloud.answers["/edge.crt"] = lambda request: (
        b"HTTP/1.1 400 " + request.headers["Authorization"].encode() + b"\r\nContent-Length: 0\r\n\r\n"
    )
    with capture_logs() as logs, pytest.raises(LinkError) as caught:
        await credentials(authority.token()).ready()
    assert secret not in str(caught.value) + repr(logs)


def _shaken(server: ssl.SSLContext, client: ssl.SSLContext) -> Any:
    """Shake hands in memory; return the certificate that the server was shown."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="127.0.0.1"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return ends[1].getpeercert()
