"""Tokens: the text, who is admitted, renewal, taking them back."""

import base64
import json
from hashlib import sha256
from pathlib import Path

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.certificates.tokens import Tokens, end_of, make_token
from edgecore.clock import VirtualClock
from edgecore.errors import ConfigError

KEY = bytes(range(121))
CA = b"the CA in DER"
DAY_S = 86400


@pytest.fixture
def tokens(tmp_path: Path, vclock: VirtualClock) -> Tokens:
    return make_tokens(tmp_path, vclock)


def make_tokens(directory: Path, clock: VirtualClock, *, key: bytes = KEY, lifetime_s: float = DAY_S) -> Tokens:
    tokens = Tokens(directory / "token", CA, key, clock, lifetime_s=lifetime_s)
    tokens.start()
    return tokens


def jwt_of(token: str) -> str:
    return token.partition(".")[2]


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
def test_the_jwt_is_that_of_go_for_the_same_key_and_end() -> None:
    """Spec 14.4."""
    go = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE1ODkwODY0MDB9.xQJOM5LaWM1P8G7OIY0Z5JI-NZ36GFTpspuIrAp-Oa8"
    assert jwt_of(make_token(CA, b"\x01\x02\x03", 1589086400)) == go
    assert end_of(go, b"\x01\x02\x03") == 1589086400


def test_a_token_has_four_parts_and_begins_with_the_hash_of_the_ca() -> None:
    parts = make_token(CA, KEY, 5).split(".")
    assert len(parts) == 4
    assert parts[0] == sha256(CA).hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b.c",
        "a.b.c.d",
        "..",
        "ü.ü.ü",
        "x" * 9000,
        jwt.encode({"exp": 5}, bytes(121), "HS256"),
        jwt.encode({"exp": "5"}, KEY, "HS256"),
        jwt.encode({"exp": None}, KEY, "HS256"),
        jwt.encode({"exp": True}, KEY, "HS256"),
        jwt.encode({"exp": 1 << 200}, KEY, "HS256"),
        jwt.encode({}, KEY, "HS256"),
        jwt.encode({"exp": 5}, None, "none"),
        base64.urlsafe_b64encode(b"[" * 3000).decode() + ".e30.x",
    ],
)
def test_what_this_key_has_not_signed_as_a_token_has_no_end(text: str) -> None:
    assert end_of(text, KEY) is None


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_any_hmac_is_taken_as_go_does(algorithm: str) -> None:
    assert end_of(jwt.encode({"exp": 5}, KEY, algorithm), KEY) == 5


@given(st.text(max_size=200) | st.binary(max_size=150).map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_any_text_is_no_token(text: str) -> None:
    assert end_of(text, KEY) is None
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "x": text}).encode()).decode().rstrip("=")
    assert end_of(f"{head}.{text}.{text}", KEY) is None


def test_a_token_is_good_until_it_ends(tokens: Tokens, vclock: VirtualClock) -> None:
    now_s = vclock.now_ms() // 1000
    assert tokens.admits(jwt_of(make_token(CA, KEY, now_s + 1)))
    assert not tokens.admits(jwt_of(make_token(CA, KEY, now_s)))


def test_the_file_holds_the_token_and_is_the_owners_alone(tokens: Tokens) -> None:
    assert tokens.path.read_text() == f"{tokens.current}\n"
    assert tokens.path.stat().st_mode & 0o777 == 0o600


def test_the_first_token_is_good_for_a_day(tokens: Tokens, vclock: VirtualClock) -> None:
    assert end_of(jwt_of(tokens.current), KEY) == vclock.now_ms() // 1000 + DAY_S
    assert tokens.expires_at == "2020-05-10T04:53:20Z"


async def test_a_new_token_is_made_at_half_its_time_and_the_old_one_stays_good(
    tokens: Tokens, vclock: VirtualClock
) -> None:
    first = tokens.current
    await vclock.advance(DAY_S / 2 - 1)
    assert tokens.current == first
    await vclock.advance(1)
    assert tokens.current != first
    assert tokens.path.read_text() == f"{tokens.current}\n"
    assert tokens.admits(jwt_of(first))
    await vclock.advance(DAY_S / 2)
    assert not tokens.admits(jwt_of(first))


async def test_after_stop_no_token_is_made(tokens: Tokens, vclock: VirtualClock) -> None:
    tokens.stop()
    first = tokens.current
    await vclock.advance(DAY_S)
    assert tokens.current == first


async def test_a_restart_takes_the_token_of_the_file_while_it_is_young(tmp_path: Path, vclock: VirtualClock) -> None:
    first = make_tokens(tmp_path, vclock)
    first.stop()
    await vclock.advance(DAY_S / 4)
    second = make_tokens(tmp_path, vclock)
    assert second.current == first.current
    await vclock.advance(DAY_S / 4)
    assert second.current != first.current


async def test_a_restart_makes_a_new_token_when_half_its_time_is_over(tmp_path: Path, vclock: VirtualClock) -> None:
    first = make_tokens(tmp_path, vclock)
    first.stop()
    await vclock.advance(DAY_S / 2 + 1)
    assert make_tokens(tmp_path, vclock).current != first.current


@pytest.mark.parametrize("content", [b"", b"junk", b"\xff\x00", b"a.b.c.d"])
def test_a_file_that_holds_no_token_is_written_anew(tmp_path: Path, vclock: VirtualClock, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    tokens = make_tokens(tmp_path, vclock)
    assert tokens.path.read_text() == f"{tokens.current}\n"


def test_the_token_of_another_ca_is_replaced(tmp_path: Path, vclock: VirtualClock) -> None:
    other = make_tokens(tmp_path, vclock, key=bytes(121)).current
    tokens = make_tokens(tmp_path, vclock)
    assert tokens.current != other
    assert not tokens.admits(jwt_of(other))


def test_expired_tokens_are_refused_at_once_and_the_new_one_is_taken(tokens: Tokens) -> None:
    old = tokens.current
    new = tokens.expire()
    assert not tokens.admits(jwt_of(old))
    assert tokens.current == new
    assert tokens.admits(jwt_of(new))


def test_tokens_can_be_expired_again_in_the_same_second(tokens: Tokens) -> None:
    first, second = tokens.expire(), tokens.expire()
    assert not tokens.admits(jwt_of(first))
    assert tokens.admits(jwt_of(second))


def test_expired_tokens_stay_refused_after_a_restart(tmp_path: Path, vclock: VirtualClock) -> None:
    before = make_tokens(tmp_path, vclock)
    old = before.current
    new = before.expire()
    before.stop()
    after = make_tokens(tmp_path, vclock)
    assert not after.admits(jwt_of(old))
    assert after.current == new


def test_a_token_that_lasts_longer_than_new_ones_is_expired_too(tmp_path: Path, vclock: VirtualClock) -> None:
    """The lifetime was set lower between two starts."""
    before = make_tokens(tmp_path, vclock, lifetime_s=30 * DAY_S)
    old = before.current
    before.stop()
    after = make_tokens(tmp_path, vclock)
    after.expire()
    assert not after.admits(jwt_of(old))
    assert after.admits(jwt_of(after.current))


def test_a_mark_that_cannot_be_read_is_an_error_with_a_way_out(tmp_path: Path, vclock: VirtualClock) -> None:
    (tmp_path / "token-refused-until").write_text("tomorrow")
    with pytest.raises(ConfigError, match="it holds no Unix time; remove it"):
        make_tokens(tmp_path, vclock)


async def test_a_token_that_cannot_be_written_is_still_renewed(tmp_path: Path, vclock: VirtualClock) -> None:
    directory = tmp_path / "state"
    tokens = make_tokens(directory, vclock)
    first = tokens.current
    tokens.path.unlink()
    tokens.path.mkdir()
    await vclock.advance(DAY_S / 2)
    second = tokens.current
    assert first != second
    await vclock.advance(DAY_S / 2)
    assert tokens.current != second
    tokens.stop()
