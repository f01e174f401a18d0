"""The CA: what its certificates say, what it signs and refuses, files of the user's own."""

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.certificates.authority import Authority, PemPair, alternative_names, load_authority, make_authority
from cloudhub_stub.errors import CsrRefused
from edgecore.errors import ConfigError

NOW_S = 1_589_000_000.0
NOW = datetime.fromtimestamp(NOW_S, UTC)
DATA = Path(__file__).parents[3] / "data"
SHARED = make_authority(NOW_S)


@pytest.fixture
def authority() -> Authority:
    return SHARED


@pytest.fixture(scope="module")
def go() -> dict[str, bytes]:
    """The CA certificate, the request and the answer of the Go programs."""
    entries = [json.loads(line) for line in (DATA / "a_connect_first_sync.jsonl").read_text().splitlines()]
    bodies = [
        bytes.fromhex(one["body_hex"]) for one in entries if str(one.get("link")).startswith("https-") and "http" in one
    ]
    return {"ca": bodies[1], "csr": bodies[2], "certificate": bodies[3]}


def csr_of(key: ec.EllipticCurvePrivateKey, *attributes: x509.NameAttribute) -> bytes:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes)).sign(key, SHA256())
    return request.public_bytes(serialization.Encoding.DER)


def certificate_of(pair: PemPair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate)


def described(certificate: x509.Certificate) -> list[tuple[bool, object]]:
    """What the extensions say, but for those that depend on the key."""
    return [
        (one.critical, one.value)
        for one in certificate.extensions
        if not isinstance(one.value, x509.SubjectKeyIdentifier | x509.AuthorityKeyIdentifier)
    ]


def test_the_ca_is_that_of_go_but_for_keys_and_dates(authority: Authority, go: dict[str, bytes]) -> None:
    ours, theirs = x509.load_der_x509_certificate(authority.certificate_der), x509.load_der_x509_certificate(go["ca"])
    assert described(ours) == described(theirs)
    assert (ours.subject, ours.issuer) == (theirs.subject, theirs.issuer)
    assert ours.signature_algorithm_oid == theirs.signature_algorithm_oid
    assert (
        ours.not_valid_after_utc - ours.not_valid_before_utc == theirs.not_valid_after_utc - theirs.not_valid_before_utc
    )
    ours.verify_directly_issued_by(ours)


def test_the_request_of_a_go_edge_gets_the_certificate_that_go_gave(authority: Authority, go: dict[str, bytes]) -> None:
    issued = authority.sign(go["csr"], NOW_S, 36500)
    ours = x509.load_der_x509_certificate(issued.certificate)
    theirs = x509.load_der_x509_certificate(go["certificate"])
    assert described(ours) == described(theirs)
    assert [type(one.value) for one in ours.extensions] == [type(one.value) for one in theirs.extensions]
    assert ours.subject == theirs.subject
    assert ours.public_key() == theirs.public_key()
    assert (
        ours.not_valid_after_utc - ours.not_valid_before_utc == theirs.not_valid_after_utc - theirs.not_valid_before_utc
    )
    ours.verify_directly_issued_by(x509.load_der_x509_certificate(authority.certificate_der))


def test_of_the_subject_the_organization_and_the_name_are_taken(authority: Authority, go: dict[str, bytes]) -> None:
    assert authority.sign(go["csr"], NOW_S, 1).subject == "CN=kubeedge.io,O=kubeEdge"


def test_a_request_without_a_name_gets_a_certificate_without_one(authority: Authority) -> None:
    assert authority.sign(csr_of(ec.generate_private_key(ec.SECP256R1())), NOW_S, 1).subject == ""


def test_the_lifetime_is_as_told_down_to_parts_of_a_day(authority: Authority, go: dict[str, bytes]) -> None:
    assert authority.sign(go["csr"], NOW_S, 0.5).expires_at == NOW + timedelta(hours=12)


def test_no_two_certificates_have_one_serial(authority: Authority, go: dict[str, bytes]) -> None:
    assert authority.sign(go["csr"], NOW_S, 1).serial != authority.sign(go["csr"], NOW_S, 1).serial


def test_a_request_that_is_not_signed_with_its_own_key_is_refused(authority: Authority, go: dict[str, bytes]) -> None:
    forged = bytearray(csr_of(ec.generate_private_key(ec.SECP256R1())))
    forged[-1] ^= 1
    with pytest.raises(CsrRefused, match="not signed with its own key"):
        authority.sign(bytes(forged), NOW_S, 1)


@pytest.mark.parametrize("what", [b"", b"x", b"0\x82\x01\x18", b"-----BEGIN CERTIFICATE REQUEST-----\n"])
def test_what_is_no_request_is_refused_with_what_it_should_be(authority: Authority, what: bytes) -> None:
    with pytest.raises(CsrRefused, match=r"which must be PKCS #10 in DER"):
        authority.sign(what, NOW_S, 1)


def test_a_request_of_another_version_is_refused(authority: Authority, go: dict[str, bytes]) -> None:
    csr = go["csr"].replace(b"\x02\x01\x00", b"\x02\x01\x09", 1)
    with pytest.raises(CsrRefused):
        authority.sign(csr, NOW_S, 1)


def test_bytes_after_a_request_are_refused(authority: Authority, go: dict[str, bytes]) -> None:
    with pytest.raises(CsrRefused):
        authority.sign(go["csr"] + b"x", NOW_S, 1)


@given(data=st.data())
def test_a_request_with_changed_bytes_is_signed_or_refused(go: dict[str, bytes], data: st.DataObject) -> None:
    csr = bytearray(go["csr"])
    for place in data.draw(st.lists(st.integers(0, len(csr) - 1), min_size=1, max_size=8)):
        csr[place] = data.draw(st.integers(0, 255))
    with suppress(CsrRefused):
        SHARED.sign(bytes(csr), NOW_S, 1)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_as_a_request(junk: bytes) -> None:
    with pytest.raises(CsrRefused):
        SHARED.sign(junk, NOW_S, 1)


def test_the_server_certificate_is_for_names_and_addresses_and_for_serving_alone(authority: Authority) -> None:
    certificate = certificate_of(authority.server_pair(["192.0.2.1", "::1", "cloud.example"], NOW_S))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(map(str, names.get_values_for_type(x509.IPAddress))) == ["192.0.2.1", "::1"]
    assert names.get_values_for_type(x509.DNSName) == ["cloud.example"]
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert certificate.subject.rfc4514_string() == "CN=KubeEdge,O=KubeEdge"


def test_every_certificate_names_the_key_that_signed_it(authority: Authority, go: dict[str, bytes]) -> None:
    ca = x509.load_der_x509_certificate(authority.certificate_der)
    own = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    given_out = (
        certificate_of(authority.server_pair(["::1"], NOW_S)),
        x509.load_der_x509_certificate(authority.sign(go["csr"], NOW_S, 1).certificate),
    )
    for certificate in given_out:
        signer = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        assert signer == own


def test_a_server_certificate_serves_on_for_the_same_names_in_any_order(authority: Authority) -> None:
    pair = authority.server_pair(["127.0.0.1", "localhost"], NOW_S)
    assert authority.still_serves(pair, ["localhost", "127.0.0.1"], NOW_S + 1)


@pytest.mark.parametrize("names", [["127.0.0.1"], ["127.0.0.1", "localhost", "192.0.2.1"], ["localhost", "127.0.0.2"]])
def test_a_server_certificate_does_not_serve_for_other_names(authority: Authority, names: list[str]) -> None:
    assert not authority.still_serves(authority.server_pair(["127.0.0.1", "localhost"], NOW_S), names, NOW_S)


def test_a_server_certificate_does_not_serve_when_it_has_expired(authority: Authority) -> None:
    pair = authority.server_pair(["::1"], NOW_S)
    assert not authority.still_serves(pair, ["::1"], NOW_S + 36501 * 86400)


def test_a_server_certificate_of_another_ca_or_key_does_not_serve(authority: Authority) -> None:
    pair, other = authority.server_pair(["::1"], NOW_S), authority.server_pair(["::1"], NOW_S)
    assert not make_authority(NOW_S).still_serves(pair, ["::1"], NOW_S)
    assert not authority.still_serves(PemPair(pair.certificate, other.key), ["::1"], NOW_S)
    assert not authority.still_serves(PemPair(b"junk", pair.key), ["::1"], NOW_S)
    assert not authority.still_serves(authority.pem, ["::1"], NOW_S)


def test_a_ca_that_was_kept_is_the_same_again(authority: Authority) -> None:
    again = load_authority(authority.pem, "ca.crt", "ca.key")
    assert (again.certificate_der, again.key_der) == (authority.certificate_der, authority.key_der)


def _pem(label: str, der: bytes) -> bytes:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n".encode()


def test_a_key_that_go_wrote_under_another_label_is_taken_byte_for_byte(authority: Authority) -> None:
    pair = PemPair(authority.pem.certificate, _pem("PRIVATE KEY", authority.key_der))
    assert load_authority(pair, "ca.crt", "ca.key").key_der == authority.key_der


def test_a_key_in_pkcs8_signs_tokens_in_its_sec1_form(authority: Authority) -> None:
    key = serialization.load_der_private_key(authority.key_der, None)
    pkcs8 = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert load_authority(PemPair(authority.pem.certificate, pkcs8), "a", "b").key_der == authority.key_der


def test_parameters_before_the_key_are_passed_over(authority: Authority) -> None:
    pair = PemPair(
        authority.pem.certificate, _pem("EC PARAMETERS", b"\x06\x08*\x86H\xce=\x03\x01\x07") + authority.pem.key
    )
    assert load_authority(pair, "ca.crt", "ca.key").key_der == authority.key_der


def _rsa_key() -> bytes:
    return rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _encrypted(authority: Authority) -> bytes:
    return serialization.load_der_private_key(authority.key_der, None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )


def test_files_that_are_no_ca_are_refused_by_name(authority: Authority) -> None:
    certificate, key = authority.pem
    server = authority.server_pair(["::1"], NOW_S)
    for pair, complaint in (
        (PemPair(b"", key), "cannot use A: there is no PEM certificate in it"),
        (PemPair(key, key), "cannot use A: there is no PEM certificate in it"),
        (PemPair(certificate, b""), "cannot use B: there is no unencrypted EC private key"),
        (PemPair(certificate, certificate), "cannot use B: there is no unencrypted EC private key"),
        (PemPair(certificate, _pem("PRIVATE KEY", b"junk")), "cannot use B: there is no unencrypted EC private key"),
        (
            PemPair(certificate, b"-----BEGIN PRIVATE KEY-----\n%\n-----END PRIVATE KEY-----"),
            "cannot use B: there is no",
        ),
        (PemPair(certificate, _rsa_key()), "cannot use B: there is no unencrypted EC private key"),
        (PemPair(certificate, _encrypted(authority)), "cannot use B: the key is encrypted"),
        (PemPair(certificate, server.key), "cannot use A with B: the key is not that of the certificate"),
        (server, "cannot use A: it is no CA certificate"),
    ):
        with pytest.raises(ConfigError) as caught:
            load_authority(pair, "A", "B")
        assert str(caught.value).startswith(complaint)


def test_a_server_certificate_of_the_users_own_must_be_of_the_ca(authority: Authority) -> None:
    pair = authority.server_pair(["cloud.example"], NOW_S)
    authority.check_server_pair(pair, "A", "B")
    authority.check_server_pair(PemPair(pair.certificate + authority.pem.certificate, pair.key), "A", "B")
    with pytest.raises(ConfigError, match="cannot use A: the CA has not signed it"):
        make_authority(NOW_S).check_server_pair(pair, "A", "B")
    with pytest.raises(ConfigError, match="cannot use A with B"):
        authority.check_server_pair(PemPair(pair.certificate, authority.pem.key), "A", "B")


@pytest.mark.parametrize(
    ("hosts", "names"),
    [
        (["127.0.0.1", "127.0.0.1", "localhost"], ("127.0.0.1", "localhost")),
        (["0.0.0.0", "::"], ()),
        (["[::1]", "fe80::1%eth0", "0:0:0:0:0:0:0:1"], ("::1", "fe80::1")),
        (["Cloud.Example.", "*.cloud.example"], ("cloud.example", "*.cloud.example")),
    ],
)
def test_hosts_become_names_of_a_certificate(hosts: list[str], names: tuple[str, ...]) -> None:
    assert alternative_names(hosts) == names


@pytest.mark.parametrize("host", ["", "a b", "http://x", "x:1", "ü.example", "-x", "a..b", "x" * 254])
def test_what_is_no_host_cannot_be_advertised(host: str) -> None:
    with pytest.raises(ConfigError, match="neither an IP address nor a DNS name"):
        alternative_names([host])


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        names = alternative_names([text])
    except ConfigError:
        return
    SHARED.server_pair(names, NOW_S)


def test_common_name_is_copied_as_it_stands(authority: Authority) -> None:
    csr = csr_of(ec.generate_private_key(ec.SECP256R1()), x509.NameAttribute(NameOID.COMMON_NAME, "edge-ü"))
    assert authority.sign(csr, NOW_S, 1).subject == "CN=edge-ü"
