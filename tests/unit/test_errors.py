"""What a failure to bind an address is called."""

import errno
import os

import pytest

from edgecore.errors import listen_error


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EADDRINUSE, "in_use"),
        (errno.EACCES, "no_permission"),
        (errno.EPERM, "no_permission"),
        (errno.EROFS, "no_permission"),
        (errno.EADDRNOTAVAIL, "no_such_address"),
        (errno.ENOENT, "no_such_address"),
        (errno.ENOTDIR, "no_such_address"),
    ],
)
def test_known_fault_has_its_reason_and_the_systems_words_alone(number: int, reason: str) -> None:
    met = OSError(number, "error while attempting to bind on address ('127.0.0.1', 53): whatever")
    error = listen_error("127.0.0.1:53", met)
    assert (error.address, error.reason) == ("127.0.0.1:53", reason)
    assert str(error) == f"cannot listen on 127.0.0.1:53: {os.strerror(number).lower()}"


@pytest.mark.parametrize(
    ("met", "text"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (OSError("no number"), "no number"),
    ],
)
def test_other_fault_failed_and_keeps_its_words(met: OSError, text: str) -> None:
    error = listen_error("[::1]:53", met)
    assert error.reason == "failed"
    assert str(error) == f"cannot listen on [::1]:53: {text}"


def test_detail_stands_in_the_place_of_the_systems_words() -> None:
    error = listen_error("/run/x.sock", OSError(errno.EADDRINUSE, "Address already in use"), "a node runs there")
    assert (error.reason, str(error)) == ("in_use", "cannot listen on /run/x.sock: a node runs there")
