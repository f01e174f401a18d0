"""Reading queries: what is understood, and the word for what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.dns.packets.packet import Malformed, Query, name_text, read_query, room

HEADER = bytes.fromhex("1234 0100 0001 0000 0000 0000")
WWW = b"\x03www\x07example\x00"
A_IN = b"\0\1\0\1"
OPT = bytes.fromhex("00 0029 1000 00 00 8000 0000")
A_RECORD = b"\xc0\x0c\0\1\0\1\0\0\0\x40\0\4\x7f\0\0\1"


def header(questions=1, answers=0, authority=0, additional=0) -> bytes:
    counts = (questions, answers, authority, additional)
    return HEADER[:4] + b"".join(count.to_bytes(2, "big") for count in counts)


def test_question_is_read_to_its_last_byte():
    packet = HEADER + WWW + A_IN
    assert read_query(packet) == Query((b"www", b"example"), 1, 1, len(packet), None)


def test_root_is_a_name_without_labels():
    assert read_query(HEADER + b"\0\0\2\0\1") == Query((), 2, 1, 17, None)


def test_bytes_behind_the_announced_records_are_left_alone():
    assert read_query(HEADER + WWW + A_IN + b"\xff" * 9) == read_query(HEADER + WWW + A_IN + b"")


@pytest.mark.parametrize(
    ("head", "records"),
    [
        (header(additional=1), OPT),
        (header(additional=2), A_RECORD + OPT),
        (header(additional=2), OPT + A_RECORD),
        (header(answers=1, authority=1, additional=1), A_RECORD + A_RECORD + OPT),
        (header(additional=1), bytes.fromhex("00 0029 1000 00 00 0000 0008 0003 0000 000c 0000")),
    ],
)
def test_opt_is_found_wherever_it_stands_among_the_additional_records(head, records):
    query = read_query(head + WWW + A_IN + records)
    assert isinstance(query, Query)
    assert query.edns_version == 0


def test_edns_version_is_the_second_byte_of_the_ttl():
    query = read_query(header(additional=1) + WWW + A_IN + bytes.fromhex("00 0029 1000 00 07 0000 0000"))
    assert isinstance(query, Query)
    assert query.edns_version == 7


@pytest.mark.parametrize(("flags", "expected"), [("8000", True), ("0000", False), ("7fff", False), ("ffff", True)])
def test_do_is_the_first_bit_of_the_edns_flags(flags, expected):
    query = read_query(header(additional=1) + WWW + A_IN + bytes.fromhex(f"00 0029 1000 00 00 {flags} 0000"))
    assert isinstance(query, Query)
    assert query.dnssec_ok is expected


def test_opt_with_a_ttl_of_another_record_type_is_no_opt():
    query = read_query(header(additional=1) + WWW + A_IN + A_RECORD)
    assert isinstance(query, Query)
    assert query.edns_version is None


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (header(questions=0), "question_count"),
        (header(questions=2) + (WWW + A_IN) * 2, "question_count"),
        (HEADER, "truncated_name"),
        (HEADER + b"\x3fabc", "truncated_name"),
        (HEADER + b"\x03www", "truncated_name"),
        (HEADER + b"\x40" + b"a" * 64 + b"\0" + A_IN, "bad_label"),
        (HEADER + b"\x80a\0" + A_IN, "bad_label"),
        (HEADER + b"\xc0\x0c" + A_IN, "compressed_name"),
        (HEADER + b"\x03www\xc0\x0c" + A_IN, "compressed_name"),
        (HEADER + (b"\x3f" + b"a" * 63) * 4 + b"\0" + A_IN, "long_name"),
        (HEADER + WWW, "truncated_question"),
        (HEADER + WWW + A_IN[:3], "truncated_question"),
        (header(additional=1) + WWW + A_IN, "truncated_name"),
        (header(additional=1) + WWW + A_IN + OPT[:-1], "truncated_record"),
        (header(additional=1) + WWW + A_IN + OPT[:-1] + b"\x04", "truncated_record"),
        (header(additional=1) + WWW + A_IN + b"\xc0", "truncated_record"),
        (header(additional=1) + WWW + A_IN + b"\x80" + OPT, "bad_label"),
        (header(additional=2) + WWW + A_IN + OPT + OPT, "bad_edns"),
        (header(answers=1) + WWW + A_IN + OPT, "bad_edns"),
        (header(additional=1) + WWW + A_IN + b"\x01a" + OPT, "bad_edns"),
        (header(additional=1) + WWW + A_IN + bytes.fromhex("00 0029 1000 00 00 0000 0003 000300"), "bad_edns"),
        (header(additional=1) + WWW + A_IN + bytes.fromhex("00 0029 1000 00 00 0000 0004 00030001"), "bad_edns"),
        (HEADER + WWW + A_IN + bytes(4096), "too_long"),
    ],
)
def test_packet_that_is_no_query_is_named_for_its_fault(packet, reason):
    assert read_query(packet) == Malformed(reason)


def test_name_of_255_bytes_is_the_longest():
    name = (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"a" * 61 + b"\0"
    assert len(name) == 255
    assert isinstance(read_query(HEADER + name + A_IN), Query)
    longer = (b"\x3f" + b"a" * 63) * 3 + b"\x3e" + b"a" * 62 + b"\0"
    assert read_query(HEADER + longer + A_IN) == Malformed("long_name")


def test_name_is_shown_with_its_odd_bytes_escaped():
    assert name_text(b"\x04a.\n\xff\x03Foo\0" + A_IN) == r"a\046\010\255.Foo."


@given(st.binary(min_size=12, max_size=80))
def test_any_bytes_are_a_query_or_have_a_fault(packet):
    query = read_query(packet)
    assert isinstance(query, Malformed) or 17 <= query.end <= len(packet)


@given(st.lists(st.binary(min_size=1, max_size=63), max_size=3), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_labels_of_any_bytes_are_read_back(labels, qtype, qclass):
    wire = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    packet = HEADER + wire + qtype.to_bytes(2, "big") + qclass.to_bytes(2, "big")
    assert read_query(packet) == Query(tuple(labels), qtype, qclass, len(packet), None)


@pytest.mark.parametrize(
    ("opt", "limit", "expected"),
    [
        (b"", 1232, 512),
        (b"", 512, 512),
        (b"", 65535, 65535),
        ("0000", 1232, 512),
        ("0200", 1232, 512),
        ("0201", 1232, 513),
        ("1000", 1232, 1232),
        ("1000", 4096, 4096),
        ("0200", 65535, 65535),
    ],
)
def test_reply_may_be_as_long_as_the_asker_and_the_transport_take(opt, limit, expected):
    record = bytes.fromhex(f"00 0029 {opt} 00 00 0000 0000") if opt else b""
    query = read_query(header(additional=1 if opt else 0) + WWW + A_IN + record)
    assert isinstance(query, Query)
    assert room(query, limit) == expected


def test_reply_without_a_question_may_have_512_bytes_on_udp():
    assert room(None, 1232) == 512
