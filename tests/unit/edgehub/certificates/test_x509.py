"""Keys, requests and certificates: what Go makes is read, what we make is what Go made."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgehub.certificates import x509 as c

RECORDING = Path(__file__).parents[3] / "data/a_connect_first_sync.jsonl"
NOW = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def recorded() -> list[bytes]:
    """The bodies of the recorded exchange: nothing, the CA, the request, the certificate."""
    entries = [json.loads(line) for line in RECORDING.read_text().splitlines()]
    return [bytes.fromhex(e["body_hex"]) for e in entries if "http" in e and str(e["link"]).startswith("https-")]


def test_our_request_is_the_one_of_the_go_edge_but_for_the_key(recorded: list[bytes]) -> None:
    theirs = x509.load_der_x509_csr(recorded[2])
    ours = x509.load_der_x509_csr(c.request_of(c.new_key()))
    assert ours.subject.rfc4514_string() == theirs.subject.rfc4514_string()
    assert ours.signature_algorithm_oid == theirs.signature_algorithm_oid
    assert len(ours.extensions) == len(theirs.extensions) == 0
    assert ours.is_signature_valid


def test_the_recorded_certificate_is_one_of_the_recorded_ca(recorded: list[bytes]) -> None:
    _, ca, _, certificate = recorded
    with pytest.raises(ValueError, match="it is for another key"):
        c.check_issued(certificate, key_pem=c.new_key(), ca_der=ca, now=NOW)
    facts = c.facts_of(certificate)
    assert (facts.subject, facts.issuer) == ("CN=kubeedge.io,O=kubeEdge", "CN=KubeEdge")
    assert c.said(facts.lifetime.not_after) == "2126-10-27 10:05:54 UTC"


def test_a_key_is_written_as_go_writes_it() -> None:
    key = c.new_key()
    assert key.startswith(b"-----BEGIN EC PRIVATE KEY-----\n")
    assert c.is_p256(key)
    assert c.usable_key(key) == key


def test_a_certificate_of_ours_passes(authority: Any) -> None:
    key = c.new_key()
    der = authority.sign(c.request_of(key))
    c.check_issued(der, key_pem=key, ca_der=authority.der, now=NOW)
    assert c.check_pair(c.to_pem(der), key).not_before == datetime(2020, 1, 1, tzinfo=UTC)
    assert c.to_der(c.to_pem(der)) == der


def test_a_certificate_of_another_ca_is_refused(authority: Any, other_authority: Any) -> None:
    key = c.new_key()
    der = other_authority.sign(c.request_of(key))
    with pytest.raises(ValueError, match="the CA has not signed it"):
        c.check_issued(der, key_pem=key, ca_der=authority.der, now=NOW)


def test_a_certificate_that_is_over_already_is_refused(authority: Any) -> None:
    key = c.new_key()
    der = authority.sign(c.request_of(key), timedelta(days=1))
    with pytest.raises(ValueError, match="it expired at 2020-01-02 00:00:00 UTC"):
        c.check_issued(der, key_pem=key, ca_der=authority.der, now=NOW)


def test_a_certificate_and_a_strange_key_are_no_pair(authority: Any) -> None:
    pem = c.to_pem(authority.sign(c.request_of(c.new_key())))
    with pytest.raises(ValueError, match="the certificate is for another key"):
        c.check_pair(pem, c.new_key())


def test_a_key_that_go_labelled_otherwise_gets_the_label_that_openssl_reads(authority: Any) -> None:
    key = c.new_key()
    as_go = key.replace(b" EC PRIVATE KEY", b" PRIVATE KEY")
    assert c.usable_key(as_go) == key
    c.check_pair(c.to_pem(authority.sign(c.request_of(key))), as_go)


def test_a_key_of_another_kind_is_used_as_it_is() -> None:
    key = rsa.generate_private_key(65537, 2048)
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    assert c.usable_key(pem) == pem
    assert not c.is_p256(pem)


def test_a_key_with_a_password_is_refused_with_the_reason() -> None:
    key = serialization.load_pem_private_key(c.new_key(), None)
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.BestAvailableEncryption(b"x"))
    with pytest.raises(ValueError, match="it needs a password"):
        c.usable_key(pem)


@pytest.mark.parametrize(("jitter", "day"), [(0.0, 70), (0.5, 80), (1.0, 90)])
def test_renewal_is_due_between_70_and_90_percent_of_the_lifetime(jitter: float, day: int) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    lifetime = c.Lifetime(start, start + timedelta(days=100))
    assert lifetime.renewal_at(jitter) == start + timedelta(days=day)


def test_a_certificate_expires_at_its_end() -> None:
    lifetime = c.Lifetime(NOW, NOW + timedelta(days=1))
    assert not lifetime.expired(NOW)
    assert lifetime.expired(NOW + timedelta(days=1))


@given(st.binary(max_size=400))
def test_arbitrary_bytes_raise_nothing_but_value_error(data: bytes) -> None:
    for read in (c.facts_of, c.to_pem, c.to_der, c.usable_key, c.request_of):
        with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
            read(data)


@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_certificate_with_one_byte_changed_raises_nothing_but_value_error(
    recorded: list[bytes], place: int, value: int
) -> None:
    der = bytearray(recorded[3])
    der[place % len(der)] = value
    try:
        c.facts_of(bytes(der))
        c.check_issued(bytes(der), key_pem=c.new_key(), ca_der=recorded[1], now=NOW)
    except ValueError:
        pass
