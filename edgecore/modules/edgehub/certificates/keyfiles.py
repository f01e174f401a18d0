"""The three PEM files of the link (CA, certificate, key): read, and replaced together or not at all.

New files are written beside the old ones as ``NAME.next``, the certificate last: once ``server.crt.next`` has its name,
the set is complete, and whoever reads the files next finishes the renaming that a crash cut short.
"""

from pathlib import Path
from typing import NamedTuple

from edgecore.errors import EnrolmentError
from edgecore.modules.edgehub.certificates.x509 import Lifetime, check_pair, is_p256, to_der
from edgecore.privatefiles import make_directory, sync_directory, write_atomically

MAX_FILE_BYTES = 1 << 20


class Held(NamedTuple):
    """What the files hold."""

    ca: bytes | None
    """The CA as DER; None where there is none that can be read as a certificate."""
    lifetime: Lifetime | None
    """Of a certificate and key that belong together; None where there is no such pair."""
    fault: str
    """Why there is no pair or no CA, where a file is there that is no good; nothing where it is only missing."""


class KeyFiles(NamedTuple):
    """Where the CA, the certificate and its key are."""

    ca: Path
    certificate: Path
    key: Path

    def held(self) -> Held:
        """Look at the files, finishing first what a crash cut short.

        Raises ``EnrolmentError`` where one cannot be read.
        """
        self._recover()
        ca_pem, certificate, key = (_read(path) for path in self)
        faults = []
        ca = lifetime = None
        if ca_pem is not None:
            try:
                ca = to_der(ca_pem)
            except ValueError:
                faults.append(f"{self.ca} holds no certificate")
        if certificate is not None and key is not None:
            try:
                lifetime = check_pair(certificate, key)
            except ValueError as error:
                faults.append(f"{self.certificate} and {self.key} are no pair: {error}")
        return Held(ca, lifetime, "; ".join(faults))

    def lone_key(self) -> bytes | None:
        """Return a P-256 key that waits for its certificate, as PEM; None where there is none."""
        key = _read(self.key)
        return key if key is not None and _read(self.certificate) is None and is_p256(key) else None

    def present(self) -> list[Path]:
        """Return those of the files that exist."""
        return [path for path in self if path.exists() or path.is_symlink()]

    def store(self, *, ca: bytes | None, certificate: bytes, key: bytes) -> None:
        """Replace all three (PEM, mode 0600; directories that are made: 0700), or two where ``ca`` is None.

        Raises ``EnrolmentError``.
        """
        if len({*self}) < len(self):
            raise EnrolmentError("files", "cannot store the certificate: its three files have the same path")
        try:
            self._discard()
            for path, content in ((self.ca, ca), (self.key, key), (self.certificate, certificate)):
                if content is not None:
                    make_directory(path.parent)
                    write_atomically(_next(path), content)
            self._finish()
        except OSError as error:
            place = error.filename or self.certificate
            raise EnrolmentError(
                "files", f"cannot store the certificate: {place}: {error.strerror or error}"
            ) from error

    def _recover(self) -> None:
        if not any(_next(path).exists() for path in self):
            return
        certificate, key = _read(_next(self.certificate)), _read(_next(self.key)) or _read(self.key)
        try:
            if certificate is not None and key is not None and _are_pair(certificate, key):
                self._finish()
            else:
                self._discard()
        except OSError as error:
            raise EnrolmentError("files", f"cannot store the certificate: {error.strerror or error}") from error

    def _discard(self) -> None:
        for path in (self.certificate, self.ca, self.key):  # the certificate first: it says that the rest is complete
            _next(path).unlink(missing_ok=True)

    def _finish(self) -> None:
        for path in (self.key, self.ca, self.certificate):
            if _next(path).exists():
                _next(path).replace(path)
                sync_directory(path.parent)


def _next(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")


def _are_pair(certificate: bytes, key: bytes) -> bool:
    try:
        check_pair(certificate, key)
    except ValueError:
        return False
    return True


def _read(path: Path) -> bytes | None:
    """Return what a file holds, up to a limit that no PEM file reaches; None where it does not exist."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EnrolmentError("files", f"cannot read {path}: {error.strerror or error}") from error
