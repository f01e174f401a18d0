"""Getting the first certificate, from an HTTPS port that answers as Go does, and as nobody should."""

import asyncio
import json
import ssl
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from edgecore.clock import VirtualClock
from edgecore.errors import EnrolmentError
from edgecore.modules.edgehub.certificates.authority import Authority
from edgecore.modules.edgehub.certificates.enrolment import Enrolment
from edgecore.modules.edgehub.certificates.keyfiles import KeyFiles
from edgecore.modules.edgehub.certificates.tls import client_context
from edgecore.modules.edgehub.certificates.x509 import new_key, request_of

RECORDING = Path(__file__).parents[3] / "data/a_connect_first_sync.jsonl"
Make = Callable[..., Enrolment]


@pytest.fixture
def files(tmp_path: Path) -> KeyFiles:
    root = tmp_path / "node"
    return KeyFiles(root / "ca/rootCA.crt", root / "certs/server.crt", root / "certs/server.key")


@pytest.fixture
def enrolment(certificate_cloud: Any, files: KeyFiles, vclock: VirtualClock) -> Make:
    def make(token: str = "", url: str = "", timeout_s: float = 30) -> Enrolment:
        authority = Authority(url or certificate_cloud.url, timeout_s=timeout_s)
        return Enrolment(files, authority, token or certificate_cloud.authority.token(), clock=vclock)

    return make


async def refusal(enrolment: Enrolment, files: KeyFiles, step: str) -> str:
    """Return with which words it failed; nothing may have been stored."""
    with pytest.raises(EnrolmentError) as caught:
        await enrolment.enrol()
    assert caught.value.step == step
    assert files.present() == []
    return str(caught.value)


async def test_a_node_with_a_token_has_three_files_that_tls_takes(
    enrolment: Make, files: KeyFiles, certificate_cloud: Any
) -> None:
    facts = await enrolment().enrol()
    assert (facts.subject, facts.issuer) == ("CN=kubeedge.io,O=kubeEdge", "CN=KubeEdge")
    assert certificate_cloud.paths == ["/ca.crt", "/edge.crt"]
    assert files.ca.read_bytes() == certificate_cloud.authority.pem
    assert isinstance(client_context(*files), ssl.SSLContext)


async def test_files_are_for_their_owner_alone(enrolment: Make, files: KeyFiles) -> None:
    await enrolment().enrol()
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    folders = {files.ca.parent, files.key.parent, files.ca.parent.parent}
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert sorted(path.name for path in files.key.parent.iterdir()) == ["server.crt", "server.key"]


async def test_the_requests_are_the_recorded_ones_but_for_the_agent(enrolment: Make, certificate_cloud: Any) -> None:
    entries = [json.loads(line) for line in RECORDING.read_text().splitlines()]
    theirs = [
        entry["http"].replace("<token>\n", "<token>\r\n")
        for entry in entries
        if str(entry.get("link")).startswith("https-") and entry["dir"] == "edge->cloud" and "http" in entry
    ]
    await enrolment().enrol()
    ours = certificate_cloud.requests
    assert [request.head.split("\r\n")[0] for request in ours] == [head.split("\r\n")[0] for head in theirs]
    left_out = {"Accept-Encoding"}  # a certificate is not compressed
    for request, head in zip(ours, theirs, strict=True):
        names = {line.split(":")[0] for line in head.strip().split("\r\n")[1:]}
        assert set(request.headers) == names - left_out
        assert request.headers["User-Agent"] == "edgecore"
    assert ours[0].body == b""
    assert ours[1].headers["Authorization"] == f"Bearer {certificate_cloud.authority.token().partition('.')[2]}"
    assert ours[1].body.startswith(b"\x30\x82")  # DER


async def test_progress_names_each_step_and_no_secret(enrolment: Make, certificate_cloud: Any) -> None:
    lines: list[str] = []
    await enrolment().enrol(lines.append)
    assert [line.split(":")[0] for line in lines] == ["CA certificate", "key", "certificate"]
    assert certificate_cloud.authority.token().rpartition(".")[2] not in "".join(lines)


async def test_a_ca_that_the_token_does_not_name_gets_to_see_no_token(
    enrolment: Make, files: KeyFiles, certificate_cloud: Any, other_authority: Any
) -> None:
    said = await refusal(enrolment(other_authority.token()), files, "ca")
    assert said.startswith("cannot trust the CA certificate: its SHA-256 is ")
    assert certificate_cloud.paths == ["/ca.crt"]


async def test_a_token_in_the_wrong_form_asks_nobody(enrolment: Make, files: KeyFiles, certificate_cloud: Any) -> None:
    assert "not 4" in await refusal(enrolment("a.b"), files, "token")
    assert certificate_cloud.requests == []


async def test_an_expired_token_is_told_with_its_date(enrolment: Make, files: KeyFiles, certificate_cloud: Any) -> None:
    token = certificate_cloud.authority.token(datetime(2020, 5, 1, tzinfo=UTC))
    said = await refusal(enrolment(token), files, "certificate")
    assert said == (
        f"cannot get the node's certificate from {certificate_cloud.url}/edge.crt: HTTP 400 Invalid authorization token"
        " (the token expired at 2020-05-01 00:00:00 UTC; get a new one)"
    )


async def test_a_refused_token_is_told_with_status_and_body(
    enrolment: Make, files: KeyFiles, certificate_cloud: Any, reply: Callable[..., bytes]
) -> None:
    certificate_cloud.answers["/edge.crt"] = lambda _: reply(401, b"Invalid authorization token", "text/plain")
    said = await refusal(enrolment(), files, "certificate")
    assert said.endswith("/edge.crt: HTTP 401 Invalid authorization token")


async def test_a_token_that_the_cloud_repeats_is_not_shown(
    enrolment: Make, files: KeyFiles, certificate_cloud: Any, reply: Callable[..., bytes]
) -> None:
    certificate_cloud.answers["/edge.crt"] = lambda request: reply(
        400, f"wrong: {request.headers['Authorization']}".encode(), "text/plain"
    )
    assert (await refusal(enrolment(), files, "certificate")).endswith("HTTP 400 wrong: Bearer ***")


async def test_a_token_is_not_shown_in_part_either_where_a_long_answer_is_cut(
    enrolment: Make, files: KeyFiles, certificate_cloud: Any, reply: Callable[..., bytes]
) -> None:
    certificate_cloud.answers["/edge.crt"] = lambda request: reply(
        400, f"{'x' * 150}: {request.headers['Authorization']}".encode(), "text/plain"
    )
    assert (await refusal(enrolment(), files, "certificate")).endswith("xxx: Bearer ***")


@pytest.mark.parametrize(("path", "step"), [("/ca.crt", "ca"), ("/edge.crt", "certificate")])
async def test_an_html_page_is_no_certificate_whatever_its_status(
    path: str, step: str, enrolment: Make, files: KeyFiles, certificate_cloud: Any, reply: Callable[..., bytes]
) -> None:
    page = b"<html><body>please log in</body></html>" * 20
    certificate_cloud.answers[path] = lambda _: reply(200, page, "text/html")
    said = await refusal(enrolment(), files, step)
    assert f"{path}: the answer (HTTP 200 text/html) is no certificate: <html><body>please log in" in said
    assert len(said) < 400


@pytest.mark.parametrize(("path", "step"), [("/ca.crt", "ca"), ("/edge.crt", "certificate")])
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "the cloud closed the connection without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "the answer is empty"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n1234", "not enough data"),
        (b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere/\r\nContent-Length: 0\r\n\r\n", "HTTP 302"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 100_000, "is longer than 65536 bytes"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", ""),
    ],
)
async def test_an_answer_that_is_none_is_told_with_its_step(
    path: str, step: str, answer: bytes, why: str, enrolment: Make, files: KeyFiles, certificate_cloud: Any
) -> None:
    certificate_cloud.answers[path] = lambda _: answer
    said = await refusal(enrolment(), files, step)
    assert f" from {certificate_cloud.url}{path}: " in said
    assert why.lower() in said.lower()
    assert len(said) < 500


async def test_a_cloud_that_says_nothing_is_given_up(enrolment: Make, files: KeyFiles, certificate_cloud: Any) -> None:
    asked = asyncio.Event()

    async def never(_request: Any) -> bytes:
        await asked.wait()
        return b""

    certificate_cloud.answers["/ca.crt"] = never
    said = await refusal(enrolment(timeout_s=0.05), files, "ca")
    asked.set()
    assert said.endswith("/ca.crt: no answer within 0.05 s")


async def test_a_cloud_that_is_not_there_is_told(enrolment: Make, files: KeyFiles, certificate_cloud: Any) -> None:
    await certificate_cloud.stop()
    said = await refusal(enrolment(), files, "ca")
    assert said == f"cannot fetch the CA certificate from {certificate_cloud.url}/ca.crt: connection refused"


@pytest.mark.parametrize(
    ("answer", "why"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "no TLS there: wrong version number"), (b"", "the connection was closed")],
)
async def test_a_port_without_tls_is_told(
    answer: bytes, why: str, files: KeyFiles, vclock: VirtualClock, authority: Any
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100_000)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    said = await refusal(Enrolment(files, Authority(url), authority.token(), clock=vclock), files, "ca")
    server.close()
    assert said == f"cannot fetch the CA certificate from {url}/ca.crt: {why}"


async def test_a_port_that_wants_a_certificate_is_told(
    enrolment: Make, files: KeyFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CloudHub's other port; the number of that error is the one of ``operation not permitted``."""

    async def refused(*_arguments: Any) -> None:
        error = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required")
        error.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        raise aiohttp.ClientOSError(*error.args) from error

    monkeypatch.setattr(Authority, "_get", refused)
    said = await refusal(enrolment(), files, "ca")
    assert "TLS was refused: " in said
    assert "tlsv13 alert certificate required" in said


async def test_a_server_that_is_not_the_one_of_the_url_gets_no_token(
    enrolment: Make, files: KeyFiles, certificate_cloud: Any
) -> None:
    await certificate_cloud.stop()
    await certificate_cloud.start("192.0.2.7")
    said = await refusal(enrolment(), files, "certificate")
    assert "its certificate is not the one to expect: IP address mismatch" in said
    assert certificate_cloud.paths == ["/ca.crt"]


async def test_a_certificate_for_another_key_is_not_kept(
    enrolment: Make, files: KeyFiles, certificate_cloud: Any
) -> None:
    certificate_cloud.sign = lambda _: certificate_cloud.authority.sign(request_of(new_key()))
    said = await refusal(enrolment(), files, "certificate")
    assert said == "cannot use the certificate that the cloud issued: it is for another key"


async def test_a_certificate_of_another_ca_is_not_kept(
    enrolment: Make, files: KeyFiles, certificate_cloud: Any, other_authority: Any
) -> None:
    certificate_cloud.sign = other_authority.sign
    said = await refusal(enrolment(), files, "certificate")
    assert said == "cannot use the certificate that the cloud issued: the CA has not signed it"


@pytest.mark.parametrize("url", ["http://127.0.0.1:10002", "127.0.0.1:10002", ""])
async def test_a_token_is_not_shown_without_tls(
    url: str, files: KeyFiles, vclock: VirtualClock, authority: Any
) -> None:
    enrolment = Enrolment(files, Authority(url), authority.token(), clock=vclock)
    assert "modules.edgeHub.httpServer must be an https:// address" in await refusal(enrolment, files, "ca")


async def test_a_retry_begins_where_the_last_try_stopped(
    enrolment: Make, files: KeyFiles, certificate_cloud: Any
) -> None:
    certificate_cloud.answers["/edge.crt"] = lambda _: b""
    tried = enrolment()
    await refusal(tried, files, "certificate")
    certificate_cloud.answers.clear()
    await tried.enrol()
    assert certificate_cloud.paths.count("/ca.crt") == 1
    assert len({request_key(request.body) for request in certificate_cloud.requests[1:]}) == 1


async def test_a_ca_that_is_there_and_meant_is_not_fetched(
    enrolment: Make, files: KeyFiles, certificate_cloud: Any
) -> None:
    files.ca.parent.mkdir(parents=True)
    bundle = certificate_cloud.authority.pem + b"# and a note of its owner\n"
    files.ca.write_bytes(bundle)
    await enrolment().enrol()
    assert certificate_cloud.paths == ["/edge.crt"]
    assert files.ca.read_bytes() == bundle


async def test_a_ca_of_another_cloud_is_replaced(
    enrolment: Make, files: KeyFiles, certificate_cloud: Any, other_authority: Any
) -> None:
    files.ca.parent.mkdir(parents=True)
    files.ca.write_bytes(other_authority.pem)
    await enrolment().enrol()
    assert files.ca.read_bytes() == certificate_cloud.authority.pem


async def test_a_key_that_waits_for_its_certificate_is_used(enrolment: Make, files: KeyFiles) -> None:
    files.key.parent.mkdir(parents=True)
    key = new_key()
    files.key.write_bytes(key)
    await enrolment().enrol()
    assert files.key.read_bytes() == key


async def test_a_place_that_cannot_be_written_is_named(enrolment: Make, tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    (tmp_path / "node/certs").write_text("in the way")
    with pytest.raises(EnrolmentError, match=r"cannot (store|read)") as caught:
        await enrolment().enrol()
    assert caught.value.step == "files"
    assert str(tmp_path / "node/certs") in str(caught.value)


def request_key(der: bytes) -> bytes:
    key = x509.load_der_x509_csr(der).public_key()
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
