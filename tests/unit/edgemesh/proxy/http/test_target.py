"""Request targets and authorities."""

import pytest

from edgecore.modules.edgemesh.proxy.http.target import Target, host_port, split_target


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        (b"GET", b"/a?b", Target(b"/a?b", b"")),
        (b"GET", b"//a/b", Target(b"//a/b", b"")),
        (b"OPTIONS", b"*", Target(b"*", b"")),
        (b"GET", b"http://h:1/a?b", Target(b"/a?b", b"h:1")),
        (b"GET", b"HTTP://h", Target(b"/", b"h")),
        (b"GET", b"http://h?q", Target(b"/?q", b"h")),
        (b"OPTIONS", b"http://h", Target(b"*", b"h")),
        (b"GET", b"http://[::1]:8/", Target(b"/", b"[::1]:8")),
    ],
)
def test_a_target_of_any_form_is_split_into_path_and_authority(method: bytes, target: bytes, expected: Target) -> None:
    assert split_target(method, target) == expected


@pytest.mark.parametrize(
    "target", [b"*", b"a", b"a/b", b"https://h/", b"http:///a", b"http://u@h/", b"http://h:x/", b"http:/h", b"h:80"]
)
def test_what_is_no_target_is_refused(target: bytes) -> None:
    assert split_target(b"GET", target) is None


@pytest.mark.parametrize(
    ("authority", "expected"),
    [
        (b"a.b", ("a.b", 80)),
        (b"a:81", ("a", 81)),
        (b"a:", ("a", 80)),
        (b"A.b.", ("A.b.", 80)),
        (b"127.0.0.1:65535", ("127.0.0.1", 65535)),
        (b"[::1]:8", ("::1", 8)),
        (b"", ("", 80)),
    ],
)
def test_an_authority_is_a_host_and_a_port(authority: bytes, expected: tuple[str, int]) -> None:
    assert host_port(authority) == expected


@pytest.mark.parametrize(
    "authority",
    [b"a:b", b"a:1:2", b"a:0", b"a:65536", b"a:-1", b"a b", b"a/b", b"u@a", b"::1", b"[::1", b"\xe4", b"a,b"],
)
def test_what_is_no_authority_is_refused(authority: bytes) -> None:
    assert host_port(authority) is None
