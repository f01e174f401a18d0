"""Tokens: taken apart, judged, and never shown."""

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.errors import EnrolmentError
from edgecore.modules.edgehub.certificates.token import parse_token

CA = b"a certificate"
JWT = (  # {"alg":"HS256","typ":"JWT"}, {"exp":1600000000}
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE2MDAwMDAwMDB9.Wk9QcV9TZWNyZXRTaWduYXR1cmVPZlRoZVRva2Vu"
)
TOKEN = f"{hashlib.sha256(CA).hexdigest()}.{JWT}"


def refusal(text: str) -> str:
    with pytest.raises(EnrolmentError) as caught:
        parse_token(text)
    assert caught.value.step == "token"
    return str(caught.value)


def test_a_token_is_a_hash_and_a_jwt() -> None:
    token = parse_token(TOKEN)
    assert (token.ca_hash, token.jwt) == (hashlib.sha256(CA).hexdigest(), JWT)


def test_the_newline_of_a_file_does_not_matter() -> None:
    assert parse_token(f" {TOKEN}\n").jwt == JWT


def test_the_ca_that_it_names_is_taken() -> None:
    parse_token(TOKEN.upper()[:64] + TOKEN[64:]).check_ca(CA)


def test_another_ca_is_refused_with_both_hashes() -> None:
    with pytest.raises(EnrolmentError, match="cannot trust the CA certificate") as caught:
        parse_token(TOKEN).check_ca(b"another")
    assert caught.value.step == "ca"
    assert hashlib.sha256(CA).hexdigest() in str(caught.value)
    assert hashlib.sha256(b"another").hexdigest() in str(caught.value)


def test_when_it_expires_is_read_without_a_key() -> None:
    token = parse_token(TOKEN)
    assert token.expires_at() == datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)
    assert token.age(datetime(2021, 1, 1, tzinfo=UTC)) == "the token expired at 2020-09-13 12:26:40 UTC"
    assert token.age(datetime(2020, 1, 1, tzinfo=UTC)) == ""


@pytest.mark.parametrize("claims", ["[]", "{}", "1", '{"exp":"soon"}', '{"exp":1e400}', '{"exp":1e18}', "no JSON", ""])
def test_claims_that_say_nothing_of_it_are_no_fault(claims: str) -> None:
    part = base64.urlsafe_b64encode(claims.encode()).decode().rstrip("=") or "A"
    assert parse_token(f"{TOKEN[:64]}.AA.{part}.AA").expires_at() is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("secret-thing", "between its dots it has 1, not 4 parts"),
        (f"{TOKEN}.secret", "between its dots it has 5, not 4 parts"),
        (f"secret-thing.{JWT}", "its first part is not a SHA-256 hash"),
        (f"{TOKEN[:64]}.{JWT.partition('.')[0]}..secret", "part 3 is empty"),
        (f"{TOKEN[:64]}.a.b.secret\r\nX: y", "part 4 is empty or holds characters that no JWT has"),
        (base64.b64encode(TOKEN.encode()).decode(), "it is still base64, as a Kubernetes secret has it"),
        ("secret" * 2000, "it is longer than 8192 characters"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_of_it_is_shown(text: str, why: str) -> None:
    said = refusal(text)
    assert said.startswith(f"cannot use the token: {why}")
    assert "secret" not in said.replace("Kubernetes secret", "")


def test_a_token_does_not_show_itself() -> None:
    assert JWT not in repr(parse_token(TOKEN))


@given(st.text() | st.lists(st.from_regex(r"[0-9a-f]{64}|[\w-]{0,9}"), max_size=6).map(".".join))
def test_arbitrary_text_is_a_token_or_refused(text: Any) -> None:
    try:
        token = parse_token(text)
    except EnrolmentError:
        return
    token.expires_at()
    assert "\n" not in token.jwt
