"""Inputs made of a corpus, by hypothesis: pieces cut, doubled, exchanged, numbers and words put in (pure).

Changes are drawn as values, so that hypothesis can take away those that do not matter for a finding.
"""

from collections.abc import Sequence

from hypothesis import strategies as st

from tests.fuzz.target import LONGEST_BYTES

PIECES = (
    b"", b"\0", b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\\ud83d", b"\\u0000", b'"', b"\\", b"{", b"}",
    b"[", b"]", b",", b":", b"null", b"true", b"{}", b"[]", b'""', b"1e999", b"-1", b"65536", b"9" * 5000, b"-0",
    b"NaN", b"\n", b"\r\n", b"\r\n\r\n", b"\t", b" ", b";", b"/", b"../..", b"%", b"%00", b"%zz", b"\x80\x00",
    b"\xc0\x0c", b"\x7f\xff\xff\xff", b"\xff" * 8, b"[" * 1200, b'{"a":' * 1200,
    b"*a", b"&a ", b"!!python/object:os.system", b"a" * 300,
    b"\xe2\x80\xa8", b"0x10", b"1.5", b"1e5",
)  # fmt: skip
_SHARES = st.floats(0, 1, exclude_max=True, width=32)
_CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("insert", "overwrite", "delete", "truncate", "double", "splice", "flip")),
        _SHARES,
        st.integers(0, 400),
        st.sampled_from(PIECES),
    ),
    max_size=4,
)


def variants(corpus: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Return what makes inputs of those of ``corpus``."""
    return st.builds(_changed, st.sampled_from(corpus), st.sampled_from(corpus), _CHANGES)


def _changed(data: bytes, other: bytes, changes: list[tuple[str, float, int, bytes]]) -> bytes:
    for how, share, size, piece in changes:
        at = int(share * (len(data) + 1))
        data = _CHANGE[how](data, at, size, piece, other)[:LONGEST_BYTES]
    return data


def _flip(data: bytes, at: int, size: int, _piece: bytes, _other: bytes) -> bytes:
    if at >= len(data):
        return data
    return data[:at] + bytes((data[at] ^ (1 << size % 8),)) + data[at + 1 :]


_CHANGE = {
    "insert": lambda data, at, _size, piece, _other: data[:at] + piece + data[at:],
    "overwrite": lambda data, at, _size, piece, _other: data[:at] + piece + data[at + len(piece) :],
    "delete": lambda data, at, size, _piece, _other: data[:at] + data[at + size :],
    "truncate": lambda data, at, _size, _piece, _other: data[:at],
    "double": lambda data, at, size, _piece, _other: data[:at] + data[at : at + size] * 2 + data[at + size :],
    "splice": lambda data, at, size, _piece, other: data[:at] + other[size % (len(other) + 1) :],
    "flip": _flip,
}
