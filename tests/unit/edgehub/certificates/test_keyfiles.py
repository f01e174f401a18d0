"""The three files of the link: together or not at all, whenever the node is killed."""

import stat
from pathlib import Path
from typing import Any

import pytest

from edgecore.errors import EnrolmentError
from edgecore.modules.edgehub.certificates.keyfiles import KeyFiles
from edgecore.modules.edgehub.certificates.x509 import new_key, request_of, to_pem


class Killed(BaseException):
    """What a power cut is to a test."""


@pytest.fixture
def files(tmp_path: Path) -> KeyFiles:
    return KeyFiles(tmp_path / "ca/rootCA.crt", tmp_path / "certs/server.crt", tmp_path / "certs/server.key")


@pytest.fixture(scope="module")
def pairs(authority: Any) -> list[dict[str, bytes]]:
    """Two sets of files."""
    keys = [new_key(), new_key()]
    return [{"ca": authority.pem, "certificate": to_pem(authority.sign(request_of(key))), "key": key} for key in keys]


def content(files: KeyFiles) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in files._asdict().items()}


def leftovers(files: KeyFiles) -> list[str]:
    present = [path.name for folder in {files.ca.parent, files.key.parent} for path in folder.glob("*")]
    return sorted({*present} - {path.name for path in files})


def test_nothing_there_is_no_fault(files: KeyFiles) -> None:
    assert files.held() == (None, None, "")
    assert files.present() == []
    assert files.lone_key() is None


def test_what_was_stored_is_held(files: KeyFiles, pairs: list[dict[str, bytes]], authority: Any) -> None:
    files.store(**pairs[0])
    held = files.held()
    assert (held.ca, held.fault) == (authority.der, "")
    assert held.lifetime is not None
    assert content(files) == pairs[0]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_ca_that_is_not_given_stays(files: KeyFiles, pairs: list[dict[str, bytes]]) -> None:
    files.store(**pairs[0])
    files.store(**{**pairs[1], "ca": None})
    assert content(files) == pairs[1]


@pytest.mark.parametrize("step", range(1, 8))
def test_a_crash_at_any_step_leaves_the_old_set_or_the_new_one(
    step: int, files: KeyFiles, pairs: list[dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    files.store(**pairs[0])
    steps = 0
    replace = Path.replace

    def die(path: Path, target: Path) -> Path:
        nonlocal steps
        steps += 1
        if steps == step:
            raise Killed
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", die)
    try:
        files.store(**pairs[1])
    except Killed:
        pass
    else:
        assert step == 7, "there are six renames"
    monkeypatch.setattr(Path, "replace", replace)
    held = files.held()
    assert held.lifetime is not None
    assert held.fault == ""
    assert content(files) == pairs[0 if step <= 3 else 1]
    assert leftovers(files) == []


@pytest.mark.parametrize("step", range(1, 7))
def test_a_crash_in_the_first_store_leaves_all_or_nothing(
    step: int, files: KeyFiles, pairs: list[dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0
    replace = Path.replace

    def die(path: Path, target: Path) -> Path:
        nonlocal steps
        steps += 1
        if steps == step:
            raise Killed
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", die)
    with pytest.raises(Killed):
        files.store(**pairs[0])
    monkeypatch.setattr(Path, "replace", replace)
    assert (files.held().lifetime is not None) == (step > 3)
    assert len(files.present()) in (0, 3)


def test_a_certificate_and_a_strange_key_are_told(files: KeyFiles, pairs: list[dict[str, bytes]]) -> None:
    files.store(**{**pairs[0], "key": pairs[1]["key"]})
    held = files.held()
    assert held.lifetime is None
    assert held.fault == f"{files.certificate} and {files.key} are no pair: the certificate is for another key"


@pytest.mark.parametrize("name", ["ca", "certificate", "key"])
@pytest.mark.parametrize("text", [b"", b"rubbish", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_that_is_no_good_is_named(
    name: str, text: bytes, files: KeyFiles, pairs: list[dict[str, bytes]]
) -> None:
    files.store(**pairs[0])
    getattr(files, name).write_bytes(text)
    assert str(getattr(files, name)) in files.held().fault


def test_a_key_that_go_labelled_otherwise_is_good(files: KeyFiles, pairs: list[dict[str, bytes]]) -> None:
    files.store(**pairs[0])
    files.key.write_bytes(pairs[0]["key"].replace(b" EC PRIVATE", b" PRIVATE"))
    assert files.held().lifetime is not None


def test_a_key_without_certificate_waits_for_it(files: KeyFiles, pairs: list[dict[str, bytes]]) -> None:
    files.store(**pairs[0])
    assert files.lone_key() is None
    files.certificate.unlink()
    assert files.lone_key() == pairs[0]["key"]
    files.key.write_bytes(b"rubbish")
    assert files.lone_key() is None


@pytest.mark.usefixtures("unprivileged")
def test_a_file_that_may_not_be_read_is_an_error_that_names_it(files: KeyFiles, pairs: list[dict[str, bytes]]) -> None:
    files.store(**pairs[0])
    files.key.chmod(0)
    with pytest.raises(EnrolmentError, match=f"cannot read {files.key}: Permission denied"):
        files.held()


@pytest.mark.usefixtures("unprivileged")
def test_a_place_that_may_not_be_written_is_an_error_that_names_it(
    files: KeyFiles, tmp_path: Path, pairs: list[dict[str, bytes]]
) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(EnrolmentError, match=f"cannot store the certificate: {tmp_path}/ca: Permission denied"):
        files.store(**pairs[0])
    tmp_path.chmod(0o700)


def test_one_path_for_two_files_is_refused(files: KeyFiles, pairs: list[dict[str, bytes]]) -> None:
    with pytest.raises(EnrolmentError, match="have the same path"):
        files._replace(key=files.certificate).store(**pairs[0])
