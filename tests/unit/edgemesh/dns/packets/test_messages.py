"""Reading replies: every offset is checked, no name loops; and the queries that are sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsreplies import AAAA, ANY, CNAME, MX, NS, SRV, TXT, A, address, cname, name, opt, query, reply, rr, soa
from edgecore.modules.edgemesh.dns.packets.messages import (
    Question,
    UnreadableError,
    name_in,
    negative_ttl,
    query_packet,
    read_message,
    read_name,
)

QUERY = query("www.example")
END = len(QUERY)
WWW = name("www.example")
POINTER = b"\xc0\x0c"


def test_records_are_read_with_their_owner_written_out_in_small_letters():
    packet = reply(QUERY, address(b"\3WWW\xc0\x10"), address(POINTER, ttl=7), authority=(soa("example"),))
    message = read_message(packet, END)
    assert [record.owner for record in (*message.answers, *message.authority)] == [WWW, WWW, name("example")]
    assert [record.ttl for record in message.answers] == [300, 7]
    assert [packet[record.ttl_at : record.ttl_at + 4] for record in message.answers] == [
        b"\0\0\1\x2c",
        b"\0\0\0\7",
    ]


def test_upper_bits_of_the_response_code_are_in_the_opt_record():
    assert read_message(reply(QUERY, additional=(opt(extended_rcode=1),)), END).extended_rcode == 1
    assert read_message(reply(QUERY), END).extended_rcode == 0


def test_bytes_behind_the_last_record_are_left_alone():
    assert read_message(reply(QUERY, address(POINTER)) + b"rest", END).answers


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(reply(QUERY, address(POINTER))[:-1], id="data cut off"),
        pytest.param(reply(QUERY, address(POINTER))[: END + 5], id="fixed part cut off"),
        pytest.param(reply(QUERY, address(POINTER))[: END + 1], id="pointer cut off"),
        pytest.param(reply(QUERY, b"\3ww"), id="label cut off"),
        pytest.param(reply(QUERY, b"\x40" + bytes(80)), id="label of another kind"),
        pytest.param(reply(QUERY, b""), id="record announced and not there"),
        pytest.param(reply(QUERY, address((0xC000 | END).to_bytes(2, "big"))), id="pointer to itself"),
        pytest.param(reply(QUERY, address(b"\1a" + (0xC000 | END).to_bytes(2, "big"))), id="loop through a label"),
        pytest.param(reply(QUERY, address((0xC000 | (END + 2)).to_bytes(2, "big"))), id="pointer ahead"),
        pytest.param(reply(QUERY, address(b"\xc0\x02")), id="pointer into the header"),
        pytest.param(reply(QUERY, address((b"\x3f" + b"a" * 63) * 4 + b"\0")), id="name of more than 255 bytes"),
    ],
)
def test_packet_that_cannot_be_read_is_told_so(packet):
    with pytest.raises(UnreadableError):
        read_message(packet, END)


def test_chain_of_pointers_as_long_as_the_packet_ends():
    # Each pointer leads to the one before it: no loop, but more than a name can have labels.
    start = END + 11  # behind a root owner and the fixed part
    chain = POINTER + b"".join((0xC000 | (start + 2 * n)).to_bytes(2, "big") for n in range(300))
    holder = rr(b"\0", 10, 1, chain)
    packet = reply(QUERY, holder, address((0xC000 | (start + 2 * 299)).to_bytes(2, "big")))
    with pytest.raises(UnreadableError):
        read_message(packet, END)


def test_name_in_the_data_must_fill_it():
    good = reply(QUERY, cname(POINTER, b"\3WEB\xc0\x10"))
    assert name_in(good, read_message(good, END).answers[0]) == name("web.example")
    bad = reply(QUERY, rr(POINTER, CNAME, 1, b"\3web\0more"))
    with pytest.raises(UnreadableError):
        name_in(bad, read_message(bad, END).answers[0])


GOOD_DATA = [
    (A, b"\1\2\3\4"),
    (AAAA, bytes(16)),
    (NS, name("ns.example")),
    (CNAME, POINTER),
    (MX, b"\0\x0a" + name("mx.example")),
    (SRV, bytes(6) + b"\1a" + POINTER),
    (TXT, b"\2ab\0\1c"),
    (TXT, b""),
    (ANY, b"anything"),
]


@pytest.mark.parametrize(("rtype", "data"), GOOD_DATA)
@pytest.mark.parametrize("section", ["answers", "authority"])
def test_data_of_common_types_is_what_it_must_be(rtype, data, section):
    def packet(data: bytes, rclass: int = 1) -> bytes:
        record = rr(POINTER, rtype, 300, data, rclass)
        return reply(QUERY, record) if section == "answers" else reply(QUERY, authority=(record,))

    assert getattr(read_message(packet(data), END), section)
    for bad in (data[:-1], data + b"\0", data + b"\3") if rtype not in (TXT, ANY) else (data + b"\3x",):
        assert getattr(read_message(packet(bad, rclass=3), END), section)
        if rtype != ANY:
            with pytest.raises(UnreadableError):
                read_message(packet(bad), END)


def test_opt_record_among_the_answers_is_unreadable():
    with pytest.raises(UnreadableError):
        read_message(reply(QUERY, address(POINTER), opt()), END)


def test_negative_ttl_is_the_last_field_of_the_soa():
    packet = reply(QUERY, authority=(soa("example", minimum=77),))
    assert negative_ttl(packet, read_message(packet, END).authority[0]) == 77


def test_soa_of_the_wrong_length_is_unreadable():
    packet = reply(QUERY, authority=(rr("example", 6, 1, b"\0\0" + bytes(19)),))
    with pytest.raises(UnreadableError):
        negative_ttl(packet, read_message(packet, END).authority[0])


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_are_read_or_refused(packet, start):
    try:
        wire, end = read_name(packet, start)
    except (UnreadableError, IndexError):
        return
    assert len(wire) <= 255
    assert wire.endswith(b"\0")
    assert start < end <= len(packet)


@given(st.data())
def test_changed_reply_is_read_or_refused(data):
    packet = bytearray(
        reply(QUERY, cname(POINTER, b"\3web\xc0\x10"), address("web.example"), authority=(soa("example"),))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        packet[data.draw(st.integers(4, len(packet) - 1))] = data.draw(st.integers(0, 255))
    try:
        message = read_message(bytes(packet), END)
    except UnreadableError:
        return
    for record in (*message.answers, *message.authority):
        assert END <= record.at < record.data_at <= record.end <= len(packet)


def test_query_asks_for_the_flags_of_the_question_and_for_1232_bytes():
    plain = Question(WWW, b"\0\1\0\1")
    assert query_packet(b"ab", plain, edns=True) == b"ab\x01\x20\0\1\0\0\0\0\0\1" + WWW + b"\0\1\0\1" + opt()
    assert query_packet(b"ab", plain, edns=False) == b"ab\x01\x20\0\1\0\0\0\0\0\0" + WWW + b"\0\1\0\1"
    other = Question(WWW, b"\0\1\0\1", False, True, True)
    assert query_packet(b"ab", other, edns=True)[2:4] == b"\x00\x30"
    assert query_packet(b"ab", other, edns=True).endswith(opt(dnssec_ok=True))


@pytest.mark.parametrize("flags", [(True, False, False), (False, True, False), (True, True, True)])
def test_key_tells_the_question_again(flags):
    question = Question(WWW, b"\0\x1c\0\1", *flags)
    assert Question.of_key(question.key) == question
