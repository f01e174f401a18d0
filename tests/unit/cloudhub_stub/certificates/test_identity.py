"""The files of the CA and of the server's certificate: made, used again, made anew, refused."""

from pathlib import Path

import pytest
from cryptography import x509

from cloudhub_stub.certificates.authority import PemPair, make_authority
from cloudhub_stub.certificates.identity import ALWAYS_NAMED, Identity, load_identity
from cloudhub_stub.settings import CertificateFiles
from edgecore.errors import ConfigError

NOW_S = 1_589_000_000.0
NONE = CertificateFiles()


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    return tmp_path / "state" / "pki"


def load(pki: Path, *hosts: str, files: CertificateFiles = NONE, now_s: float = NOW_S) -> Identity:
    return load_identity(pki, hosts, files, now_s)


def contents(pki: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in pki.iterdir()}


def put(directory: Path, name: str, pair: PemPair) -> tuple[Path, Path]:
    certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
    certificate.write_bytes(pair.certificate)
    key.write_bytes(pair.key)
    return certificate, key


def test_the_first_start_makes_four_files_that_are_the_owners_alone(pki: Path) -> None:
    load(pki, "127.0.0.1")
    assert {path.name: path.stat().st_mode & 0o777 for path in pki.iterdir()} == dict.fromkeys(
        ("ca.crt", "ca.key", "server.crt", "server.key"), 0o600
    )
    assert [path.stat().st_mode & 0o777 for path in (pki, pki.parent)] == [0o700, 0o700]


def test_the_next_start_uses_them_again(pki: Path) -> None:
    load(pki, "127.0.0.1")
    before = contents(pki)
    load(pki, "127.0.0.1")
    assert contents(pki) == before


def test_the_server_certificate_is_always_for_this_machine(pki: Path) -> None:
    assert load(pki, "0.0.0.0", "cloud.example").names == ("cloud.example", *ALWAYS_NAMED)


def test_other_names_make_a_new_server_certificate_of_the_same_ca(pki: Path) -> None:
    load(pki, "127.0.0.1")
    before = contents(pki)
    load(pki, "127.0.0.1", "192.0.2.1")
    after = contents(pki)
    assert [name for name in before if before[name] != after[name]] == ["server.crt", "server.key"]
    names = x509.load_pem_x509_certificate(after["server.crt"]).extensions
    assert "192.0.2.1" in str(names.get_extension_for_class(x509.SubjectAlternativeName).value)


def test_names_that_are_gone_make_a_new_server_certificate_too(pki: Path) -> None:
    load(pki, "192.0.2.1")
    before = contents(pki)
    load(pki)
    assert contents(pki)["server.crt"] != before["server.crt"]


@pytest.mark.parametrize("damaged", ["server.crt", "server.key"])
def test_a_damaged_or_lost_server_certificate_is_made_anew(pki: Path, damaged: str) -> None:
    load(pki)
    (pki / damaged).write_bytes(b"junk")
    load(pki)
    assert contents(pki)[damaged] != b"junk"
    (pki / damaged).unlink()
    load(pki)
    assert damaged in contents(pki)


def test_a_key_without_ca_certificate_was_never_used_and_is_made_anew(pki: Path) -> None:
    """The process was killed between the two files."""
    load(pki)
    before = contents(pki)
    (pki / "ca.crt").unlink()
    load(pki)
    assert contents(pki)["ca.key"] != before["ca.key"]


def test_a_ca_without_its_key_is_an_error_with_a_way_out(pki: Path) -> None:
    load(pki)
    (pki / "ca.key").unlink()
    with pytest.raises(
        ConfigError, match=r"ca\.key: No such file.*put the file back, or remove .*ca\.crt for a new CA"
    ):
        load(pki)


def test_a_damaged_ca_is_an_error_and_stays_as_it_is(pki: Path) -> None:
    load(pki)
    (pki / "ca.crt").write_bytes(b"junk")
    before = contents(pki)
    with pytest.raises(ConfigError, match=r"ca\.crt: there is no PEM certificate in it; put the file back"):
        load(pki)
    assert contents(pki) == before


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"cannot write .*ca\.key: "):
        load(tmp_path / "file" / "pki")


def test_the_users_ca_signs_a_server_certificate_that_is_kept(pki: Path, tmp_path: Path) -> None:
    authority = make_authority(NOW_S)
    ca, ca_key = put(tmp_path, "own", authority.pem)
    files = CertificateFiles(ca=ca, ca_key=ca_key)
    assert load(pki, files=files).authority.certificate_der == authority.certificate_der
    assert sorted(contents(pki)) == ["server.crt", "server.key"]
    before = contents(pki)
    load(pki, files=files)
    assert contents(pki) == before


def test_another_ca_makes_a_new_server_certificate(pki: Path, tmp_path: Path) -> None:
    load(pki)
    before = contents(pki)
    ca, ca_key = put(tmp_path, "own", make_authority(NOW_S).pem)
    load(pki, files=CertificateFiles(ca=ca, ca_key=ca_key))
    after = contents(pki)
    assert after["server.crt"] != before["server.crt"]
    assert after["ca.crt"] == before["ca.crt"]


def test_the_users_own_server_certificate_is_served_from_where_it_is(pki: Path, tmp_path: Path) -> None:
    authority = make_authority(NOW_S)
    ca, ca_key = put(tmp_path, "ca", authority.pem)
    certificate, key = put(tmp_path, "server", authority.server_pair(["cloud.example"], NOW_S))
    identity = load(pki, files=CertificateFiles(ca, ca_key, certificate, key))
    assert (identity.certificate_file, identity.key_file) == (certificate, key)
    assert not pki.exists()


def test_a_server_certificate_of_another_ca_is_refused(pki: Path, tmp_path: Path) -> None:
    certificate, key = put(tmp_path, "server", make_authority(NOW_S).server_pair(["::1"], NOW_S))
    with pytest.raises(ConfigError, match=r"server\.crt: the CA has not signed it"):
        load(pki, files=CertificateFiles(certificate=certificate, key=key))


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        (CertificateFiles(ca=Path("x")), "cannot use --ca-file alone: give --ca-key-file too, or neither"),
        (CertificateFiles(ca_key=Path("x")), "cannot use --ca-key-file alone: give --ca-file too, or neither"),
        (CertificateFiles(certificate=Path("x")), "cannot use --cert-file alone: give --key-file too, or neither"),
        (CertificateFiles(key=Path("x")), "cannot use --key-file alone: give --cert-file too, or neither"),
    ],
)
def test_half_a_pair_is_refused(pki: Path, files: CertificateFiles, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(pki, files=files)
    assert str(caught.value) == complaint


def test_a_missing_file_of_the_user_is_named(pki: Path, tmp_path: Path) -> None:
    files = CertificateFiles(ca=tmp_path / "no.crt", ca_key=tmp_path / "no.key")
    with pytest.raises(ConfigError, match=r"cannot read .*no\.crt: No such file"):
        load(pki, files=files)
