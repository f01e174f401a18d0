"""The https port: real TLS, HTTP byte by byte, and clients that are slow, silent, too many or no clients at all."""

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cloudhub_stub.certificates import https
from cloudhub_stub.certificates.https import BODY_LIMIT_BYTES, CONNECTION_LIFE_S, HttpsServer
from cloudhub_stub.certificates.identity import Identity, load_identity
from cloudhub_stub.certificates.issuer import Answer, Ask, Issuer
from cloudhub_stub.certificates.tls import Admission, https_context
from cloudhub_stub.certificates.tokens import Tokens, make_token
from cloudhub_stub.settings import CertificateFiles
from edgecore import __version__
from edgecore.clock import SystemClock, VirtualClock, settle
from edgecore.errors import ListenError
from edgecore.observe.metrics import Metrics

RECORDING = Path(__file__).parents[3] / "data" / "a_connect_first_sync.jsonl"


class Office:
    """An https port, and what stands behind it."""

    def __init__(self, directory: Path, clock: SystemClock | VirtualClock, *, faithful: bool = False) -> None:
        self.metrics = Metrics()
        self.clock = clock
        now_ms = SystemClock().now_ms
        self.identity: Identity = load_identity(directory / "pki", ["127.0.0.1"], CertificateFiles(), now_ms() / 1000)
        self.authority = self.identity.authority
        self.ca = self.authority.certificate_der
        self.tokens = Tokens(directory / "token", self.ca, self.authority.key_der, SystemClock(), lifetime_s=60)
        self.tokens.start()
        self.admission = Admission()
        self.issuer = Issuer(self.authority, self.tokens, self.admission, now_ms, cert_days=1, faithful=faithful)
        self.server = HttpsServer("127.0.0.1", 0, self.metrics, clock)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def bearer(self) -> str:
        return f"Bearer {self.tokens.current.partition('.')[2]}"

    @property
    def counted(self) -> dict[str, int]:
        return {reason: number for (_, reason), number in self.metrics.bad_input_counts.items()}

    async def start(self) -> None:
        await self.server.start(self.issuer, https_context(self.identity, self.metrics))

    async def stop(self) -> None:
        self.tokens.stop()
        await self.server.stop()


@pytest.fixture
def clock() -> SystemClock | VirtualClock:
    return VirtualClock()


@pytest.fixture(params=[False])
async def office(
    tmp_path: Path, clock: VirtualClock, request: pytest.FixtureRequest, joiner: Any
) -> AsyncIterator[Office]:
    made = Office(tmp_path, clock, faithful=request.param)
    await made.start()
    joiner.ca = made.ca
    yield made
    await made.stop()


both_modes = pytest.mark.parametrize("office", [False, True], ids=["ours", "faithful"], indirect=True)


def recorded() -> list[tuple[bytes, bytes]]:
    """Return head and body of the recorded requests and answers, in their order."""
    entries = [json.loads(line) for line in RECORDING.read_text().splitlines()]
    found = [one for one in entries if str(one.get("link")).startswith("https-") and "http" in one]
    return [(one["http"].encode(), bytes.fromhex(one["body_hex"])) for one in found]


async def test_the_recorded_request_for_the_ca_gets_an_answer_as_recorded(office: Office, joiner: Any) -> None:
    (request, _), (answer, _), *_ = recorded()
    theirs = joiner.reply_of(answer)
    ours = joiner.reply_of(
        await joiner.exchange(office.url, request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    )
    assert ours.status == theirs.status
    assert ours.headers["Content-Type"] == theirs.headers["Content-Type"]
    assert ours.body == office.ca


@both_modes
async def test_the_recorded_request_for_a_certificate_gets_an_answer_as_recorded(office: Office, joiner: Any) -> None:
    """The only things put in are the token, which the recording leaves out, and the wish to close."""
    *_, (request, csr), (answer, certificate) = recorded()
    bearer = f"Authorization: {office.bearer}\r\nConnection: close\r\n".encode()
    theirs = joiner.reply_of(answer)
    ours = joiner.reply_of(
        await joiner.exchange(office.url, request.replace(b"Authorization: <token>\n", bearer) + csr)
    )
    assert ours.status == theirs.status
    assert ours.headers["Content-Type"] == theirs.headers["Content-Type"]
    assert joiner.public_key_of(ours.body) == joiner.public_key_of(certificate)


@both_modes
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, (401, 401)),
        ({"Authorization": "Bearer"}, (401, 401)),
        ({"Authorization": "Bearer a b"}, (401, 401)),
        ({"Authorization": "Bearer a.b.c"}, (401, 400)),
    ],
)
async def test_who_shows_no_good_token_gets_the_status_of_the_mode(
    office: Office, joiner: Any, request: pytest.FixtureRequest, headers: dict[str, str], status: tuple[int, int]
) -> None:
    reply = await joiner.ask(office.url, "/edge.crt", headers=headers, body=joiner.csr)
    faithful = "faithful" in request.node.name
    assert (reply.status, reply.body) == (status[faithful], b"Invalid authorization token")
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert sum(office.counted.values()) == 1


@both_modes
async def test_an_expired_token_gets_the_status_of_the_mode(
    office: Office, joiner: Any, request: pytest.FixtureRequest
) -> None:
    old = make_token(office.ca, office.authority.key_der, 1_589_000_000).partition(".")[2]
    reply = await joiner.ask(office.url, "/edge.crt", headers={"Authorization": f"Bearer {old}"}, body=joiner.csr)
    assert reply.status == (400 if "faithful" in request.node.name else 401)
    assert office.counted == {"bad_token": 1}


@pytest.mark.parametrize(("faithful", "status"), [(False, 401), (True, 400)])
async def test_the_stub_as_a_whole_answers_a_bad_token_by_its_mode(
    make_stub: Any, joiner: Any, faithful: bool, status: int
) -> None:
    stub = await make_stub(plain=False, https="127.0.0.1:0", faithful=faithful)
    await joiner.join(stub)
    bad = {"Authorization": "Bearer no.such.token"}
    assert (await joiner.ask(stub.joining.url, "/edge.crt", headers=bad, body=joiner.csr)).status == status


async def test_a_bad_request_for_a_certificate_is_400_and_counted(office: Office, joiner: Any) -> None:
    headers = {"Authorization": office.bearer}
    reply = await joiner.ask(office.url, "/edge.crt", headers=headers, body=b"junk")
    assert (reply.status, office.counted) == (400, {"bad_certificate_request": 1})
    assert reply.body.startswith(b"cannot read the certificate request")


async def test_a_page_that_is_not_there_and_a_method_that_is_not_allowed(office: Office, joiner: Any) -> None:
    reply = await joiner.ask(office.url, "/x")
    assert (reply.status, reply.body) == (404, b"404 page not found\n")
    assert (await joiner.ask(office.url, "/ca.crt", method="POST", body=b"x")).status == 405
    assert (await joiner.ask(office.url, "/ca.crt", method="HEAD")).status == 405
    assert office.counted == {"no_such_page": 1, "method_not_allowed": 2}


async def test_every_answer_says_who_answers(office: Office, joiner: Any) -> None:
    server = f"cloudhub-stub/{__version__}"
    assert (await joiner.ask(office.url, "/readyz")).headers["Server"] == server
    assert joiner.reply_of(await joiner.exchange(office.url, b"junk\r\n\r\n")).headers["Server"] == server


async def test_a_client_of_tls_1_2_with_the_one_suite_is_served_and_with_another_is_not(
    office: Office, joiner: Any
) -> None:
    context = joiner.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    assert (await joiner.ask(office.url, "/readyz", context=context)).status == 200
    context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        await joiner.ask(office.url, "/readyz", context=context)
    assert office.counted == {"no_common_tls": 1}


async def test_a_certificate_of_ours_is_renewed_with_itself(office: Office, joiner: Any) -> None:
    bearer = {"Authorization": office.bearer}
    first = (await joiner.ask(office.url, "/edge.crt", headers=bearer, body=joiner.csr)).body
    second = await joiner.ask(office.url, "/edge.crt", context=joiner.context(first), body=joiner.csr)
    assert second.status == 200
    assert joiner.public_key_of(second.body) == joiner.public_key
    assert second.body != first


async def test_an_expired_certificate_renews_nothing(office: Office, joiner: Any) -> None:
    long_ago = office.authority.sign(joiner.csr, 1_589_000_000, 1).certificate
    assert await joiner.exchange(office.url, b"GET /edge.crt HTTP/1.1\r\n\r\n", joiner.context(long_ago)) == b""
    assert office.counted == {"bad_certificate": 1}


async def test_a_certificate_of_another_ca_renews_nothing(office: Office, joiner: Any, tmp_path: Path) -> None:
    other = load_identity(tmp_path / "other", [], CertificateFiles(), SystemClock().now_ms() / 1000).authority
    foreign = other.sign(joiner.csr, SystemClock().now_ms() / 1000, 1).certificate
    assert await joiner.exchange(office.url, b"GET /edge.crt HTTP/1.1\r\n\r\n", joiner.context(foreign)) == b""
    assert office.counted == {"bad_certificate": 1}


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01 this is no HTTP\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /ca.crt HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"GET /edge.crt HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_http_is_400_and_counted_and_the_connection_closed(
    office: Office, joiner: Any, request_bytes: bytes
) -> None:
    reply = joiner.reply_of(await joiner.exchange(office.url, request_bytes))
    assert (reply.status, reply.body) == (400, b"400 Bad Request")
    assert office.counted == {"bad_http": 1}


async def test_junk_behind_a_good_request_is_400_and_the_connection_closed(office: Office, joiner: Any) -> None:
    answers = await joiner.exchange(office.url, b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\njunk junk junk\r\n\r\n")
    assert answers.endswith(b"400 Bad Request")
    assert office.counted == {"bad_http": 1}


async def test_requests_one_after_the_other_on_one_connection_are_answered_in_order(
    office: Office, joiner: Any
) -> None:
    get = b"GET /%s HTTP/1.1\r\nHost: x\r\n%s\r\n"
    answers = await joiner.exchange(
        office.url, get % (b"readyz", b"") + get % (b"ca.crt", b"") + get % (b"x", b"Connection: close\r\n")
    )
    places = [answers.index(text) for text in (b"Cloudcore is ready", office.ca, b"404 page not found")]
    assert places == sorted(places)


@pytest.mark.parametrize("how", ["said", "chunked"])
async def test_a_body_over_the_limit_is_413(office: Office, joiner: Any, how: str) -> None:
    body = bytes(BODY_LIMIT_BYTES + 1)
    if how == "said":
        reply = await joiner.ask(office.url, "/edge.crt", headers={"Authorization": office.bearer}, body=body)
    else:
        head = b"GET /edge.crt HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        reply = joiner.reply_of(await joiner.exchange(office.url, head + chunk))
    assert (reply.status, office.counted) == (413, {"body_too_large": 1})


@pytest.mark.parametrize(
    "sent", [b"GET /ca.crt HTTP/1.1\r\nHo", b"GET /edge.crt HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"]
)
async def test_a_client_that_does_not_finish_is_cut(
    office: Office, joiner: Any, clock: VirtualClock, sent: bytes, turns: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "_IDLE_S", 3600)
    pending = asyncio.create_task(joiner.exchange(office.url, sent))
    await turns(lambda: len(office.server.open) == 1)
    await clock.advance(CONNECTION_LIFE_S)
    assert await pending == b""
    assert office.counted == {"too_slow": 1}
    await turns(lambda: not office.server.open)


async def test_an_idle_client_is_closed_without_a_word(
    joiner: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "_IDLE_S", 0.01)
    office = Office(tmp_path, SystemClock())
    await office.start()
    joiner.ca = office.ca
    assert await joiner.exchange(office.url, b"") == b""
    assert office.counted == {}
    await office.stop()


async def test_connections_over_the_limit_are_closed_and_counted(
    office: Office, joiner: Any, monkeypatch: pytest.MonkeyPatch, turns: Any
) -> None:
    monkeypatch.setattr(https, "CONNECTION_LIMIT", 1)
    pending = asyncio.create_task(joiner.exchange(office.url, b"GET"))
    await turns(lambda: len(office.server.open) == 1)
    assert await joiner.exchange(office.url, b"GET /readyz HTTP/1.1\r\n\r\n") == b""
    assert office.counted == {"too_many_connections": 1}
    pending.cancel()
    await asyncio.gather(pending, return_exceptions=True)
    await turns(lambda: not office.server.open)
    assert (await joiner.ask(office.url, "/readyz")).status == 200


async def test_a_client_that_speaks_no_tls_is_counted(office: Office, turns: Any) -> None:
    host, _, port = office.url.rpartition("/")[2].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /ca.crt HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.read()
    writer.transport.abort()
    await turns(lambda: bool(office.counted))
    assert office.counted == {"no_tls": 1}


async def test_our_own_mistake_is_500_and_in_the_log_alone(
    office: Office, joiner: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_ask: Ask) -> Answer:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(office.issuer, "answer", fail)
    reply = await joiner.ask(office.url, "/ca.crt")
    assert (reply.status, reply.body) == (500, b"500 internal server error\n")
    assert "https_request_crashed" in capsys.readouterr().out


async def test_stopping_is_not_held_up_by_anybody(office: Office, joiner: Any, turns: Any) -> None:
    pending = [asyncio.create_task(joiner.exchange(office.url, sent)) for sent in (b"", b"GET", b"GET / HTTP/1.1\r\n")]
    await turns(lambda: len(office.server.open) == 3)
    await office.stop()
    await asyncio.gather(*pending, return_exceptions=True)
    assert office.counted == {}


async def test_a_port_in_use_is_an_error_with_a_way_out(office: Office, tmp_path: Path) -> None:
    port = int(office.url.rpartition(":")[2])
    second = HttpsServer("127.0.0.1", port, office.metrics, office.clock)
    with pytest.raises(ListenError, match="another program listens there; choose another port with --https"):
        await second.start(office.issuer, https_context(office.identity, office.metrics))
    await second.stop()
    await settle()


@pytest.mark.needs_curl
async def test_curl_joins_as_the_readme_says(office: Office, joiner: Any, tmp_path: Path) -> None:
    csr, ca = tmp_path / "edge.csr", tmp_path / "ca.pem"
    csr.write_bytes(joiner.csr)
    ca.write_text(ssl.DER_cert_to_PEM_cert(office.ca))
    command = ["curl", "-sS", "--noproxy", "*", "--cacert", str(ca), "-X", "GET", "--data-binary", f"@{csr}"]
    command += ["-H", f"Authorization: {office.bearer}", f"{office.url}/edge.crt"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    assert joiner.public_key_of(done.stdout) == joiner.public_key
