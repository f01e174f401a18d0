"""Requests on the https port and their answers, without sockets."""

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509

from cloudhub_stub.certificates.authority import make_authority
from cloudhub_stub.certificates.issuer import BINARY, TEXT, Answer, Ask, Issuer
from cloudhub_stub.certificates.tls import Admission
from cloudhub_stub.certificates.tokens import Tokens, make_token
from edgecore.clock import VirtualClock

NOW_S = 1_589_000_000
AUTHORITY = make_authority(NOW_S)
DATA = Path(__file__).parents[3] / "data"
CSR = next(
    bytes.fromhex(entry["body_hex"])
    for entry in map(json.loads, (DATA / "a_connect_first_sync.jsonl").read_text().splitlines())
    if entry.get("http", "").startswith("GET /edge.crt")
)


class Office:
    """An issuer and what it asks."""

    def __init__(self, directory: Path, clock: VirtualClock, *, faithful: bool) -> None:
        ca = AUTHORITY.certificate_der
        self.admission = Admission()
        self.tokens = Tokens(directory / "token", ca, AUTHORITY.key_der, clock, lifetime_s=86400)
        self.tokens.start()
        self.issuer = Issuer(AUTHORITY, self.tokens, self.admission, clock.now_ms, cert_days=1, faithful=faithful)

    @property
    def bearer(self) -> str:
        return f"Bearer {self.tokens.current.partition('.')[2]}"

    def ask(self, path: str = "/edge.crt", method: str = "GET", **rest: Any) -> Answer:
        return self.issuer.answer(Ask(method, path, "192.0.2.9:1", **{"body": CSR, **rest}))


@pytest.fixture(params=[False, True], ids=["ours", "faithful"])
def faithful(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def office(tmp_path: Path, vclock: VirtualClock, faithful: bool) -> Office:
    return Office(tmp_path, vclock, faithful=faithful)


def test_anybody_gets_the_ca(office: Office) -> None:
    assert office.ask("/ca.crt") == Answer(200, AUTHORITY.certificate_der, BINARY)


def test_the_issuer_says_that_it_is_ready_as_cloudcore_does(office: Office) -> None:
    assert office.ask("/readyz") == Answer(200, b"Cloudcore is ready", TEXT)


@pytest.mark.parametrize("path", ["/", "/ca.crt/", "/CA.crt", "//ca.crt", "", "/edge.crt2"])
def test_another_page_is_not_found(office: Office, path: str) -> None:
    assert office.ask(path) == Answer(404, b"404 page not found\n", TEXT, "no_such_page")


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "OPTIONS"])
@pytest.mark.parametrize("path", ["/ca.crt", "/edge.crt", "/readyz"])
def test_another_method_is_not_allowed(office: Office, path: str, method: str) -> None:
    assert office.ask(path, method, authorization=office.bearer) == Answer(405, b"", TEXT, "method_not_allowed")


def test_who_shows_the_token_gets_a_certificate(office: Office) -> None:
    answer = office.ask(authorization=office.bearer)
    assert (answer.status, answer.content_type, office.issuer.issued) == (200, BINARY, 1)
    certificate = x509.load_der_x509_certificate(answer.body)
    assert certificate.subject.rfc4514_string() == "CN=kubeedge.io,O=kubeEdge"
    assert certificate.not_valid_before_utc.timestamp() == NOW_S


def test_the_first_word_of_the_authorization_is_not_looked_at(office: Office) -> None:
    assert office.ask(authorization=office.bearer.replace("Bearer", "Foo")).status == 200


@pytest.mark.parametrize("header", ["", "x", "Bearer", "a b c", "Bearer  x", " "])
def test_an_authorization_that_is_not_two_words_is_401(office: Office, header: str, faithful: bool) -> None:
    answer = office.ask(authorization=header)
    if header == " ":  # two words, both empty
        assert answer.status == (400 if faithful else 401)
    else:
        assert answer == Answer(401, b"Invalid authorization token", TEXT, "malformed_authorization")


def test_no_authorization_is_401(office: Office) -> None:
    assert office.ask() == Answer(401, b"Invalid authorization token", TEXT, "no_token")


def _bad_tokens() -> dict[str, str]:
    ca, key = AUTHORITY.certificate_der, AUTHORITY.key_der
    good = make_token(ca, key, NOW_S + 5)
    return {
        "malformed": "x.y.z",
        "the whole token with the hash": good,
        "expired": make_token(ca, key, NOW_S).partition(".")[2],
        "of another key": make_token(ca, bytes(121), NOW_S + 5).partition(".")[2],
        "not signed": jwt.encode({"exp": NOW_S + 5}, None, "none"),
        "without end": jwt.encode({}, key, "HS256"),
    }


@pytest.mark.parametrize("what", _bad_tokens())
def test_a_bad_token_is_401_and_400_where_we_are_faithful(office: Office, what: str, faithful: bool) -> None:
    answer = office.ask(authorization=f"Bearer {_bad_tokens()[what]}")
    assert answer == Answer(400 if faithful else 401, b"Invalid authorization token", TEXT, "bad_token")


def test_tokens_that_were_taken_back_are_bad(office: Office) -> None:
    old = office.bearer
    office.tokens.expire()
    assert office.ask(authorization=old).refused == "bad_token"
    assert office.ask(authorization=office.bearer).status == 200


def test_a_certificate_of_ours_is_as_good_as_a_token(office: Office) -> None:
    first = office.ask(authorization=office.bearer)
    assert office.ask(certificate=first.body).status == 200
    assert office.ask(certificate=first.body, authorization="Bearer x").status == 200


@pytest.mark.parametrize("body", [b"", b"junk", CSR[:-1]])
def test_a_bad_request_for_a_certificate_is_400_with_a_text(office: Office, body: bytes) -> None:
    answer = office.ask(authorization=office.bearer, body=body)
    assert (answer.status, answer.refused) == (400, "bad_certificate_request")
    assert answer.body.startswith(b"cannot read the certificate request, which must be PKCS #10 in DER")


def test_without_a_token_the_request_is_not_even_read(office: Office) -> None:
    assert office.ask(body=b"junk").status == 401


def test_certificates_are_refused_on_demand_so_many_times(office: Office) -> None:
    office.admission.refuse_certificates = 2
    statuses = [office.ask(authorization=office.bearer).status for _ in range(3)]
    assert statuses == [403, 403, 200]
    assert office.admission.refused == 2


def test_certificates_are_refused_until_told_otherwise(office: Office) -> None:
    office.admission.refuse_certificates = True
    assert [office.ask(authorization=office.bearer).status for _ in range(3)] == [403] * 3
    office.admission.refuse_certificates = False
    assert office.ask(authorization=office.bearer).status == 200
