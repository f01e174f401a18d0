"""What a backend is told of who asks."""

import pytest

from edgecore.modules.edgemesh.proxy.http.forwardedfor import forwarded_for
from edgecore.modules.edgemesh.proxy.options import ForwardedHeaders


@pytest.mark.parametrize(
    ("headers", "ip", "lines"),
    [
        ("off", "10.0.0.1", b""),
        ("x-forwarded-for", "10.0.0.1", b"X-Forwarded-For: 10.0.0.1\r\n"),
        ("forwarded", "10.0.0.1", b"Forwarded: for=10.0.0.1;proto=http\r\n"),
        ("both", "fd00::1", b'X-Forwarded-For: fd00::1\r\nForwarded: for="[fd00::1]";proto=http\r\n'),
        ("both", "", b"X-Forwarded-For: unknown\r\nForwarded: for=unknown;proto=http\r\n"),
    ],
)
def test_lines_are_as_the_option_says(headers: ForwardedHeaders, ip: str, lines: bytes) -> None:
    assert forwarded_for(headers, ip) == lines
