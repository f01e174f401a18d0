"""What the cloud identifies itself with: the CA and the server's certificate, kept in files and used again.

``<state-dir>/pki/`` holds ``ca.crt``, ``ca.key``, ``server.crt`` and ``server.key`` (PEM). Of a pair the key is written
first: a key without its certificate was never used and is made anew, a certificate without its key is an error.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import structlog

from cloudhub_stub.certificates.authority import Authority, PemPair, alternative_names, load_authority, make_authority
from cloudhub_stub.certificates.privatefiles import read_small, write_private
from cloudhub_stub.settings import CertificateFiles
from edgecore.errors import ConfigError

log = structlog.get_logger("cloudhub")

ALWAYS_NAMED = ("127.0.0.1", "::1", "localhost")
"""The server's certificate is good for this machine, wherever the server listens."""


class Identity(NamedTuple):
    """The CA, and the files of the server's certificate and key."""

    authority: Authority
    certificate_file: Path
    key_file: Path
    names: tuple[str, ...]
    """What the server's certificate is for; nothing where it is the user's own."""


def load_identity(directory: Path, hosts: Iterable[str], files: CertificateFiles, now_s: float) -> Identity:
    """Return the identity kept in ``directory``, or the user's own where ``files`` name it; what is missing is made.

    A kept server certificate that is not for exactly ``hosts`` and this machine is made anew, of the same CA. Raises
    ``ConfigError``: a file cannot be read, written or used, or ``files`` name half a pair.
    """
    authority = _authority(directory, files, now_s)
    own = _user_pair(files.certificate, files.key, "--cert-file", "--key-file")
    if own is not None:
        pair, certificate_file, key_file = own
        authority.check_server_pair(pair, str(certificate_file), str(key_file))
        return Identity(authority, certificate_file, key_file, ())
    names = alternative_names([*hosts, *ALWAYS_NAMED])
    certificate_file, key_file = directory / "server.crt", directory / "server.key"
    if not _still_serves(authority, certificate_file, key_file, names, now_s):
        pair = authority.server_pair(names, now_s)
        write_private(key_file, pair.key)
        write_private(certificate_file, pair.certificate)
        log.info("server_certificate_made", file=str(certificate_file), names=names)
    return Identity(authority, certificate_file, key_file, names)


def _authority(directory: Path, files: CertificateFiles, now_s: float) -> Authority:
    own = _user_pair(files.ca, files.ca_key, "--ca-file", "--ca-key-file")
    if own is not None:
        pair, certificate_file, key_file = own
        return load_authority(pair, str(certificate_file), str(key_file))
    certificate_file, key_file = directory / "ca.crt", directory / "ca.key"
    if not certificate_file.exists():
        authority = make_authority(now_s)
        write_private(key_file, authority.pem.key)
        write_private(certificate_file, authority.pem.certificate)
        log.info("ca_made", file=str(certificate_file))
        return authority
    try:
        return load_authority(_read(certificate_file, key_file), str(certificate_file), str(key_file))
    except ConfigError as error:
        way_out = f"put the file back, or remove {certificate_file} for a new CA: then every edge has to join again"
        raise ConfigError(f"{error}; {way_out}") from error


def _still_serves(
    authority: Authority, certificate_file: Path, key_file: Path, names: tuple[str, ...], now_s: float
) -> bool:
    if not (certificate_file.exists() and key_file.exists()):
        return False
    return authority.still_serves(_read(certificate_file, key_file), names, now_s)


def _user_pair(
    certificate: Path | None, key: Path | None, certificate_flag: str, key_flag: str
) -> tuple[PemPair, Path, Path] | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        given, missing = (key_flag, certificate_flag) if certificate is None else (certificate_flag, key_flag)
        raise ConfigError(f"cannot use {given} alone: give {missing} too, or neither")
    return _read(certificate, key), certificate, key


def _read(certificate: Path, key: Path) -> PemPair:
    return PemPair(read_small(certificate), read_small(key))
